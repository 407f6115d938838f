from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from healer.audit.chain import Head, Link, linked
from healer.audit.records import answer_record, pixel_digest
from healer.audit.replay import TOLERANCE, replay
from healer.engines.base import Evidence
from healer.errors import AuditBroken, NotReplayable
from healer.images.tile import Tile
from healer.quality.gate import LoadedTile
from healer.screening.screener import Screener, known_tile
from tests.engines import conformance
from tests.fake_engine import FakeEngine

TILE = known_tile(32)
PIXELS = pixel_digest(TILE)


class MovedEngine(FakeEngine):
    """Its margins are not what they were."""

    def __init__(self, by: float = 0.0, device: str = "cpu", revision: str = "0") -> None:
        self._by = by
        self.info = replace(FakeEngine.info, device=device, revision=revision)

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        return [replace(seen, margin=seen.margin + self._by) for seen in super().score(tiles)]


def recorded(**changes: object) -> Link:
    screener = Screener(FakeEngine())
    (scored,) = screener.score([TILE])
    record = answer_record(
        screener,
        LoadedTile(TILE, None, {}),
        scored,
        file_sha256="a" * 64,
        request_id="r1",
        caller=None,
    )
    return linked(record.model_copy(update=changes), Head())


def test_the_published_tolerance_is_the_one_that_engines_are_held_to() -> None:
    assert TOLERANCE == conformance.TOLERANCE


def test_the_same_engine_answers_the_same() -> None:
    (replayed,) = replay(Screener(FakeEngine()), TILE, PIXELS, [recorded()])
    assert replayed.reason is None
    assert replayed.margin == replayed.recorded.margin
    assert replayed.verdict.answer == replayed.recorded.verdict


@pytest.mark.parametrize("by", [0.5, -0.5])
def test_a_margin_may_move_within_the_tolerance_and_no_further(by: float) -> None:
    within = Screener(MovedEngine(by * TOLERANCE))
    beyond = Screener(MovedEngine(by * 5 * TOLERANCE, device="cuda"))
    assert replay(within, TILE, PIXELS, [recorded()])[0].reason is None
    reason = replay(beyond, TILE, PIXELS, [recorded()])[0].reason
    assert reason == "the margin moved by 0.0500 (then on cpu, now on cuda)"


def test_another_verdict_at_the_same_margin_is_reported() -> None:
    reason = replay(Screener(FakeEngine()), TILE, PIXELS, [recorded(verdict="no")])[0].reason
    assert reason == "another verdict at the same margin"


def test_another_calibration_leaves_the_margin_to_compare() -> None:
    link = recorded(verdict="no", calibration="0123456789ab")
    assert replay(Screener(FakeEngine()), TILE, PIXELS, [link])[0].reason is None


def test_a_changed_decoder_is_distinguished_from_a_changed_engine() -> None:
    link = recorded(pixels_sha256="c" * 64, margin=100.0)
    reason = replay(Screener(FakeEngine()), TILE, PIXELS, [link])[0].reason
    assert reason == "the file is decoded to other pixels than it was"


def test_what_something_else_answered_is_not_compared() -> None:
    other = Screener(MovedEngine(revision="1"))
    with pytest.raises(NotReplayable, match=r"revision was 0 and is 1\."):
        replay(other, TILE, PIXELS, [recorded()])
    mixed = [recorded(), recorded(revision="1")]
    assert len(replay(other, TILE, PIXELS, mixed)) == 1


def test_an_altered_record_is_not_replayed() -> None:
    link = recorded()
    forged = replace(link, body=link.body.replace('"yes"', '"no"'))
    with pytest.raises(AuditBroken):
        replay(Screener(FakeEngine()), TILE, PIXELS, [forged])


def test_pixels_are_named_by_shape_and_content() -> None:
    flat = np.zeros((2, 3, 3), np.uint8)
    turned = Tile(np.zeros((3, 2, 3), np.uint8))
    assert pixel_digest(Tile(flat)) != pixel_digest(turned)
    assert pixel_digest(Tile(flat)) == pixel_digest(Tile(flat, mpp=0.5))
    view = np.zeros((2, 6, 3), np.uint8)[:, ::2]
    assert pixel_digest(Tile(view)) == pixel_digest(Tile(flat))
