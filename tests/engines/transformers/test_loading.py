from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from healer.engines.transformers.loading import (
    Plan,
    load_sound,
    pick_device,
    pick_quantization,
    quiet,
)
from healer.engines.transformers.model import check_layers

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from healer.errors import (  # noqa: E402
    DeviceUnavailable,
    ModelAltered,
    ModelIncomplete,
    ModelUnsound,
)
from healer.questions.colorectal import COLORECTAL_CANCER  # noqa: E402
from tests import gemma as tiny  # noqa: E402
from tests.engines.transformers.conftest import KINDS, Load, Make  # noqa: E402

EMBEDDINGS = "language_model.model.embed_tokens.weight"


@pytest.mark.parametrize("layout", ["old", "new"])
@pytest.mark.parametrize(("dtype", "quantization"), KINDS)
def test_both_layouts_load_in_every_kind(
    make: Make, load: Load, layout: str, dtype: str, quantization: str
) -> None:
    engine = load(make(layout=layout), dtype=dtype, quantization=quantization)
    info = engine.info
    assert (info.engine, info.model_id, info.revision) == (
        "medgemma",
        tiny.MODEL_ID,
        tiny.REVISION,
    )
    assert (info.device, info.dtype, info.quantization) == ("cpu", dtype, quantization)
    assert info.warnings == ()


def test_both_layouts_give_the_same_answers(make: Make, load: Load, tmp_path: Path) -> None:
    old = load(make()).score([tiny.PINK])[0]
    new = load(tiny.make_checkpoint(tmp_path / "new", layout="new")).score([tiny.PINK])[0]
    assert old == new


def test_8_bit_leaves_the_right_layers_alone(taught: Path) -> None:
    plan = plan_for(taught, "8bit")
    model, _ = load_sound(plan)
    kinds = {
        name: type(module).__name__
        for name, module in model.model.named_modules()
        if isinstance(module, torch.nn.Linear)
    }
    language = {name for name in kinds if name.startswith("model.language_model.")}
    assert len(language) == 6 * 7
    assert {kinds[name] for name in language} == {"Linear8bitLt"}
    assert {kind for name, kind in kinds.items() if name not in language} == {"Linear"}
    assert model.model.lm_head.weight.dtype == torch.bfloat16


def test_a_skip_list_that_no_longer_matches_is_noticed(taught: Path) -> None:
    stale = transformers.BitsAndBytesConfig(
        load_in_8bit=True, llm_int8_skip_modules=["vision_tower", "lm_head"]
    )
    with quiet():
        model = transformers.AutoModelForImageTextToText.from_pretrained(
            taught, dtype=torch.bfloat16, quantization_config=stale, device_map={"": "cpu"}
        )
    with pytest.raises(ModelUnsound, match=r"vision_tower.* is Linear8bitLt"):
        check_layers("tiny", model)


def test_a_model_that_is_not_quantised_is_noticed(taught: Path) -> None:
    model, _ = load_sound(plan_for(taught, "none"))
    with pytest.raises(ModelUnsound, match=r"language_model.* is Linear"):
        check_layers("tiny", model.model)


def overflow_in_8_bit(weights: tiny.Weights) -> None:
    """The same function to the bit in bfloat16; in float16, in which bitsandbytes quantises,
    these weights are infinite."""
    for name in weights:
        if name.endswith("v_proj.weight") and "language_model" in name:
            weights[name] *= 2.0**24
        if name.endswith("o_proj.weight") and "language_model" in name:
            weights[name] *= 2.0**-24


def test_unsound_8_bit_falls_back_with_a_warning(make: Make, load: Load) -> None:
    folder = make(taught=True)
    expected = load(folder, dtype="bfloat16").score([tiny.PINK, tiny.WHITE])
    tiny.edit_weights(folder, overflow_in_8_bit)
    with capture_logs() as logs:
        engine = load(folder, dtype="bfloat16", quantization="8bit", allow_fallback=True)
    assert (engine.info.dtype, engine.info.quantization) == ("bfloat16", "none")
    [warning] = engine.info.warnings
    assert "8-bit weights are not sound" in warning
    assert "not finite" in warning
    assert [entry["warning"] for entry in logs] == [warning]
    assert engine.score([tiny.PINK, tiny.WHITE]) == expected


def test_unsound_8_bit_stops_where_falling_back_is_forbidden(make: Make, load: Load) -> None:
    folder = make()
    tiny.edit_weights(folder, overflow_in_8_bit)
    with pytest.raises(ModelUnsound, match="not finite"):
        load(folder, dtype="bfloat16", quantization="8bit", allow_fallback=False)


def say_something_else(weights: tiny.Weights) -> None:
    """Gibberish: where it said Yes or No, it now says some byte."""
    rows = weights[EMBEDDINGS]
    answers = list(range(300, 330))
    rows[answers], rows[20:50] = rows[20:50].clone(), rows[answers].clone()


def test_gibberish_is_unsound_in_8_bit_and_a_warning_otherwise(make: Make, load: Load) -> None:
    folder = make(taught=True)
    tiny.edit_weights(folder, say_something_else)
    with pytest.raises(ModelUnsound, match="on yes and no together"):
        load(folder, dtype="bfloat16", quantization="8bit")
    engine = load(folder, dtype="bfloat16", quantization="8bit", allow_fallback=True)
    assert [warning.split(" ")[0] for warning in engine.info.warnings] == ["8-bit", "a"]


def test_8_bit_computes_in_bfloat16_whatever_was_requested(make: Make, load: Load) -> None:
    info = load(make(), dtype="float32", quantization="8bit").info
    assert (info.dtype, info.quantization) == ("bfloat16", "8bit")
    assert any("HEALER_DTYPE" in warning for warning in info.warnings)


def poison(weights: tiny.Weights) -> None:
    weights[EMBEDDINGS][tiny.IDS["sot_token"]] = torch.nan


def forget(weights: tiny.Weights) -> None:
    del weights["language_model.model.layers.3.mlp.up_proj.weight"]


def reshape(weights: tiny.Weights) -> None:
    name = "language_model.model.layers.3.mlp.up_proj.weight"
    weights[name] = weights[name][:5].clone()


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (poison, "not finite"),
        (forget, r"1 missing keys, .*layers\.3\.mlp\.up_proj"),
        (reshape, "could not be loaded|mismatched"),
    ],
)
def test_unsound_weights_are_refused(
    make: Make, load: Load, edit: Callable[[tiny.Weights], None], reason: str
) -> None:
    folder = make()
    tiny.edit_weights(folder, edit)
    for quantization in ("none", "8bit"):
        with pytest.raises(ModelUnsound, match=reason):
            load(folder, dtype="bfloat16", quantization=quantization, allow_fallback=True)


def test_a_file_that_is_no_weights_is_refused(make: Make, load: Load) -> None:
    folder = make()
    shard = next(folder.glob("model-*.safetensors"))
    shard.write_bytes(b"not weights")
    tiny.write_manifest(folder)
    with pytest.raises(ModelUnsound, match="could not be loaded"):
        load(folder)


def test_the_manifest_is_checked(make: Make, load: Load, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelIncomplete):
        load(tmp_path / "empty")
    folder = make()
    with (folder / "config.json").open("a") as config:
        config.write("\n")
    with pytest.raises(ModelAltered):
        load(folder)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(make: Make, load: Load, device: str) -> None:
    if pick_device("auto") == device:
        pytest.skip(f"this machine has {device}")
    with pytest.raises(DeviceUnavailable, match=f"HEALER_DEVICE={device}"):
        load(make(), device=device)


def test_auto_takes_the_best_device_there_is() -> None:
    best = "cuda" if torch.cuda.is_available() else "cpu"
    best = "mps" if best == "cpu" and torch.backends.mps.is_available() else best
    assert pick_device("auto") == best


def test_threads_are_set(make: Make, load: Load) -> None:
    load(make(), threads=2)
    assert torch.get_num_threads() == 2


def test_ids_follow_the_prompt_and_the_preprocessing(make: Make, load: Load) -> None:
    folder = make()
    before = load(folder).info
    assert load(folder).info == before
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text(encoding="utf-8").replace("model\n", "model\nHm. "))
    tiny.write_manifest(folder)
    after = load(folder).info
    assert after.prompt_id != before.prompt_id
    assert after.preprocessing_id == before.preprocessing_id
    config = folder / "preprocessor_config.json"
    config.write_text(config.read_text(encoding="utf-8").replace("0.5", "0.4"))
    tiny.write_manifest(folder)
    assert load(folder).info.preprocessing_id != before.preprocessing_id


def plan_for(folder: Path, quantization: str, **changes: Any) -> Plan:  # noqa: ANN401
    options = {"model_id": "tiny", "device": "cpu", "dtype": "bfloat16"} | changes
    return Plan(folder, COLORECTAL_CANCER, quantization=quantization, **options)


@pytest.mark.parametrize(
    ("requested", "device", "gigabytes", "picked"),
    [
        ("auto", "cpu", 0, "8bit"),
        ("auto", "cuda", 24, "none"),
        ("auto", "cuda:1", 8, "8bit"),
        ("auto", "mps", 0, "none"),
        ("none", "cpu", 0, "none"),
        ("8bit", "cuda", 80, "8bit"),
    ],
)
def test_8_bit_weights_are_picked_where_memory_is_short(
    requested: str, device: str, gigabytes: int, picked: str
) -> None:
    assert pick_quantization(requested, device, gigabytes * 2**30) == picked
