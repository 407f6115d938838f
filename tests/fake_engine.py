"""An engine without a model: pink tiles are cancer. For tests of everything around an engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from healer.engines.base import Answer, EngineInfo, Evidence, Finding
from healer.images.tile import Tile


class FakeEngine:
    info = EngineInfo(
        engine="fake",
        model_id="healer/fake",
        revision="0",
        device="cpu",
        dtype="float32",
        quantization="none",
        prompt_id="none",
        preprocessing_id="mean-colour",
    )

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        return [self._score_tile(tile) for tile in tiles]

    def _score_tile(self, tile: Tile) -> Evidence:
        red, green, _ = tile.pixels.reshape(-1, 3).mean(axis=0)
        share = float((red - green + 255) / 510)
        return Evidence(margin=float(red - green) / 16, findings=(Finding("pinkness", share),))

    def explain(self, evidence: Evidence, answer: Answer) -> Iterator[str]:
        yield f"The fake engine says {answer}"
        yield f" at a margin of {evidence.margin:.1f}."

    def close(self) -> None:
        pass
