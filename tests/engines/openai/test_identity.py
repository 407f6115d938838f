"""Which changes of a model's card mean another model, and which none."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
import pytest

from healer import errors
from healer.engines.openai import engine as engine_module
from healer.engines.openai.replies import Card, identity, same
from healer.images.tile import Tile
from tests.engines.openai.conftest import Open
from tests.engines.openai.upstream import MODEL, Upstream

PINK = Tile(np.full((64, 64, 3), (230, 170, 200), np.uint8))
META = {"vocab_type": 1, "n_vocab": 262208, "n_params": 3880099328, "size": 4127064064}


def card(**more: Any) -> dict[str, object]:  # noqa: ANN401
    return {"id": MODEL, "object": "model", "owned_by": "llamacpp", "created": 1, **more}


def test_a_router_that_loads_and_sleeps_is_answered_every_time(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """llama.cpp's: `status` and `meta` come and go, `created` is the time of the request."""
    monkeypatch.setattr(engine_module, "MODEL_LIST_SECONDS", 0)
    states = cycle(
        [
            card(status={"value": "unloaded"}, meta=None),
            card(status={"value": "loading", "args": ["-m", "x"]}, created=2),
            card(status={"value": "loaded"}, meta=META, in_cache=True, last_used=17),
            card(status={"value": "sleeping", "progress": 0.5}, meta={**META, "n_ctx": 8192}),
        ]
    )
    with Upstream(listing=lambda _: {"data": [next(states)]}) as upstream:
        engine = opened(upstream)
        for _ in range(6):
            assert engine.score([PINK])[0].margin > 0
            assert engine.trouble() is None


def test_a_calibration_outlives_all_but_the_model(upstream: Upstream, opened: Open) -> None:
    upstream.cards = [card(meta=META)]
    first = opened(upstream).info
    upstream.cards = [card(meta=META, status={"value": "loaded"}, max_model_len=4096, tags=["a"])]
    assert opened(upstream).info == first


@pytest.mark.parametrize(
    "more",
    [
        {"owned_by": "them"},
        {"root": "/models/another"},
        {"parent": "base"},
        {"digest": "sha256:1"},
        {"revision": "main"},
        {"quantization": "Q4_0"},
        {"meta": {**META, "size": 1}},
        {"meta": {**META, "n_params": 27}},
    ],
)
def test_another_model_is_one(upstream: Upstream, opened: Open, more: dict[str, object]) -> None:
    upstream.cards = [card(meta=META)]
    engine = opened(upstream)
    upstream.cards = [{**card(meta=META), **more}]
    assert "describes medgemma otherwise" in str(engine.trouble())
    assert isinstance(engine.trouble(), errors.UpstreamChanged)
    assert opened(upstream).info.revision != engine.info.revision


def test_weights_that_are_not_described_are_no_others() -> None:
    known, unknown = (identity(Card.model_validate(card(meta=meta))) for meta in (META, None))
    assert same(known, unknown)
    assert same(unknown, known)


def test_a_restart_finds_the_same_model_loaded_or_not(
    upstream: Upstream, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card is read after the first answer: then the model is loaded, and described."""
    upstream.cards = [card(meta=META)]
    loaded = opened(upstream).info
    upstream.cards = [card(status={"value": "unloaded"})]
    whole = upstream._whole

    def loading(body: dict[str, Any]) -> dict[str, object]:
        upstream.cards = [card(meta=META)]
        return whole(body)

    monkeypatch.setattr(upstream, "_whole", loading)
    assert opened(upstream).info == loaded
