"""Work that is the same every time, made quick: compiled, and launched as one CUDA graph.

Such work takes nothing and gives nothing back: it reads and writes tensors that stay where they
are, so that it can be recorded once and played again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
import torch

log = structlog.get_logger(__name__)

Work = Callable[[], None]
Way = Callable[[Work], Work]

PLAIN = "kernel by kernel"
WARM_UPS = 3  # libraries set themselves up in the first calls, which cannot be recorded


@dataclass(frozen=True, slots=True)
class Ways:
    """How to make work quick, by name, the quickest first; each raises what it pleases.

    `step` is for decoding, a few microseconds a kernel, where compiling pays for its minute.
    """

    step: Mapping[str, Way]
    prefill: Mapping[str, Way]


def ways(device: torch.device) -> Ways:
    if device.type != "cuda":
        return Ways({}, {})
    graph: dict[str, Way] = {"CUDA graph": cuda_graph}
    return Ways({"compiled CUDA graph": compiled_graph} | graph, graph)


def quickest(work: Work, name: str, known: Mapping[str, Way]) -> tuple[Work, str]:
    """`work` in the first of the `known` ways that can be had, else as it is; and which that was.

    It is done a few times meanwhile, so its tensors must be ready for it.
    """
    for way, make in known.items():
        try:
            return make(work), way
        except Exception as error:  # compilers and CUDA raise what they please
            cause = f"{type(error).__name__}: {error}".splitlines()[0]
            log.warning("slower than it could be", work=name, without=way, cause=cause)
    return work, PLAIN


def compiled_graph(work: Work) -> Work:
    return cuda_graph(torch.compile(work, fullgraph=True))


def cuda_graph(work: Work) -> Work:
    """Runs `work` aside first, as recording demands."""
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UPS):
            work()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay
