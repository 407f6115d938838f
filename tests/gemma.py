"""A tiny random Gemma 3 checkpoint, laid out on disk as the hub lays out MedGemma.

The weights are noise, so its answers mean nothing; everything around them (tokenizer, chat
template, image processor, key names, shards, tied head) is what the real loader meets.
"""

from __future__ import annotations

import hashlib
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
from tokenizers.trainers import BpeTrainer
from transformers import AutoProcessor, Gemma3Config, Gemma3ForConditionalGeneration

from healer.screening.question import COLORECTAL_CANCER

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
CORPUS = [
    *["Yes", "yes", "YES", "No", "no", "NO", " Yes", " yes", " YES", " No", " no", " NO"] * 50,
    *[COLORECTAL_CANCER.text, "user\n", "model\n", "\n\n"] * 20,
    *["It cannot be determined from this image because the field is out of focus."] * 5,
    *["Yes, colorectal cancer is present because the glands are irregular and crowded."] * 5,
    *["No, colorectal cancer is not present, e.g. the crypts are 0.5 mm apart and even."] * 5,
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
    answer_logit: float | None = None,
    sliding_window: int = 1024,
) -> Path:
    """Writes the checkpoint and its manifest into `folder`.

    `layout` "old" names weights as Gemma 3 was published (`language_model.model.*`), "new" as
    transformers names its modules (`model.language_model.*`). Random weights put next to no mass
    on yes or no; `answer_logit` sets the rows of Yes and No in the tied head by hand so that
    both get about that logit on a pink tile (12 gives a mass near 1).
    """
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = write_tokenizer(folder)
    write_configs(folder, vocabulary, sliding_window)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = random_model(folder)
        if answer_logit is not None:
            raise_answers(model, folder, answer_logit)
    hub_config = (folder / "config.json").read_text()
    model.to(torch.bfloat16).save_pretrained(folder, max_shard_size="300KB")
    (folder / "config.json").write_text(hub_config)
    if layout == "new":
        edit_weights(folder, rename_to_new_layout)
    write_manifest(folder)
    return folder


def write_tokenizer(folder: Path) -> int:
    """Trains a byte-fallback BPE as Gemma's; returns the size of its vocabulary."""
    tokenizer = Tokenizer(BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("▁?[^▁\n]+|\n+"), "isolated")
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


def random_model(folder: Path) -> Gemma3ForConditionalGeneration:
    model = Gemma3ForConditionalGeneration(Gemma3Config.from_pretrained(folder))
    with torch.no_grad():  # transformers starts it at zero: the image would not be seen at all
        model.model.multi_modal_projector.mm_input_projection_weight.normal_(std=0.2)
    return model.eval()


@torch.no_grad()
def raise_answers(model: Gemma3ForConditionalGeneration, folder: Path, answer_logit: float) -> None:
    """Points the rows of Yes and No, which the prompt does not hold, at its last hidden state."""
    processor = AutoProcessor.from_pretrained(folder)
    inputs = processor.apply_chat_template(
        messages(pink(IMAGE_SIZE, IMAGE_SIZE)),
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    hidden = model.model(**inputs).last_hidden_state[0, -1]
    toward = answer_logit * hidden / hidden.square().sum()
    for word in ("Yes", "No"):
        row = model.get_input_embeddings().weight[processor.tokenizer.convert_tokens_to_ids(word)]
        row.copy_(toward + 0.1 * torch.randn_like(toward))


def messages(pixels: np.ndarray[Any, Any]) -> list[dict[str, object]]:
    picture = {"type": "image", "image": Image.fromarray(pixels)}
    text = {"type": "text", "text": COLORECTAL_CANCER.text}
    return [{"role": "user", "content": [picture, text]}]


def pink(height: int, width: int) -> np.ndarray[Any, Any]:
    return np.full((height, width, 3), (230, 170, 200), np.uint8)


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
    manifest = folder / "healer-manifest.json"
    manifest.unlink(missing_ok=True)
    files = [describe(path) for path in sorted(folder.iterdir())]
    write_json(manifest, {"model_id": MODEL_ID, "revision": REVISION, "files": files})


def describe(path: Path) -> dict[str, str | int]:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return {"name": path.name, "size": len(content), "sha256": digest}


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2))
