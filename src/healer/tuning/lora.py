"""LoRA on the language model's linear layers, and on nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from torch import nn
from transformers import AutoConfig, AutoModelForImageTextToText, BitsAndBytesConfig

from healer.engines.base import Question
from healer.engines.transformers.loading import UNQUANTIZED, Plan, offline, quiet, read
from healer.engines.transformers.model import Gemma, check_report
from healer.engines.vlm.adapter import (
    ADAPTER_FILE,
    CONFIG,
    WEIGHTS,
    AdapterManifest,
    attach_adapter,
    check_adapter,
    known_warnings,
    write_adapter,
)
from healer.errors.engine import ModelUnsound
from healer.errors.evaluation import FolderTaken, TuningDiskFull
from healer.files.walk import is_system_file
from healer.tuning.data import Recipe
from healer.weights.manifest import (
    Manifest,
    check_folder,
    is_empty,
    record_of,
    save_manifest,
    weights_in,
)

LANGUAGE = r"model\.language_model\..*"
BYTES = 4  # of one float32
READABLE = 0o644  # safetensors leaves files to their owner; a server may be another user


def load_model(plan: Plan) -> Gemma:
    """The model to train, frozen, in 4-bit where `plan` says so. Raises ModelUnsound."""
    try:
        with offline(), quiet():
            gemma, report = read(plan, four_bit() if plan.quantization == "4bit" else None)
            check_report(plan.model_id, report)
    except (ImportError, ModelUnsound):
        raise
    except Exception as error:  # transformers, safetensors and CUDA raise what they please
        cause = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ModelUnsound(plan.model_id, f"it could not be loaded ({cause})") from error
    return gemma


def four_bit() -> BitsAndBytesConfig:
    """QLoRA's weights (Dettmers et al. 2023): normal float, doubly quantised."""
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=UNQUANTIZED,
    )


def attach_lora(model: Any, recipe: Recipe, model_id: str) -> Any:  # noqa: ANN401
    """Freezes `model` and puts trainable LoRA layers, float32, into it; returns peft's wrapper.

    Raises ModelUnsound where they are not on every linear layer of the language model, or are
    anywhere else.
    """
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=targets(model),
        bias="none",
        task_type="CAUSAL_LM",
    )
    with known_warnings():
        wrapped = get_peft_model(model, config)
    check_trainable(model, model_id)
    return wrapped


def targets(model: Any) -> str:  # noqa: ANN401
    """A pattern for peft: the names that the language model's linear layers end in."""
    language = model.model.language_model
    ends = {
        name.rpartition(".")[2]
        for name, module in language.named_modules()
        if isinstance(module, nn.Linear)
    }
    return rf"{LANGUAGE}\.({'|'.join(sorted(ends))})"


def check_trainable(model: Any, model_id: str) -> None:  # noqa: ANN401
    linear = {
        name.removesuffix(".base_layer")
        for name, module in model.model.language_model.named_modules(prefix="model.language_model")
        if isinstance(module, nn.Linear) and ".lora_" not in name
    }
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    expected = {f"{name}.lora_{side}.default.weight" for name in linear for side in "AB"}
    if wrong := sorted(trained ^ expected):
        raise ModelUnsound(model_id, f"LoRA does not fit its layers, {wrong[0]} first")


def trainable(model: Any) -> list[nn.Parameter]:  # noqa: ANN401
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def adapter_bytes(folder: Path, recipe: Recipe, model_id: str) -> int:
    """The size of an adapter for the model in `folder`, whose weights are not read."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    with torch.device("meta"), quiet():
        model = AutoModelForImageTextToText.from_config(config)  # type: ignore[no-untyped-call]
        attach_lora(model, recipe, model_id)
    return BYTES * sum(parameter.numel() for parameter in trainable(model))


def save_adapter(
    wrapped: Any,  # noqa: ANN401
    folder: Path,
    about: dict[str, Any],
) -> AdapterManifest:
    """Writes the adapter in peft's own format; `about` is the rest of its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ADAPTER_FILE).unlink(missing_ok=True)
    weights = get_peft_model_state_dict(wrapped, save_embedding_layers=False)
    weights = {name: tensor.contiguous().cpu() for name, tensor in weights.items()}
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / WEIGHTS).chmod(READABLE)
    config = wrapped.peft_config["default"]
    config.base_model_name_or_path = about["model_id"]  # a path says nothing elsewhere
    config.inference_mode = True
    config.save_pretrained(str(folder))
    made = AdapterManifest(
        files=tuple(record_of(folder / name) for name in (CONFIG, WEIGHTS)), **about
    )
    write_adapter(folder, made)
    return made


SHARD = "4GB"
REPLACED = (".safetensors", ".safetensors.index.json")


def merge_adapter(base: Path, tuned: Path, out: Path, question: Question) -> Manifest:
    """Writes `out`, its manifest last; the weights keep the base's own dtype.

    Raises ModelIncomplete, ModelAltered, AdapterIncomplete, AdapterMismatch, FolderTaken or
    TuningDiskFull.
    """
    found = check_folder(base)
    trained = check_adapter(tuned, found)
    check_empty(out)
    check_disk(out, found.size)
    plan = Plan(base, question, found.model_id, "cpu", dtype_of(base), "none")
    model = attach_adapter(load_model(plan).model, tuned).merge_and_unload()
    with offline(), quiet():
        model.save_pretrained(out, max_shard_size=SHARD)
    for weights in weights_in(out):
        weights.chmod(READABLE)
    for file in found.files:
        if not file.name.endswith(REPLACED):  # the base's own configuration stays as it was
            shutil.copyfile(base / file.name, out / file.name)
    made = (
        path for path in sorted(out.iterdir()) if path.is_file() and not is_system_file(path.name)
    )
    files = map(record_of, made)
    merged = Manifest(
        model_id=found.model_id,
        revision=found.revision,
        adapter=trained.id,
        files=tuple(files),
    )
    save_manifest(out, merged)
    return merged


def check_empty(out: Path) -> None:
    if out.exists() and not (out.is_dir() and is_empty(out)):
        raise FolderTaken(str(out), "is there already and not empty")
    out.mkdir(parents=True, exist_ok=True)


def check_disk(folder: Path, needed: int) -> None:
    """Raises TuningDiskFull; `folder` exists."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise TuningDiskFull(str(folder), needed, free)


def dtype_of(base: Path) -> str:
    config = AutoConfig.from_pretrained(base, local_files_only=True, trust_remote_code=False)
    return str(config.dtype or "bfloat16").removeprefix("torch.")
