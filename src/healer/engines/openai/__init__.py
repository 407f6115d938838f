"""A model behind any OpenAI-compatible server that gives the probabilities of its tokens."""

from __future__ import annotations

from healer.engines.spec import GIB, Batching, EngineSpec, ModelSource

CONCURRENT_REQUESTS = 8  # the server batches those that reach it at the same time

SPEC = EngineSpec(
    name="openai",
    extra="openai",
    opener="healer.engines.openai.engine:open_engine",
    model=ModelSource.SERVER,
    memory_bytes=GIB // 2,
    stages=frozenset(),
    batching=lambda _info, _threads: Batching(workers=CONCURRENT_REQUESTS),
    offline_tiles=CONCURRENT_REQUESTS,
    worker_per_core=True,
)
