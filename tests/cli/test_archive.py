from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text
from typer.testing import CliRunner

pytest.importorskip("pyarrow", reason="archives need healer[ray]")

from healer.batch.parts import AnswerCounts
from healer.batch.run import BatchRun, Report
from healer.cli import app
from healer.cli.predict import summary
from healer.cli.progress import ProgressLines, progress
from healer.settings.loading import Settings

run = CliRunner().invoke


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["tile.png", "--input", "tiles", "--output", "a.parquet"],
        ["tile.png", "--output", "a.parquet"],
        ["tile.png", "--ray-address", "auto"],
        ["--input", "tiles"],
        ["--input", "tiles", "--output", "a.csv"],
        ["--input", "tiles", "--output", "a.parquet", "--json"],
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments: list[str]) -> None:
    assert run(app, ["predict", *arguments]).exit_code == 2


def test_what_cannot_begin_is_reported_before_ray_is_started(tmp_path: Path) -> None:
    output = tmp_path / "a.parquet"
    absent = run(app, ["predict", "--input", "absent", "--output", str(output)])
    assert absent.exit_code == 81
    assert "absent cannot be read as a list of tiles" in absent.stderr
    output.touch()
    (tmp_path / "tile.png").touch()
    taken = run(app, ["predict", "--input", str(tmp_path), "--output", str(output)])
    assert taken.exit_code == 82
    assert "a.parquet is there already" in taken.stderr


def test_the_summary_counts_everything() -> None:
    counts = AnswerCounts(Counter(no=900, yes=95), Counter(not_an_image=5))
    report = Report(1000, 400, workers=2, seconds=10, replaced={"a:1"}, counts=counts)
    report.notes = ["Left out: 2 hidden files (.git)."]
    report_lines = list(summary(BatchRun(Settings(), Path("tiles"), Path("a.parquet")), report))
    assert report_lines[:5] == [
        "1,000 tiles in a.parquet: 900 no, 95 yes.",
        "5 without an answer: 5 not_an_image.",
        "Left out: 2 hidden files (.git).",
        "400 were answered before and kept.",
        "600 scored in 10.0 s by 2 workers (1 replaced): 60.0 tiles/s.",
    ]


def test_on_a_terminal_earlier_answers_do_not_count_as_speed() -> None:
    text = io.StringIO()
    with progress(Console(file=text, width=100, force_terminal=True)) as print_progress:
        print_progress(900, 1000)
        print_progress(900, 1000)
    output = text.getvalue()
    assert "900/1000" in output
    assert " 0.0 tiles/s" in Text.from_ansi(output).plain


def test_without_a_terminal_progress_is_a_line_now_and_then() -> None:
    text = io.StringIO()
    lines = ProgressLines(Console(file=text, width=80))
    for done in range(0, 1001, 10):
        lines.update(done, 1000)
    output = text.getvalue().splitlines()
    assert output[0] == "0 of 1,000 tiles"
    assert output[-1] == "1,000 of 1,000 tiles"
    assert 15 < len(output) <= 22


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(Console(force_terminal=True), quiet=True) as print_progress:
        print_progress(900, 1000)
    assert capsys.readouterr().out == ""
