from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from healer import outcomes
from healer.config import Settings
from healer.engines.base import Answer, Evidence
from healer.engines.fake import FakeEngine
from healer.errors import ModelUnsound
from healer.imaging.tile import Tile
from healer.screening.screener import Screener
from healer.serving.schemas import Prediction, Problem

BLACK = 0


class Picky(FakeEngine):
    """Cannot stand a black tile; remembers how many it was shown at once."""

    info = replace(FakeEngine.info, engine="builtin")

    def __init__(self) -> None:
        self.shown: list[int] = []

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        self.shown.append(len(tiles))
        if any((tile.pixels == BLACK).all() for tile in tiles):
            raise ModelUnsound("picky", "a black tile")
        return [Evidence(float(tile.pixels.mean()) / 255) for tile in tiles]

    def explain(self, evidence: Evidence, answer: Answer) -> Iterator[str]:
        yield f"{evidence.margin:.2f} is {answer}."


def tiles(folder: Path, greys: Sequence[int]) -> list[Path]:
    paths = [folder / f"{at}.png" for at in range(len(greys))]
    for path, grey in zip(paths, greys, strict=True):
        Image.fromarray(np.full((70, 70, 3), grey, np.uint8)).save(path)
    return paths


def answers(engine: Picky, paths: list[Path]) -> list[Prediction | Problem]:
    found = list(outcomes.outcomes(Screener(engine), paths, Settings(gate="off")))
    assert [each.path for each in found] == paths
    return [each.answer for each in found]


def test_every_path_gets_its_own_answer_in_order_and_in_batches(tmp_path: Path) -> None:
    engine = Picky()
    greys = list(range(1, 41))
    found = answers(engine, tiles(tmp_path, greys))
    told = [each.explanation for each in found if isinstance(each, Prediction)]
    assert [text.split()[0] for text in told] == [f"{grey / 255:.2f}" for grey in greys]
    assert engine.shown == [16, 16, 8]


def test_one_bad_tile_costs_its_neighbours_nothing(tmp_path: Path) -> None:
    paths = tiles(tmp_path, [10, BLACK, 20])
    paths.insert(1, tmp_path / "absent.png")
    codes = [each.code if isinstance(each, Problem) else "" for each in answers(Picky(), paths)]
    assert codes == ["", "file_not_readable", "model_unsound", ""]


def test_nothing_is_prepared_further_ahead_than_asked() -> None:
    started: list[int] = []
    lock = threading.Lock()

    def step(item: int) -> int:
        with lock:
            started.append(item)
        return item

    with ThreadPoolExecutor(2) as pool:
        stream = outcomes.ahead(pool, step, range(100), depth=4)
        assert [next(stream) for _ in range(3)] == [0, 1, 2]
        pool.submit(lambda: None).result()
        assert len(started) <= 3 + 4
