"""The command itself, on the tiny shape, each number of pictures in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("openvino")
pytest.importorskip("torch")

from benchmarks.__main__ import app
from benchmarks.many_pictures import COLUMNS
from healer.conversion.convert import convert
from healer.conversion.describe import known_samples
from healer.conversion.request import ConversionRequest
from healer.questions.colorectal import COLORECTAL_CANCER
from tests.gemma import MODEL_ID, make_checkpoint


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:'benchmarks.many_pictures' found in sys.modules")  # this test's
def test_it_prints_one_table_and_its_progress(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    checkpoint, folder = make_checkpoint(tmp_path / "random"), tmp_path / "openvino"
    convert(ConversionRequest(checkpoint, folder, COLORECTAL_CANCER, known_samples()))
    options = ["--pictures", "1,80", "--tokens", "3", "--threads", "1", "--anyway"]
    done = CliRunner().invoke(app, ["many-pictures", str(folder), *options])
    assert done.exit_code == 0, done.output
    assert "80 of 80 pictures seen" in capfd.readouterr().err
    about, layers, heads, _, *rows = done.stdout.splitlines()
    assert MODEL_ID in about
    assert "6 layers, 1 of which see everything, the others 1,024 positions" in layers
    assert heads == f"| {' | '.join(COLUMNS)} |"
    one, many = (
        dict(zip(COLUMNS, (cell.strip() for cell in row.strip("|").split("|")), strict=True))
        for row in rows
    )
    assert (one["pictures"], many["pictures"]) == ("1", "80")
    assert float(one["decode, tok/s"]) > 0
    tokens = int(many["prompt tokens"].replace(",", ""))
    assert tokens > 80 * 16
    assert float(many["vision, s"]) > float(one["vision, s"])
