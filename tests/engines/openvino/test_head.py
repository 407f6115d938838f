"""The language graph in two gives what it gives whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openvino")
pytest.importorskip("torch")

import openvino as ov

from healer.engines.openvino import loading
from healer.engines.openvino.conversion_record import LANGUAGE, read_conversion
from healer.engines.openvino.head import without_head
from healer.engines.openvino.language import Language
from healer.engines.openvino.loading import EXACT, GROUPS, SMALL_CACHE

TOKENS = [[2, 11, 12, 13], [14], [15]]


def test_layers_and_head_give_the_logits_of_the_whole_graph(shared: Path) -> None:
    core, config = ov.Core(), GROUPS | SMALL_CACHE | EXACT
    attention = read_conversion(shared).attention
    layers, head = (
        core.compile_model(part, "CPU", config)
        for part in without_head(core.read_model(shared / LANGUAGE))
    )
    whole = Language(core.compile_model(shared / LANGUAGE, "CPU", config), attention)
    parts = Language(layers, attention, head)
    one, other = whole.run(), parts.run()
    for tokens in TOKENS:
        np.testing.assert_allclose(other.step(tokens), one.step(tokens), atol=1e-5)
    assert other.length == one.length
    chunks = [(tokens, None) for tokens in TOKENS]
    np.testing.assert_allclose(
        parts.run().read_chunks(chunks), whole.run().read_chunks(chunks), atol=1e-5
    )


@pytest.mark.parametrize(("threads", "usable"), [(1, False), (2, True)])
def test_rows_are_rounded_whole_by_two_threads_or_more(
    threads: int, usable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "has_amx", lambda: True)
    assert loading.can_round_rows(threads) == usable
