from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from healer import NOTICE
from healer.batch.parts import Parts
from healer.errors import AnswersNotWritable, OutputTaken, RunMismatch
from tests.batch.tiles import part_of

BINDING = {"engine": "builtin", "gate": "refuse"}


def save(parts: Parts, rows: range) -> None:
    parts.save(rows.start, len(rows), part_of(rows))


def rows_of(output: Path) -> list[int]:
    return [int(row) for row in pq.read_table(output)["row"].to_pylist()]


def test_blocks_in_any_order_become_one_file_and_leave_nothing(tmp_path: Path) -> None:
    output = tmp_path / "answers.parquet"
    with Parts(output, 10) as parts:
        assert parts.bind(BINDING) == 0
        assert parts.gaps(4) == [range(4), range(4, 8), range(8, 10)]
        for rows in (range(8, 10), range(4), range(4, 8)):
            save(parts, rows)
        assert parts.gaps(4) == []
        counts = parts.merge()
    assert rows_of(output) == list(range(10))
    assert counts.verdicts == {"no": 10}
    assert list(tmp_path.iterdir()) == [output]
    notes = pq.read_schema(output).metadata
    assert notes[b"healer.notice"].decode() == NOTICE
    assert json.loads(notes[b"healer.run"]) == BINDING


def test_an_output_whose_folder_is_no_utf_8_is_written_with_its_notes(tmp_path: Path) -> None:
    (tmp_path / "M\udcfcller").mkdir()
    output = tmp_path / "M\udcfcller" / "answers.parquet"
    with Parts(output, 6) as parts:
        parts.bind(BINDING)
        save(parts, range(3))
    with Parts(output, 6) as parts:
        assert parts.bind(BINDING) == 3
        save(parts, range(3, 6))
        parts.merge({"left_out": '{"hidden": 2}'})
    with output.open("rb") as stream:
        table = pq.read_table(stream)
    assert table["row"].to_pylist() == list(range(6))
    assert table.schema.metadata[b"healer.left_out"] == b'{"hidden": 2}'


def test_a_run_that_ended_early_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    output = tmp_path / "answers.parquet"
    with Parts(output, 10) as parts:
        parts.bind(BINDING)
        save(parts, range(4, 8))
    assert not output.exists()
    with Parts(output, 10) as parts:
        assert parts.bind(BINDING) == 4
        assert parts.gaps(4) == [range(4), range(8, 10)]
        save(parts, range(8, 10))
        save(parts, range(4))
        parts.merge()
    assert rows_of(output) == list(range(10))


def test_a_truncated_part_is_scored_again(tmp_path: Path) -> None:
    output = tmp_path / "answers.parquet"
    with Parts(output, 8) as parts:
        parts.bind(BINDING)
        save(parts, range(4))
        save(parts, range(4, 8))
    damaged = parts.folder / "000000004-000000008.parquet"
    damaged.write_bytes(damaged.read_bytes()[:100])
    with Parts(output, 8) as parts:
        assert parts.bind(BINDING) == 4
        assert parts.gaps(64) == [range(4, 8)]


def test_another_configuration_is_refused_by_name_and_keeps_what_is_there(tmp_path: Path) -> None:
    output = tmp_path / "answers.parquet"
    with Parts(output, 4) as parts:
        parts.bind(BINDING)
        save(parts, range(2))
    other = {"engine": "builtin", "gate": "off", "calibration": "none"}
    with Parts(output, 4) as parts, pytest.raises(RunMismatch) as caught:
        parts.bind(other)
    assert "answers.parquet.parts" in str(caught.value)
    assert "differs in calibration and gate," in str(caught.value)
    with Parts(output, 4) as parts:
        assert parts.bind(BINDING) == 2


def test_rows_that_are_missing_or_wrong_make_no_output(tmp_path: Path) -> None:
    output = tmp_path / "answers.parquet"
    with Parts(output, 4) as parts:
        parts.bind(BINDING)
        save(parts, range(2))
        with pytest.raises(AnswersNotWritable, match="every row once"):
            parts.merge()
        parts.save(2, 2, part_of(range(3, 5)))
        with pytest.raises(AnswersNotWritable, match="every row once"):
            parts.merge()
    assert not output.exists()


def test_an_output_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    output = tmp_path / "answers.parquet"
    output.write_text("precious")
    with pytest.raises(OutputTaken, match="is there already"), Parts(output, 1):
        pass
    assert output.read_text(encoding="utf-8") == "precious"
    assert list(tmp_path.iterdir()) == [output]


def test_two_runs_do_not_write_one_output(tmp_path: Path) -> None:
    output = tmp_path / "answers.parquet"
    with Parts(output, 1) as first:
        first.bind(BINDING)
        with pytest.raises(OutputTaken, match="another run"), Parts(output, 1):
            pass
        assert first.folder.is_dir()


def test_a_run_that_began_nothing_leaves_nothing(tmp_path: Path) -> None:
    with Parts(tmp_path / "answers.parquet", 1):
        pass
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_is_reported(tmp_path: Path) -> None:
    with (
        pytest.raises(AnswersNotWritable, match="No such file or directory"),
        Parts(tmp_path / "absent" / "answers.parquet", 1),
    ):
        pass
