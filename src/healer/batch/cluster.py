"""Ray: started on this machine and shut up in it, or found where a cluster runs."""

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

from healer.batch.worker import Block, BlockResult, BlockWorker, WorkerOrder, binding_of, opened
from healer.engines.registry import ENGINES
from healer.errors import ArchivesNotInstalled, HealerError, RayUnavailable, WorkersFailed
from healer.hardware import cores
from healer.settings.loading import Settings

ATTEMPTS = 3
STARTS = 3
STDERR = 2
LOCALHOST = "127.0.0.1"
SECONDS_TO_ANSWER = 10
# Blocks are names and answers, a few kilobytes each; Ray's default is a third of the memory.
STORE_BYTES = 256 * 2**20
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # would have `uv` fetch packages for each worker
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
LOOPBACK = {
    # Whoever reaches Ray's ports may run code. On Linux they listen on every interface unless
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
        stack.enter_context(hushed())
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
            answering(address)
            begin(options, STARTS if address is None else 1)
            nodes = ray.nodes()  # type: ignore[no-untyped-call]
        except Exception as error:  # Ray raises whatever its parts raise
            raise unavailable(address, type(error).__name__) from None
        found = [node["Resources"] for node in nodes if node["Alive"]]
        if not any(node.get("CPU", 0) >= 1 for node in found):
            raise unavailable(address, "it has no CPU to give")
        yield found


def begin(options: Mapping[str, Any], attempts: int) -> None:
    """Ray gives its helpers 15 seconds, which is too few for a cold start on a busy machine; the
    next is a warm one."""
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


def answering(address: str | None) -> None:
    """Raises OSError where nobody listens: Ray would wait for minutes."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_TO_ANSWER).close()


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
def hushed() -> Iterator[None]:
    """Ray says what became of its workers on stdout and on descriptor 2, whatever its options.

    `sys.stderr` goes on to where it went.
    """
    with contextlib.ExitStack() as stack:
        nowhere = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        kept = stack.enter_context(os.fdopen(os.dup(STDERR), "w", buffering=1))
        if _is_stderr(sys.stderr):
            stack.enter_context(contextlib.redirect_stderr(kept))
        os.dup2(nowhere.fileno(), STDERR)
        stack.callback(os.dup2, kept.fileno(), STDERR)
        stack.enter_context(contextlib.redirect_stdout(nowhere))
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


def probe(order: WorkerOrder, nodes: Sequence[Mapping[str, float]]) -> dict[str, str]:
    """What the answers will depend on, asked of a worker; raises what opening there raised."""
    import ray

    gpus = pool_for(order.settings.engine, order.settings, nodes).gpus
    # max_calls: the process ends, and with it whatever memory a model leaves behind.
    asked = ray.remote(max_calls=1, max_retries=ATTEMPTS - 1)(described)
    try:
        sent = ray.get(asked.options(num_cpus=1, num_gpus=gpus).remote(order))
    except ray.exceptions.RayError as error:
        raise WorkersFailed(f"one could not be opened ({type(error).__name__})") from None
    found: dict[str, str] = received(sent)
    return found


def described(order: WorkerOrder) -> bytes:
    """Runs in a worker."""
    screener = opened(order.settings)
    if isinstance(screener, HealerError):
        return pickle.dumps(screener)
    try:
        return pickle.dumps(binding_of(screener, order.settings))
    finally:
        screener.engine.close()


def look(
    blocks: Sequence[Block], order: WorkerOrder, pool: Pool, *, alone: bool
) -> Iterator[BlockResult]:
    """Blocks as they are done, in any order; one that no worker survived is left out.

    `alone` gives a worker one block at a time, so that none is blamed for another's death.
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
    answered = ray.data.from_items(packed, override_num_blocks=len(blocks)).map(
        Unpacking,  # type: ignore[arg-type]
        fn_constructor_args=(BlockWorker, order),
        compute=ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=in_flight),
        num_cpus=pool.cpus,
        num_gpus=pool.gpus,
        max_task_retries=ATTEMPTS - 1,
    )
    try:
        for row in answered.iter_rows():
            yield received(row["sent"])
    except ray.exceptions.RayError as error:
        raise WorkersFailed(f"Ray gave up ({type(error).__name__})") from None


class Unpacking:
    """In the worker: what a looker makes of a block that travelled as bytes."""

    def __init__(self, looker: type[BlockWorker], order: WorkerOrder) -> None:
        self._looker = looker(order)

    def __call__(self, row: dict[str, bytes]) -> dict[str, Any]:
        return self._looker(pickle.loads(row["block"]))  # noqa: S301 - from our own command


def received(sent: bytes) -> Any:  # noqa: ANN401 - whatever the worker sent
    value = pickle.loads(sent)  # noqa: S301 - from our own worker
    if isinstance(value, HealerError):
        raise value
    return value
