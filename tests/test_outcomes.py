from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from healer import outcomes
from healer.answer import Prediction
from healer.engines.base import Answer, Evidence
from healer.errors import AddressNotFile, ModelUnsound, OutOfMemory
from healer.images.tile import Tile
from healer.problem import Problem, status_of
from healer.quality.gate import LoadedTile
from healer.sandbox import load_tile
from healer.screening.screener import Screener
from healer.settings.loading import Settings
from healer.settings.model import GateMode
from tests.fake_engine import FakeEngine

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


def test_every_path_gets_its_own_answer_in_order(tmp_path: Path) -> None:
    engine = Picky()
    greys = list(range(1, 41))
    found = answers(engine, tiles(tmp_path, greys))
    texts = [each.explanation for each in found if isinstance(each, Prediction)]
    assert [text.split()[0] for text in texts] == [f"{grey / 255:.2f}" for grey in greys]
    assert sum(engine.shown) == 40
    assert max(engine.shown) <= 16


class Library(Exception):
    """An error that Healer does not know."""


class Fragile(Picky):
    """Its library fails on a black tile, in its own words."""

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        try:
            return super().score(tiles)
        except ModelUnsound:
            raise Library("unheard of") from None


class Short(Picky):
    """Forgets a tile where it is shown several."""

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        return super().score(tiles)[: max(1, len(tiles) - 1)]


class Speechless(Picky):
    """Fails when it should say why, on a black tile only."""

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        return [Evidence(float(tile.pixels.mean()) / 255) for tile in tiles]

    def explain(self, evidence: Evidence, answer: Answer) -> Iterator[str]:
        if evidence.margin == 0:
            raise Library("lost for words")
        yield from super().explain(evidence, answer)


@pytest.mark.parametrize(
    ("engine", "code"),
    [
        (Picky(), "model_unsound"),
        (Fragile(), "engine_failed"),
        (Short(), ""),
        (Speechless(), "engine_failed"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_of_the_model_is_the_tiles_own(tmp_path: Path, engine: Picky, code: str) -> None:
    found = answers(engine, tiles(tmp_path, [10, 20, BLACK, 30]))
    texts = [each.code if isinstance(each, Problem) else each.explanation for each in found]
    assert texts[:2] == ["0.04 is yes.", "0.08 is yes."]
    assert texts[3] == "0.12 is yes."
    if code:
        assert texts[2] == code


@pytest.mark.parametrize(
    ("failure", "code", "status"),
    [
        (Library("unheard of"), "internal_error", 500),
        (ValueError("not enough values"), "internal_error", 500),
        (StopIteration(), "internal_error", 500),
        (RecursionError(), "internal_error", 500),
        (MemoryError(), "out_of_memory", status_of(OutOfMemory)),
        (PermissionError(13, "Permission denied"), "internal_error", 500),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_of_a_library_that_reads_pictures_is_the_tiles_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception, code: str, status: int
) -> None:
    paths = tiles(tmp_path, [10, 99, 20])
    bad, load = paths[1].read_bytes(), load_tile

    def failing(data: bytes, mode: GateMode, max_pixels: int, page: int | None) -> LoadedTile:
        if data == bad:
            raise failure
        return load(data, mode, max_pixels, page)

    monkeypatch.setattr(outcomes, "load_tile", failing)
    first, problem, last = answers(Picky(), paths)
    assert isinstance(first, Prediction)
    assert isinstance(last, Prediction)
    assert isinstance(problem, Problem)
    assert (problem.code, problem.status) == (code, status)


def test_an_answer_that_cannot_be_put_together_is_the_tiles_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise Library("unheard of")

    monkeypatch.setattr(Prediction, "finished", failing)
    (problem,) = answers(Picky(), tiles(tmp_path, [10]))
    assert isinstance(problem, Problem)
    assert problem.code == "internal_error"
    assert "(Library)" in problem.detail


def test_what_cannot_be_a_tile_gets_its_problem_in_its_place(tmp_path: Path) -> None:
    (path,) = tiles(tmp_path, [10])
    address = "https://example.org/a.png"
    named: list[outcomes.Source] = [outcomes.Unread(address, AddressNotFile(address)), path]
    found = list(outcomes.outcomes(Screener(Picky()), named, Settings(gate="off")))
    assert [each.path for each in found] == [address, path]
    assert isinstance(found[0].answer, Problem)
    assert found[0].answer.code == "address_not_file"
    assert isinstance(found[1].answer, Prediction)


def test_a_name_that_no_file_can_have_is_reported(tmp_path: Path) -> None:
    (problem,) = answers(Picky(), [tmp_path / "nul\0.png"])
    assert isinstance(problem, Problem)
    assert problem.code == "file_not_readable"
    assert "null" in problem.detail


def test_no_more_is_read_than_may_be_of_a_file_that_never_ends() -> None:
    (found,) = outcomes.outcomes(
        Screener(Picky()), [Path("/dev/zero")], Settings(gate="off", max_bytes=1024)
    )
    assert isinstance(found.answer, Problem)
    assert found.answer.code == "too_many_bytes"


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    (path,) = tiles(tmp_path, [51])
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(path.read_bytes()))
    writer.start()
    (answer,) = answers(Picky(), [pipe])
    writer.join()
    assert isinstance(answer, Prediction)
    assert answer.explanation == "0.20 is yes."


def test_answers_do_not_wait_for_a_file_that_takes_long(tmp_path: Path) -> None:
    paths = tiles(tmp_path, [10, 20])
    slow, last = tmp_path / "slow.png", paths[1]
    os.mkfifo(slow)
    found = outcomes.outcomes(Screener(Picky()), [paths[0], slow, last], Settings(gate="off"))
    assert isinstance(next(found).answer, Prediction)
    slow.write_bytes(last.read_bytes())  # only now; before, its reader waits
    assert [each.path for each in found] == [slow, last]


def test_files_are_answered_without_an_http_framework() -> None:
    check = (
        "import healer.outcomes, sys; sys.exit(bool({'fastapi', 'starlette'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
