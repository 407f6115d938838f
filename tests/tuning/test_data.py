from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from healer.engines.transformers.loading import Plan, read
from healer.engines.transformers.model import Gemma
from healer.errors import DatasetUnreadable, TileUnusable, TooFewCases
from healer.evaluation import datasets
from healer.evaluation.datasets import Arrays, Dataset, Files, Item
from healer.evaluation.published import LabelMapping
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.tuning.data import Lessons, Recipe, order, split, write
from tests.gemma import MODEL_ID, make_checkpoint
from tests.tuning.conftest import LIMITS
from tests.tuning.tiles import write_tiles


def dataset_of(rows: list[tuple[int, bool]]) -> Dataset:
    """Tiles of (case, answer)."""
    items = tuple(
        Item(f"{at}.png", "cancer" if yes else "benign", f"case-{case}", positive=yes)
        for at, (case, yes) in enumerate(rows)
    )
    return Dataset("made", items, Files(Path()), has_cases=True, left_out={})


@given(
    rows=st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=4, max_size=60),
    seed=st.integers(0, 5),
)
def test_a_split_never_parts_a_case(rows: list[tuple[int, bool]], seed: int) -> None:
    recipe = Recipe(train_tiles=30, validation_tiles=5, seed=seed)
    try:
        parts = split(dataset_of(rows), recipe)
    except TooFewCases:
        assume(False)
    sides = [{item.case_id for item in part.items} for part in (parts.train, parts.validation)]
    assert sides[0].isdisjoint(sides[1])
    assert 0 < len(parts.train.items) <= 30
    assert 0 < len(parts.validation.items) <= 5


def test_a_split_is_the_same_for_the_same_seed_only(tiles: Dataset) -> None:
    first, again, other = (split(tiles, Recipe(seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first.validation != other.validation


def test_both_sides_hold_both_answers(tiles: Dataset) -> None:
    parts = split(tiles, Recipe())
    for part in (parts.train, parts.validation):
        assert {item.positive for item in part.items} == {True, False}


@pytest.mark.parametrize("rows", [[(0, True), (1, False)], [(0, True), (1, True), (2, True)]])
def test_too_few_cases_are_reported(rows: list[tuple[int, bool]]) -> None:
    with pytest.raises(TooFewCases, match="two cases"):
        split(dataset_of(rows), Recipe())


def test_an_epoch_sees_every_tile_once_and_another_order_next_time(tiles: Dataset) -> None:
    epochs = [order(tiles.items, Recipe(), epoch).tolist() for epoch in (0, 0, 1)]
    assert sorted(epochs[0]) == list(range(len(tiles.items)))
    assert epochs[0] == epochs[1]
    assert epochs[0] != epochs[2]


def test_balanced_sampling_draws_either_answer_as_often() -> None:
    rare = dataset_of([(at, at % 20 == 0) for at in range(2000)])
    drawn = order(rare.items, Recipe(balanced=True), 0)
    share = np.mean([rare.items[row].positive for row in drawn])
    assert share == pytest.approx(0.5, abs=0.05)


def test_a_written_part_is_a_dataset_again(tiles: Dataset, tmp_path: Path) -> None:
    part = split(tiles, Recipe()).validation
    write(part, tmp_path / "part.csv")
    again = datasets.read_dataset(tmp_path / "part.csv", LabelMapping.of(["cancer"], []))
    assert again.has_cases
    for one, other in zip(part.items, again.items, strict=True):
        assert (one.label, one.case_id, one.positive) == (
            other.label,
            other.case_id,
            other.positive,
        )
        there, here = (d.source.tile(i.path, LIMITS) for d, i in ((part, one), (again, other)))
        assert (there.pixels == here.pixels).all()


def test_a_written_part_keeps_names_that_are_no_utf_8(tmp_path: Path) -> None:
    folder = write_tiles(tmp_path / "M\udcfcller", cases=2)
    (folder / "index.csv").unlink()
    (folder / "cancer" / "0-0.png").rename(folder / "cancer" / "\udcff.png")
    (folder / "cancer" / ".0-0.png").touch()
    whole = datasets.read_dataset(folder, LabelMapping.of(["cancer"], []))
    write(whole, tmp_path / "part.csv")
    again = datasets.read_dataset(tmp_path / "part.csv", LabelMapping.of(["cancer"], []))
    assert [item.path for item in again.items] == [str(folder / item.path) for item in whole.items]
    assert not again.absent


def test_tiles_without_cases_stay_without(tmp_path: Path) -> None:
    made = dataset_of([(at, at % 2 == 0) for at in range(6)])
    alone = tuple(replace(item, case_id=item.path) for item in made.items)
    write(replace(made, items=alone, has_cases=False), tmp_path / "part.csv")
    assert not datasets.read_dataset(
        tmp_path / "part.csv", LabelMapping.of(["cancer"], [])
    ).has_cases


def test_tiles_that_are_no_files_are_refused(tiles: Dataset, tmp_path: Path) -> None:
    array = replace(tiles, source=Arrays(np.zeros((1, 8, 8, 3), np.uint8)))
    with pytest.raises(DatasetUnreadable, match="not files"):
        write(array, tmp_path / "part.csv")


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Gemma:
    folder = make_checkpoint(tmp_path_factory.mktemp("model"))
    return read(Plan(folder, COLORECTAL_CANCER, MODEL_ID, "cpu", "float32", "none"))[0]


def test_a_lesson_is_the_engines_prompt_and_an_answer_it_counts(
    gemma: Gemma, tiles: Dataset
) -> None:
    inputs, targets = Lessons(gemma, tiles, LIMITS, MODEL_ID).batch([0, 1])
    inference = gemma.inputs([tiles.source.tile(item.path, LIMITS) for item in tiles.items[:2]])
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        assert torch.equal(inputs[name][:, :-1], inference[name])
    assert torch.equal(inputs["pixel_values"], inference["pixel_values"])
    assert torch.equal(inputs["input_ids"][:, -1], targets[:, 0])
    assert [item.positive for item in tiles.items[:2]] == [True, False]
    assert targets[0, 0] in gemma.answers.yes
    assert targets[1, 0] in gemma.answers.no
    assert gemma.tokenizer.decode(targets[0]) == "Yes<end_of_turn>"
    assert set(targets[:, 1].tolist()) <= gemma.stops


def test_a_tile_that_cannot_be_read_is_named(gemma: Gemma, tiles: Dataset) -> None:
    absent = replace(tiles, items=(replace(tiles.items[0], path="absent.png"),))
    with pytest.raises(TileUnusable, match=r"absent\.png cannot be read: The file cannot be read"):
        Lessons(gemma, absent, LIMITS, MODEL_ID).batch([0])
