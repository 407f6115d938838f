from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from healer.conversion.convert import convert
from healer.conversion.request import ConversionRequest
from healer.engines.openvino import CONVERSION_FILE
from healer.engines.openvino.conversion_record import (
    FULL,
    SLIDING,
    Converted,
    Rotary,
    Tolerance,
    check_conversion,
    is_converted,
    is_older,
    read_conversion,
)
from healer.errors import (
    ConversionAltered,
    ConversionInaccurate,
    ConversionIncomplete,
    ConversionTaken,
    ModelAltered,
    NotConvertible,
)
from healer.screening.calibration import CALIBRATION_FILE
from healer.weights.manifest import read_manifest, save_manifest
from tests.conversion.conftest import SAMPLES, MakeRequest
from tests.gemma import IDS, IMAGE_SIZE, IMAGE_TOKENS, MODEL_ID, REVISION, write_manifest

REPO = Path(__file__).parents[2]
KILLED = """
import os, sys
from pathlib import Path
from healer.conversion.convert import convert
from healer.conversion.request import ConversionRequest
from healer.questions.colorectal import COLORECTAL_CANCER
from tests.conversion.conftest import SAMPLES

def watch(stage, done, total):
    if (stage, done) == ("language", 3):
        os._exit(9)

source, out = map(Path, sys.argv[1:3])
convert(ConversionRequest(source, out, COLORECTAL_CANCER, SAMPLES, on_progress=watch))
"""


@pytest.fixture(scope="module")
def converted(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only: shared by this module's tests."""
    from healer.questions.colorectal import COLORECTAL_CANCER

    out = tmp_path_factory.mktemp("converted") / "openvino"
    convert(ConversionRequest(checkpoint, out, COLORECTAL_CANCER, SAMPLES))
    return out


@pytest.fixture
def copied(converted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(converted, tmp_path / "converted"))


@pytest.fixture
def source(checkpoint: Path, tmp_path: Path) -> Path:
    """A download of this test's own."""
    return Path(shutil.copytree(checkpoint, tmp_path / "source"))


def seen_by(request: ConversionRequest) -> tuple[Converted, list[str]]:
    """The conversion, and the names of its stages in the order of their steps."""
    stages: list[str] = []
    made = convert(replace(request, on_progress=lambda stage, _done, _total: stages.append(stage)))
    return made, stages


def test_the_folder_holds_what_its_record_says(converted: Path) -> None:
    record = check_conversion(converted, deep=True)
    listed = {file.name for file in record.files} | {CONVERSION_FILE}
    assert listed == {path.name for path in converted.iterdir()}
    assert (record.source.model_id, record.source.revision) == (MODEL_ID, REVISION)
    assert (record.precision.vision, record.precision.language) == ("int8", "int8")
    assert (record.image.size, record.image.tokens) == (IMAGE_SIZE, IMAGE_TOKENS)
    assert record.tokens.image == IDS["image_token"]
    assert record.tokens.stops == (IDS["eos_token"], IDS["eot_token"])
    assert record.tokens.window == 131072
    assert record.attention.kinds == (*[SLIDING] * 5, FULL)
    assert record.attention.sliding_window == 1024
    assert record.attention.rotary[FULL] == Rotary(base=1e6, factor=8)
    assert record.attention.rotary[SLIDING] == Rotary(base=1e4, factor=1)


def test_nothing_is_left_beside_it(converted: Path) -> None:
    assert [path.name for path in converted.parent.iterdir()] == [converted.name]


def test_parity_was_measured_on_every_tile(converted: Path) -> None:
    parity = read_conversion(converted).parity
    assert [tile.tile for tile in parity.tiles] == ["pink", "white"]
    assert all(tile.positions == 9 for tile in parity.tiles)
    assert 0 < parity.shift < 0.05
    assert 0 < parity.divergence < 1e-3
    assert parity.regret < 0.05


def test_a_finished_conversion_is_left_as_it_is(make_request: MakeRequest, copied: Path) -> None:
    made, stages = seen_by(make_request(out=copied))
    assert stages == []
    assert made == read_conversion(copied)


def test_other_weights_replace_it(make_request: MakeRequest, copied: Path) -> None:
    before = (copied / "language.bin").stat().st_size
    made = convert(make_request(out=copied, weights="int4"))
    assert (made.precision.vision, made.precision.language) == ("int8", "int4")
    assert (copied / "language.bin").stat().st_size < before
    assert [path.name for path in copied.parent.iterdir()] == [copied.name]


def test_a_killed_run_goes_on(make_request: MakeRequest, checkpoint: Path) -> None:
    request = make_request()
    command = [sys.executable, "-c", KILLED, str(checkpoint), str(request.out)]
    assert subprocess.run(command, cwd=REPO, check=False).returncode == 9
    assert not request.out.exists()
    _, stages = seen_by(request)
    assert "vision" not in stages
    assert stages.count("language") == 7
    assert check_conversion(request.out, deep=True)


def test_a_damaged_part_is_made_again(make_request: MakeRequest) -> None:
    request = make_request(tolerance=Tolerance(shift=0, divergence=0, regret=0))
    with pytest.raises(ConversionInaccurate):
        convert(request)
    weights = request.work / "vision.bin"
    weights.write_bytes(b"\0" * weights.stat().st_size)
    _, stages = seen_by(replace(request, tolerance=None))
    assert stages.count("vision") == 2
    assert "language" not in stages


def test_past_the_tolerance_nothing_is_installed(make_request: MakeRequest) -> None:
    request = make_request(weights="int4", tolerance=Tolerance(shift=1, divergence=1e-6, regret=1))
    with pytest.raises(ConversionInaccurate, match=r"divergence .* where 1e-06 is allowed"):
        convert(request)
    assert not request.out.exists()
    assert not (request.work / CONVERSION_FILE).exists()


def test_an_altered_download_is_refused(make_request: MakeRequest, source: Path) -> None:
    (source / "tokenizer.json").write_bytes(b"{}" * 40)
    with pytest.raises(ModelAltered, match=r"tokenizer\.json"):
        convert(make_request(source=source))


def test_an_altered_conversion_is_refused(make_request: MakeRequest, copied: Path) -> None:
    weights = bytearray((copied / "language.bin").read_bytes())
    weights[-1] ^= 1
    (copied / "language.bin").write_bytes(weights)
    with pytest.raises(ConversionAltered, match=r"language\.bin"):
        check_conversion(copied)
    with pytest.raises(ConversionAltered):
        convert(make_request(out=copied))


def test_a_conversion_without_its_record_is_unfinished(copied: Path) -> None:
    (copied / CONVERSION_FILE).unlink()
    assert not is_converted(copied)
    with pytest.raises(ConversionIncomplete):
        check_conversion(copied)


def made_older(folder: Path) -> Path:
    """As an earlier Healer left it, whose graphs read 1,024 tokens."""
    record = json.loads((folder / CONVERSION_FILE).read_bytes())
    del record["attention"]
    record["tokens"]["window"] = 1024
    (folder / CONVERSION_FILE).write_text(json.dumps(record | {"format": 1}), encoding="utf-8")
    return folder


def test_the_conversion_of_an_older_healer_is_refused(copied: Path) -> None:
    assert not is_older(copied)
    assert is_older(made_older(copied))
    assert not is_converted(copied)
    with pytest.raises(ConversionIncomplete, match=r"older Healer.* Run `healer optimize`"):
        check_conversion(copied)


def test_the_conversion_of_an_older_healer_is_replaced(
    make_request: MakeRequest, copied: Path
) -> None:
    (made_older(copied) / CALIBRATION_FILE).write_text("fitted", encoding="utf-8")
    made = convert(make_request(out=copied))
    assert made == check_conversion(copied, deep=True)
    assert made.attention.sliding_window == 1024
    assert (copied / CALIBRATION_FILE).read_text(encoding="utf-8") == "fitted"
    assert [path.name for path in copied.parent.iterdir()] == [copied.name]


def test_a_folder_of_something_else_is_left_alone(
    make_request: MakeRequest, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ConversionTaken):
        convert(make_request(out=tmp_path / "mine"))
    assert (tmp_path / "mine" / "thesis.txt").read_text(encoding="utf-8") == "years of work"


def test_another_chat_template_is_refused(make_request: MakeRequest, source: Path) -> None:
    template = source / "chat_template.jinja"
    template.write_text(
        template.read_text(encoding="utf-8").replace("'user", "'human").replace("model", "robot")
    )
    write_manifest(source)
    with pytest.raises(NotConvertible, match="chat template"):
        convert(make_request(source=source))


def test_the_adapter_that_was_merged_is_named(make_request: MakeRequest, source: Path) -> None:
    found = read_manifest(source)
    save_manifest(source, found.model_copy(update={"adapter": "abc123"}))
    assert convert(make_request(source=source)).source.adapter == "abc123"


def test_a_processor_that_crops_is_refused(make_request: MakeRequest, source: Path) -> None:
    file = source / "preprocessor_config.json"
    file.write_text(
        json.dumps(json.loads(file.read_text(encoding="utf-8")) | {"do_pan_and_scan": True})
    )
    write_manifest(source)
    with pytest.raises(NotConvertible, match="pictures"):
        convert(make_request(source=source))
