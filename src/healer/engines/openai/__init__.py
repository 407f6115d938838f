"""A model behind any OpenAI-compatible server that gives the probabilities of its tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healer.engines.base import Engine, Question
from healer.engines.spec import GIB, Batching, EngineSpec, ModelSource
from healer.errors.engine import ExtraNotInstalled

if TYPE_CHECKING:
    from healer.settings.loading import Settings

# The server batches what reaches it at the same time.
CONCURRENT_REQUESTS = 8


def open_openai(settings: Settings, question: Question) -> Engine:
    try:
        from healer.engines.openai.client import RetryPolicy
        from healer.engines.openai.engine import OpenAIEngine
    except ImportError as error:
        raise ExtraNotInstalled("openai", "openai", str(error)) from error
    return OpenAIEngine.load(
        str(settings.engine_url) if settings.engine_url else None,
        question,
        key=settings.engine_key,
        model=settings.engine_model,
        retries=RetryPolicy(timeout=settings.engine_timeout),
    )


SPEC = EngineSpec(
    name="openai",
    extra="openai",
    open=open_openai,
    model=ModelSource.SERVER,
    memory_bytes=GIB // 2,
    stages=frozenset(),
    batching=lambda _info, _threads: Batching(lanes=CONCURRENT_REQUESTS),
    offline_tiles=CONCURRENT_REQUESTS,
    worker_per_core=True,
)
