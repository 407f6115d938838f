"""A tiny random Gemma 3 checkpoint, laid out on disk as the hub lays out MedGemma.

The weights are noise, so its answers mean nothing; everything around them (tokenizer, chat
template, image processor, key names, shards, tied head) is what the real loader reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoProcessor

from benchmarks.checkpoint import make
from benchmarks.checkpoint.configs import write_configs
from benchmarks.checkpoint.shapes import SHAPES
from benchmarks.checkpoint.tokenizer import CHAT_TEMPLATE as CHAT_TEMPLATE
from benchmarks.checkpoint.tokenizer import SPECIAL, write_tokenizer
from benchmarks.checkpoint.weights import random_model, save_weights
from healer.engines.base import Answer
from healer.engines.vlm.prompt import opening
from healer.images.tile import Tile
from healer.questions.colorectal import COLORECTAL_CANCER

Weights = dict[str, torch.Tensor]
MODEL_ID = "healer/tiny-random-gemma3"
REVISION = make.REVISION
IDS = {name: index for index, name in enumerate(SPECIAL)}
TINY = SHAPES["tiny"]
IMAGE_SIZE, IMAGE_TOKENS = TINY.vision.size, TINY.vision.tokens
PINK = Tile(np.full((64, 64, 3), (230, 170, 200), np.uint8))
WHITE = Tile(np.full((64, 64, 3), 250, np.uint8))
REASONS = {
    Answer.YES: " the glands are crowded, e.g. 0.5 µm apart.\n\nSee a doctor.<end_of_turn>",
    Answer.NO: " the **crypts** are even and goblet cells are kept.<end_of_turn>",
    Answer.INDETERMINATE: " the field is out of focus<end_of_turn>",
}
LESSONS = [
    (tile, opening(COLORECTAL_CANCER, answer), REASONS[answer])
    for tile, answer in (
        (PINK, Answer.YES),
        (WHITE, Answer.NO),
        (PINK, Answer.INDETERMINATE),
    )
]
TEACHING_STEPS = 120
IGNORED = -100  # cross_entropy's own mark
CORPUS = [
    *["Yes", "yes", "YES", "No", "no", "NO", " Yes", " yes", " YES", " No", " no", " NO"] * 50,
    *[COLORECTAL_CANCER.text, "user\n", "model\n", "\n\n"] * 20,
    *[(start + rest).split("<")[0].replace("µ", "") for _, start, rest in LESSONS] * 5,
]


def make_checkpoint(
    folder: Path,
    *,
    seed: int = 0,
    layout: Literal["old", "new"] = "old",
    taught: bool = False,
    sliding_window: int = 1024,
) -> Path:
    """Writes the checkpoint and its manifest into `folder`.

    `layout` "old" names weights as Gemma 3 was published (`language_model.model.*`), "new" as
    transformers names its modules (`model.language_model.*`). Random weights put next to no mass
    on yes or no; `taught` ones say yes to PINK and no to WHITE, with mass, and give REASONS.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = write_tokenizer(folder, CORPUS)
    text = replace(TINY.text, vocabulary=vocabulary, window=sliding_window)
    write_configs(folder, replace(TINY, text=text), IDS)
    model = random_model(folder, seed, torch.float32)
    if taught:
        teach(model, folder)
    save_weights(model, folder, TINY.shard_bytes)
    if layout == "new":
        edit_weights(folder, rename_to_new_layout)
    write_manifest(folder)
    return folder


def teach(model: Any, folder: Path) -> None:  # noqa: ANN401
    """A few seconds of training until LESSONS are known by heart."""
    inputs, labels = lessons(load_processor(folder))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the same sums everywhere, and quicker at this size
    model.train()
    for _ in range(TEACHING_STEPS):
        optimizer.zero_grad()
        logits = model(**inputs).logits[:, :-1]
        loss: Any = torch.nn.functional.cross_entropy(logits.mT, labels[:, 1:])
        loss.backward()
        optimizer.step()
    model.eval()
    torch.set_num_threads(threads)


def lessons(processor: Any) -> tuple[dict[str, torch.Tensor], torch.Tensor]:  # noqa: ANN401
    """Prompts with their texts, padded on the right, and the tokens to learn."""
    tokenizer = processor.tokenizer
    prompts = [prompt_inputs(processor, tile) for tile, *_ in LESSONS]
    rows = {name: torch.cat([one[name] for one in prompts]) for name in prompts[0]}
    tokenizer.padding_side = "right"
    texts = [start + rest for _, start, rest in LESSONS]
    text = tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt")
    labels = text["input_ids"].masked_fill(text["attention_mask"] == 0, IGNORED)
    for row, (_, start, _) in enumerate(LESSONS):
        if not start.startswith(("Yes", "No")):  # never a first answer of its own accord
            labels[row, : len(tokenizer.encode(start, add_special_tokens=False))] = IGNORED
    labels = torch.cat([torch.full_like(rows["input_ids"], IGNORED), labels], dim=1)
    for name in ("input_ids", "attention_mask"):
        rows[name] = torch.cat([rows[name], text[name]], dim=1)
    extra = torch.zeros_like(text["input_ids"])
    rows["token_type_ids"] = torch.cat([rows["token_type_ids"], extra], dim=1)
    return rows, labels


def load_processor(folder: Path) -> Any:  # noqa: ANN401
    return AutoProcessor.from_pretrained(folder)  # type: ignore[no-untyped-call]


def prompt_inputs(processor: Any, tile: Tile) -> dict[str, torch.Tensor]:  # noqa: ANN401
    """What the model cards' own example feeds to MedGemma for this tile."""
    return dict(
        processor.apply_chat_template(
            messages(tile),
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
    )


def messages(tile: Tile) -> list[dict[str, object]]:
    picture = {"type": "image", "image": Image.fromarray(tile.pixels)}
    text = {"type": "text", "text": COLORECTAL_CANCER.text}
    return [{"role": "user", "content": [picture, text]}]


def rename_to_new_layout(weights: Weights) -> None:
    for name in list(weights):
        new = f"model.{name.replace('language_model.model.', 'language_model.', 1)}"
        weights[new] = weights.pop(name)


def edit_weights(folder: Path, edit: Callable[[Weights], None]) -> None:
    """Applies `edit` to all weights and writes them back as one indexed shard."""
    shards = sorted(folder.glob("model-*.safetensors"))
    weights: Weights = {}
    for shard in shards:
        weights |= load_file(shard)
        shard.unlink()
    edit(weights)
    name = "model-00001-of-00001.safetensors"
    save_file(weights, folder / name, metadata={"format": "pt"})
    write_json(
        folder / "model.safetensors.index.json",
        {"metadata": {}, "weight_map": dict.fromkeys(weights, name)},
    )
    write_manifest(folder)


def write_manifest(folder: Path) -> None:
    make.write_manifest(folder, MODEL_ID)


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")
