"""config.json and its companions of a random checkpoint, as Gemma 3's are published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks.checkpoint.shapes import Shape, Text, Vision

CONFIG = "config.json"
GLOBAL_EVERY = 6


def write_configs(folder: Path, shape: Shape, ids: Mapping[str, int]) -> None:
    """`ids` of special tokens, by the names of `tokenizer.SPECIAL`."""
    stops = [ids["eos_token"], ids["eot_token"]]
    tokens = shape.vision.tokens
    files: dict[str, object] = {
        CONFIG: model_config(shape, ids),
        "generation_config.json": {
            "bos_token_id": ids["bos_token"],
            "eos_token_id": stops,
            "pad_token_id": ids["pad_token"],
            "cache_implementation": "hybrid",
            "do_sample": True,
            "top_k": 64,
            "top_p": 0.95,
        },
        "processor_config.json": {"image_seq_length": tokens, "processor_class": "Gemma3Processor"},
        "preprocessor_config.json": preprocessor_config(shape.vision),
    }
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value, indent=2), encoding="utf-8")


def model_config(shape: Shape, ids: Mapping[str, int]) -> dict[str, object]:
    return {
        "architectures": ["Gemma3ForConditionalGeneration"],
        "model_type": "gemma3",
        "boi_token_index": ids["boi_token"],
        "eoi_token_index": ids["eoi_token"],
        "image_token_index": ids["image_token"],
        "eos_token_id": [ids["eos_token"], ids["eot_token"]],
        "mm_tokens_per_image": shape.vision.tokens,
        "initializer_range": 0.02,
        "tie_word_embeddings": True,
        "text_config": text_config(shape.text, ids),
        "vision_config": vision_config(shape.vision),
        "torch_dtype": "bfloat16",
        "transformers_version": "4.50.0.dev0",
    }


def text_config(text: Text, ids: Mapping[str, int]) -> dict[str, object]:
    return {
        "model_type": "gemma3_text",
        "vocab_size": text.vocabulary,
        "hidden_size": text.hidden,
        "intermediate_size": text.intermediate,
        "num_hidden_layers": text.layers,
        "num_attention_heads": text.heads,
        "num_key_value_heads": text.kv_heads,
        "head_dim": text.head_dim,
        "query_pre_attn_scalar": text.head_dim,
        "sliding_window": text.window,
        "sliding_window_pattern": GLOBAL_EVERY,
        "rope_theta": 1_000_000.0,
        "rope_local_base_freq": 10_000.0,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-6,
        "bos_token_id": ids["bos_token"],
        "eos_token_id": ids["eos_token"],
        "pad_token_id": ids["pad_token"],
    }


def vision_config(vision: Vision) -> dict[str, object]:
    return {
        "model_type": "siglip_vision_model",
        "hidden_size": vision.hidden,
        "intermediate_size": vision.intermediate,
        "num_hidden_layers": vision.layers,
        "num_attention_heads": vision.heads,
        "image_size": vision.size,
        "patch_size": vision.patch,
        "vision_use_head": False,
    }


def preprocessor_config(vision: Vision) -> dict[str, object]:
    return {
        "image_processor_type": "Gemma3ImageProcessor",
        "processor_class": "Gemma3Processor",
        "do_convert_rgb": None,
        "do_normalize": True,
        "do_pan_and_scan": None,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "image_seq_length": vision.tokens,
        "resample": 2,
        "rescale_factor": 1 / 255,
        "size": {"height": vision.size, "width": vision.size},
    }
