"""A tiny random Gemma 3 checkpoint, laid out on disk as the hub lays out MedGemma.

The weights are noise, so its answers mean nothing; everything around them (tokenizer, chat
template, image processor, key names, shards, tied head) is what the real loader meets.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer
from transformers import AutoProcessor, Gemma3Config, Gemma3ForConditionalGeneration

from healer.engines.base import Answer
from healer.engines.transformers.loading import quiet
from healer.engines.vlm.prompt import opening
from healer.images.tile import Tile
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.weights.manifest import MANIFEST_FILE, Manifest, ManifestFile, save_manifest, sha256_of

Weights = dict[str, torch.Tensor]
MODEL_ID = "healer/tiny-random-gemma3"
REVISION = "0" * 40
SPECIAL = {
    "pad_token": "<pad>",
    "eos_token": "<eos>",
    "bos_token": "<bos>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
    "sot_token": "<start_of_turn>",
    "eot_token": "<end_of_turn>",
    "boi_token": "<start_of_image>",
    "eoi_token": "<end_of_image>",
    "image_token": "<image_soft_token>",
}
IDS = {name: index for index, name in enumerate(SPECIAL)}
IMAGE_SIZE, PATCH, IMAGE_TOKENS = 112, 14, 16
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
# Says what Gemma's own template says for one user turn with an image.
CHAT_TEMPLATE = """{{ bos_token }}{% for message in messages -%}
{{ '<start_of_turn>' + message['role'] + '\n' }}
{%- for part in message['content'] -%}
{{ '<start_of_image>' if part['type'] == 'image' else part['text'] | trim }}
{%- endfor -%}
{{ '<end_of_turn>\n' }}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif -%}
"""


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
    vocabulary = write_tokenizer(folder)
    write_configs(folder, vocabulary, sliding_window)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = random_model(folder)
        if taught:
            teach(model, folder)
    hub_config = (folder / "config.json").read_text(encoding="utf-8")
    with quiet():
        model.bfloat16().save_pretrained(folder, max_shard_size="300KB")
    (folder / "config.json").write_text(hub_config)
    if layout == "new":
        edit_weights(folder, rename_to_new_layout)
    write_manifest(folder)
    return folder


def write_tokenizer(folder: Path) -> int:
    """Trains a byte-fallback BPE as Gemma's; returns the size of its vocabulary."""
    tokenizer = Tokenizer(BPE(unk_token=SPECIAL["unk_token"], fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"▁?\w+|\n+|[^\w\n]"), "isolated")
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    specials: list[str | AddedToken] = [AddedToken(t, special=True) for t in SPECIAL.values()]
    trainer = BpeTrainer(vocab_size=800, special_tokens=specials + byte_tokens, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [t for t in state["added_tokens"] if t["content"] in SPECIAL.values()]
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.post_processor = TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", IDS["bos_token"])]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    named = ("boi_token", "eoi_token", "image_token")
    write_json(
        folder / "tokenizer_config.json",
        {name: SPECIAL[name] for name in SPECIAL if name not in ("sot_token", "eot_token")}
        | {
            "tokenizer_class": "GemmaTokenizer",
            "processor_class": "Gemma3Processor",
            "extra_special_tokens": {name: SPECIAL[name] for name in named},
            "add_bos_token": True,
            "add_eos_token": False,
            "clean_up_tokenization_spaces": False,
        },
    )
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    return tokenizer.get_vocab_size()


def write_configs(folder: Path, vocabulary: int, sliding_window: int) -> None:
    text = {
        "model_type": "gemma3_text",
        "vocab_size": vocabulary,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 6,  # five sliding-window layers to one full one, as published
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "query_pre_attn_scalar": 16,
        "sliding_window": sliding_window,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
    }
    vision = {
        "model_type": "siglip_vision_model",
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": IMAGE_SIZE,
        "patch_size": PATCH,
        "vision_use_head": False,
    }
    stops = [IDS["eos_token"], IDS["eot_token"]]
    write_json(
        folder / "config.json",
        {
            "architectures": ["Gemma3ForConditionalGeneration"],
            "model_type": "gemma3",
            "boi_token_index": IDS["boi_token"],
            "eoi_token_index": IDS["eoi_token"],
            "image_token_index": IDS["image_token"],
            "eos_token_id": stops,
            "mm_tokens_per_image": IMAGE_TOKENS,
            "initializer_range": 0.02,
            "text_config": text,
            "vision_config": vision,
            "torch_dtype": "bfloat16",
            "transformers_version": "4.50.0.dev0",
        },
    )
    write_json(
        folder / "generation_config.json",
        {
            "bos_token_id": IDS["bos_token"],
            "eos_token_id": stops,
            "pad_token_id": IDS["pad_token"],
            "cache_implementation": "hybrid",
            "do_sample": True,
            "top_k": 64,
            "top_p": 0.95,
        },
    )
    write_json(
        folder / "processor_config.json",
        {"image_seq_length": IMAGE_TOKENS, "processor_class": "Gemma3Processor"},
    )
    write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": "Gemma3ImageProcessor",
            "processor_class": "Gemma3Processor",
            "do_convert_rgb": None,
            "do_normalize": True,
            "do_pan_and_scan": None,
            "do_rescale": True,
            "do_resize": True,
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
            "image_seq_length": IMAGE_TOKENS,
            "resample": 2,
            "rescale_factor": 1 / 255,
            "size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        },
    )


def random_model(folder: Path) -> Any:  # noqa: ANN401
    model: Any = Gemma3ForConditionalGeneration(Gemma3Config.from_pretrained(folder))
    with torch.no_grad():  # transformers starts it at zero: the image would not be seen at all
        model.model.multi_modal_projector.mm_input_projection_weight.normal_(std=0.2)
    return model.eval()


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
    (folder / MANIFEST_FILE).unlink(missing_ok=True)
    files = tuple(
        ManifestFile(name=path.name, size=path.stat().st_size, sha256=sha256_of(path))
        for path in sorted(folder.iterdir())
    )
    save_manifest(folder, Manifest(model_id=MODEL_ID, revision=REVISION, files=files))


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")
