from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from healer import NOTICE
from healer.errors.slides import SlideRunMismatch, SlideTaken
from healer.slides.tiles import TileParts, read_tiles, write_tiles
from tests.slides.results import refused, scored

RESULTS = [
    scored(0, 0, 0.9),
    scored(1, 0, 0.02, low_grade=0.97),
    refused(2, 0, "too_blurred", "not_he_stained"),
    refused(3, 0, problem="area_unreadable"),
]
BINDING = {"slide": "a1", "mpp": "0.5"}


def test_results_come_back_from_the_file_as_they_were(tmp_path: Path) -> None:
    write_tiles(tmp_path / "tiles.parquet", RESULTS, {"slide": "biopsy"})
    assert read_tiles(tmp_path / "tiles.parquet") == RESULTS


def test_the_file_has_the_named_columns_and_the_notice(tmp_path: Path) -> None:
    write_tiles(tmp_path / "tiles.parquet", RESULTS, {})
    table = pq.read_table(tmp_path / "tiles.parquet")
    assert {"x", "y", "width", "height", "mpp", "probability", "verdict", "findings"} <= set(
        table.column_names
    )
    assert table["gate_reasons"].to_pylist()[2] == ["too_blurred", "not_he_stained"]
    assert table.schema.metadata[b"healer.notice"].decode() == NOTICE


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with TileParts(tmp_path) as parts:
        assert parts.bind(BINDING) == []
        parts.save(RESULTS[:2])
    with TileParts(tmp_path) as parts:
        assert parts.bind(BINDING) == RESULTS[:2]
        parts.save(RESULTS[2:])
    with TileParts(tmp_path) as parts:
        assert parts.bind(BINDING) == RESULTS


def test_a_damaged_part_is_read_again(tmp_path: Path) -> None:
    with TileParts(tmp_path) as parts:
        parts.bind(BINDING)
        parts.save(RESULTS[:2])
        parts.save(RESULTS[2:])
    first = min((tmp_path / "parts").glob("*.parquet"))
    first.write_bytes(first.read_bytes()[:-20])
    with TileParts(tmp_path) as parts:
        assert parts.bind(BINDING) == RESULTS[2:]
    assert not first.exists()


def test_a_run_that_read_no_tile_binds_no_later_one(tmp_path: Path) -> None:
    with TileParts(tmp_path) as parts:
        parts.bind(BINDING)
    assert not parts.folder.exists()
    with TileParts(tmp_path) as parts:
        assert parts.bind({**BINDING, "mpp": "0.6"}) == []
        parts.save(RESULTS)
    with TileParts(tmp_path) as parts, pytest.raises(SlideRunMismatch, match="differs in mpp"):
        parts.bind(BINDING)


def test_tiles_of_another_model_or_scale_are_never_mixed(tmp_path: Path) -> None:
    with TileParts(tmp_path) as parts:
        parts.bind(BINDING)
        parts.save(RESULTS)
    with TileParts(tmp_path) as parts, pytest.raises(SlideRunMismatch, match="differs in mpp"):
        parts.bind({**BINDING, "mpp": "0.25"})
    with TileParts(tmp_path) as parts:
        parts.discard()
        assert parts.bind({**BINDING, "mpp": "0.25"}) == []


def test_two_runs_do_not_write_one_slide(tmp_path: Path) -> None:
    with TileParts(tmp_path) as parts:
        parts.bind(BINDING)
        with pytest.raises(SlideTaken), TileParts(tmp_path):
            pass


def test_nothing_is_left_of_a_run_that_is_done(tmp_path: Path) -> None:
    with TileParts(tmp_path / "slide") as parts:
        parts.bind(BINDING)
        parts.save(RESULTS)
        parts.discard()
    assert list(tmp_path.iterdir()) == []
