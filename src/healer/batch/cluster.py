"""Ray: started on this machine, reachable from devnull else, or an address of a cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import secrets
import socket
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from healer.batch.worker import (
    Block,
    BlockResult,
    BlockWorker,
    WorkerSetup,
    binding_of,
    open_or_error,
)
from healer.engines.registry import ENGINES
from healer.errors.base import HealerError
from healer.errors.batch import ArchivesNotInstalled, RayUnavailable, WorkersFailed
from healer.hardware import cores
from healer.settings.loading import Settings

ATTEMPTS = 3
STARTS = 3
STDERR = 2
LOCALHOST = "127.0.0.1"
CONNECT_SECONDS = 10
# Blocks are names and answers, a few kilobytes each; Ray's default is a third of the memory.
STORE_BYTES = 256 * 2**20
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # would have `uv` fetch packages for each worker
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
LOOPBACK = {
    # Anyone who reaches Ray's ports may run code. On Linux they listen on every interface unless
    # this says that Ray is to be no cluster, as it is by default on macOS.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_worker_niceness": "0",  # a worker is to be as nice as the command was started
}
CROWDED = (
    "It starts slowly where others use the cores: try again, and set TMPDIR to a short path if "
    "it is a long one"
)


@dataclass(frozen=True, slots=True)
class Pool:
    """How many workers, and what each may use; `threads` is HEALER_THREADS for its engine."""

    workers: int
    cpus: int
    gpus: int
    threads: int


def pool_for(engine: str, settings: Settings, nodes: Sequence[Mapping[str, float]]) -> Pool:
    """A worker a core where it is small, a GPU where there are any, a node otherwise."""
    cpus = [int(node["CPU"]) for node in nodes if node.get("CPU", 0) >= 1]
    if engine in ENGINES and ENGINES[engine].worker_per_core:
        return Pool(min(settings.threads or sum(cpus), sum(cpus)), cpus=1, gpus=0, threads=1)
    gpus = int(sum(node.get("GPU", 0) for node in nodes)) if wants_gpu(engine, settings) else 0
    if gpus:
        return Pool(gpus, cpus=1, gpus=1, threads=settings.threads)
    return Pool(len(cpus), min(cpus), gpus=0, threads=settings.threads or min(cpus))


def wants_gpu(engine: str, settings: Settings) -> bool:
    return (engine == "auto" or ENGINES[engine].uses_gpu) and settings.device in ("auto", "cuda")


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[list[Mapping[str, float]]]:
    """What each node has, while connected; a Ray of our own ends with the block.

    Raises RayUnavailable.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(silenced())
        os.environ.update(QUIET)
        if address is None:
            options = stack.enter_context(on_this_machine())
        else:
            options = {"address": address}
        try:
            import ray
            import ray.data
        except ModuleNotFoundError as missing:
            raise ArchivesNotInstalled(str(missing)) from None
        logging.getLogger("ray.data").handlers.clear()
        warnings.simplefilter("ignore")  # Ray's, of its own deprecations; its import undoes others
        stack.callback(ray.shutdown)
        try:
            check_reachable(address)
            start_ray(options, STARTS if address is None else 1)
            nodes = ray.nodes()  # type: ignore[no-untyped-call]
        except Exception as error:  # Ray raises whatever its parts raise
            raise unavailable(address, type(error).__name__) from None
        resources = [node["Resources"] for node in nodes if node["Alive"]]
        if not any(node.get("CPU", 0) >= 1 for node in resources):
            raise unavailable(address, "it has no CPU to give")
        yield resources


def start_ray(options: Mapping[str, Any], attempts: int) -> None:
    """Ray gives its helpers 15 seconds, too few for a cold start on a busy machine: retried, the
    next start is a warm one."""
    import ray

    for left in reversed(range(attempts)):
        try:
            ray.init(**options, log_to_driver=False, logging_level=logging.CRITICAL)
        except Exception:
            ray.shutdown()
            if not left:
                raise
        else:
            return


def check_reachable(address: str | None) -> None:
    """Raises OSError where nothing listens there: Ray would wait for minutes."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()


@contextlib.contextmanager
def on_this_machine() -> Iterator[dict[str, Any]]:
    """Options for a Ray that only this user reaches and that leaves nothing behind."""
    os.environ.update(LOOPBACK, RAY_AUTH_TOKEN=secrets.token_hex(32))
    with (
        # Ray's own logs, and names of tiles where its memory is short: ours to delete.
        tempfile.TemporaryDirectory(prefix="healer-", ignore_cleanup_errors=True) as folder,
        socket.create_server((LOCALHOST, 0)) as taken,
    ):
        yield {
            "address": "local",
            "num_cpus": cores(),
            "include_dashboard": False,
            # Without a dashboard its process is started all the same, and asks around which cloud
            # this is; it is left out where its port is taken.
            "dashboard_port": taken.getsockname()[1],
            "object_store_memory": STORE_BYTES,
            "_temp_dir": folder,
        }


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Drops what Ray prints of its workers on stdout and descriptor 2, whatever its options.

    `sys.stderr` still goes to where it went.
    """
    with contextlib.ExitStack() as stack:
        devnull = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        original = stack.enter_context(os.fdopen(os.dup(STDERR), "w", buffering=1))
        if _is_stderr(sys.stderr):
            stack.enter_context(contextlib.redirect_stderr(original))
        os.dup2(devnull.fileno(), STDERR)
        stack.callback(os.dup2, original.fileno(), STDERR)
        stack.enter_context(contextlib.redirect_stdout(devnull))
        stack.enter_context(warnings.catch_warnings())
        yield


def _is_stderr(stream: TextIO) -> bool:
    try:
        return stream.fileno() == STDERR
    except (OSError, ValueError):  # it is no file
        return False


def unavailable(address: str | None, reason: str) -> RayUnavailable:
    if address is None:
        return RayUnavailable("on this machine", reason, CROWDED)
    advice = "Give the host:port of a running cluster's head node, or auto on one of its nodes"
    return RayUnavailable(f"at {address}", reason, advice)


def probe(setup: WorkerSetup, nodes: Sequence[Mapping[str, float]]) -> dict[str, str]:
    """Everything the answers depend on, from a worker; raises what opening the engine raised."""
    import ray

    gpus = pool_for(setup.settings.engine, setup.settings, nodes).gpus
    # max_calls: the process ends, and with it whatever memory a model leaves behind.
    task = ray.remote(max_calls=1, max_retries=ATTEMPTS - 1)(describe_worker)
    try:
        sent = ray.get(task.options(num_cpus=1, num_gpus=gpus).remote(setup))
    except ray.exceptions.RayError as error:
        raise WorkersFailed(f"one could not be opened ({type(error).__name__})") from None
    binding: dict[str, str] = unpickled(sent)
    return binding


def describe_worker(setup: WorkerSetup) -> bytes:
    """Runs in a worker."""
    screener = open_or_error(setup.settings)
    if isinstance(screener, HealerError):
        return pickle.dumps(screener)
    try:
        return pickle.dumps(binding_of(screener, setup.settings))
    finally:
        screener.engine.close()


def answer_blocks(
    blocks: Sequence[Block], setup: WorkerSetup, pool: Pool, *, alone: bool
) -> Iterator[BlockResult]:
    """Results in any order; a block that crashed its worker each time is left out.

    `alone` gives a worker one block at a time, so that a crash is its own block's.
    """
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1
    workers = min(pool.workers, len(blocks))
    in_flight = 1 if alone else None
    # Arrow, in which rows travel, would not take a name that is no UTF-8.
    packed = [{"block": pickle.dumps(block)} for block in blocks]
    results = ray.data.from_items(packed, override_num_blocks=len(blocks)).map(
        UnpickledBlocks,  # type: ignore[arg-type]
        fn_constructor_args=(BlockWorker, setup),
        compute=ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=in_flight),
        num_cpus=pool.cpus,
        num_gpus=pool.gpus,
        max_task_retries=ATTEMPTS - 1,
    )
    try:
        for row in results.iter_rows():
            yield unpickled(row["sent"])
    except ray.exceptions.RayError as error:
        raise WorkersFailed(f"Ray gave up ({type(error).__name__})") from None


class UnpickledBlocks:
    """In the worker: unpickles a block and answers it."""

    def __init__(self, worker: type[BlockWorker], setup: WorkerSetup) -> None:
        self._worker = worker(setup)

    def __call__(self, row: dict[str, bytes]) -> dict[str, Any]:
        return self._worker(pickle.loads(row["block"]))  # noqa: S301 - from our own command


def unpickled(sent: bytes) -> Any:  # noqa: ANN401 - whatever the worker sent
    value = pickle.loads(sent)  # noqa: S301 - from our own worker
    if isinstance(value, HealerError):
        raise value
    return value
