from __future__ import annotations

import json
from pathlib import Path

import pytest

from healer.engines.openvino import CONVERSION_FILE, converted_folder
from healer.engines.openvino.conversion_record import (
    FULL,
    Attention,
    Converted,
    Image,
    Parity,
    Precision,
    Rotary,
    Source,
    TileParity,
    Tokens,
    Tolerance,
    write_conversion,
)
from healer.engines.registry import ENGINES
from healer.errors import ConversionIncomplete, ModelIncomplete
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.screening.opening import choose_engine, open_screener
from healer.settings.loading import Settings
from healer.weights.manifest import MANIFEST_FILE, Manifest, ManifestFile, save_manifest, sha256_of


def finished_download(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    entry = ManifestFile(name="config.json", size=2, sha256=sha256_of(folder / "config.json"))
    save_manifest(folder, Manifest(model_id="google/x", revision="0" * 40, files=(entry,)))
    return folder


def test_auto_takes_the_built_in_where_nothing_was_downloaded(tmp_path: Path) -> None:
    choice = choose_engine(Settings(model_dir=tmp_path / "absent"))
    assert choice.engine == "builtin"
    assert "no finished MedGemma download" in choice.reason


def test_auto_takes_medgemma_where_a_download_was_finished(tmp_path: Path) -> None:
    choice = choose_engine(Settings(model_dir=finished_download(tmp_path / "model")))
    assert choice.engine == "medgemma"
    assert "google/x" in choice.reason


def test_auto_does_not_take_a_half_written_folder(tmp_path: Path) -> None:
    folder = finished_download(tmp_path / "model")
    (folder / MANIFEST_FILE).unlink()
    assert choose_engine(Settings(model_dir=folder)).engine == "builtin"


def test_a_requested_engine_is_chosen_even_where_it_fails(tmp_path: Path) -> None:
    settings = Settings(engine="medgemma", model_dir=tmp_path)
    choice = choose_engine(settings)
    assert (choice.engine, choice.reason) == ("medgemma", "HEALER_ENGINE asks for it")
    with pytest.raises(ModelIncomplete):
        ENGINES[choice.engine].open(settings, COLORECTAL_CANCER)


def finished_conversion(folder: Path, adapter: str | None = None) -> Path:
    folder.mkdir(parents=True)
    weights = folder / "language.bin"
    weights.write_bytes(b"weights")
    entry = ManifestFile(name=weights.name, size=7, sha256=sha256_of(weights))
    tile = TileParity(
        tile="a", reference_margin=1, margin=1, divergence=0, regret=0, agreed=1, positions=1
    )
    record = Converted(
        source=Source(model_id="google/x", revision="0" * 40, adapter=adapter),
        precision=Precision(vision="int8", language="int8"),
        image=Image(size=8, tokens=1, mean=(0,) * 3, std=(1,) * 3, rescale=1, resample=2),
        tokens=Tokens(
            bos=0, start_of_image=1, image=2, end_of_image=3, stops=(4,), vocabulary=9, window=9
        ),
        attention=Attention(
            kinds=(FULL,),
            sliding_window=4,
            heads=1,
            width=2,
            rotary={FULL: Rotary(base=10, factor=1)},
        ),
        parity=Parity(tiles=(tile,), tolerance=Tolerance(shift=1, divergence=1, regret=1)),
        files=(entry,),
    )
    write_conversion(folder, record)
    return folder


def on_cpu(folder: Path, **more: object) -> Settings:
    return Settings(model_dir=folder, device="cpu", **more)  # type: ignore[arg-type]


def test_auto_prefers_a_conversion_to_its_download(tmp_path: Path) -> None:
    folder = finished_conversion(finished_download(tmp_path / "model") / "openvino")
    choice = choose_engine(on_cpu(tmp_path / "model"))
    assert choice.engine == "openvino"
    assert str(folder) in choice.reason
    assert "google/x" in choice.reason


def test_model_dir_may_be_the_conversion_itself(tmp_path: Path) -> None:
    folder = finished_conversion(tmp_path / "converted")
    assert converted_folder(folder) == folder
    assert choose_engine(on_cpu(folder)).engine == "openvino"


def test_an_older_conversion_is_chosen_and_then_refused(tmp_path: Path) -> None:
    """Rather than serving another model, or the same one far more slowly, without a word."""
    folder = finished_conversion(finished_download(tmp_path / "model") / "openvino")
    record = json.loads((folder / CONVERSION_FILE).read_bytes())
    del record["attention"]
    (folder / CONVERSION_FILE).write_text(json.dumps(record | {"format": 1}), encoding="utf-8")
    settings = on_cpu(tmp_path / "model")
    choice = choose_engine(settings)
    assert choice.engine == "openvino"
    assert "older Healer" in choice.reason
    with pytest.raises(ConversionIncomplete, match="older Healer"):
        open_screener(choice, settings)


def test_auto_does_not_take_an_unfinished_conversion(tmp_path: Path) -> None:
    folder = finished_conversion(finished_download(tmp_path / "model") / "openvino")
    (folder / "language.bin").unlink()
    assert choose_engine(on_cpu(tmp_path / "model")).engine == "medgemma"


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_requested_accelerator_comes_first(tmp_path: Path, device: str) -> None:
    finished_conversion(finished_download(tmp_path / "model") / "openvino")
    choice = choose_engine(Settings(model_dir=tmp_path / "model", device=device))
    assert choice.engine == "medgemma"
    assert device in choice.reason


def test_auto_goes_by_whether_torch_sees_cuda(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    finished_conversion(finished_download(tmp_path / "model") / "openvino")
    expected = "medgemma" if torch.cuda.is_available() else "openvino"
    assert choose_engine(Settings(model_dir=tmp_path / "model")).engine == expected


@pytest.mark.parametrize(("merged", "engine"), [(None, "medgemma"), ("abc", "openvino")])
def test_an_adapter_is_served_by_what_can(tmp_path: Path, merged: str | None, engine: str) -> None:
    finished_conversion(finished_download(tmp_path / "model") / "openvino", merged)
    choice = choose_engine(on_cpu(tmp_path / "model", model_adapter=tmp_path / "adapter"))
    assert choice.engine == engine


def test_a_requested_conversion_must_exist(tmp_path: Path) -> None:
    settings = Settings(engine="openvino", model_dir=tmp_path)
    with pytest.raises(ConversionIncomplete, match="healer optimize"):
        ENGINES[choose_engine(settings).engine].open(settings, COLORECTAL_CANCER)
