"""What a GGUF file says of a Gemma 3 besides its weights: shape, picture, vocabulary."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import gguf

POOLED_TO_A_SIDE = 4  # llama.cpp's default, which need not be written
SPM = "llama"  # how llama.cpp names SentencePiece-like merging by score


def language(writer: gguf.GGUFWriter, text: dict[str, Any]) -> None:
    writer.add_context_length(text.get("max_position_embeddings", 131072))
    writer.add_embedding_length(text["hidden_size"])
    writer.add_block_count(text["num_hidden_layers"])
    writer.add_feed_forward_length(text["intermediate_size"])
    writer.add_head_count(text.get("num_attention_heads", 8))
    writer.add_head_count_kv(text.get("num_key_value_heads", 4))
    writer.add_key_length(text.get("head_dim", 256))
    writer.add_value_length(text.get("head_dim", 256))
    writer.add_layer_norm_rms_eps(text.get("rms_norm_eps", 1e-6))
    writer.add_rope_freq_base(text.get("rope_theta", 1_000_000.0))
    writer.add_rope_freq_base_swa(text.get("rope_local_base_freq", 10_000.0))
    writer.add_sliding_window(text["sliding_window"])
    if scaling := text.get("rope_scaling"):
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(scaling["factor"])


def vision(writer: gguf.GGUFWriter, config: dict[str, Any], processor: dict[str, Any]) -> None:
    tower = config["vision_config"]
    writer.add_clip_projector_type(gguf.VisionProjectorType.GEMMA3)
    writer.add_clip_has_vision_encoder(True)
    writer.add_vision_projection_dim(config["text_config"]["hidden_size"])
    writer.add_vision_image_size(tower["image_size"])
    writer.add_vision_patch_size(tower["patch_size"])
    writer.add_vision_embedding_length(tower["hidden_size"])
    writer.add_vision_feed_forward_length(tower["intermediate_size"])
    writer.add_vision_block_count(tower["num_hidden_layers"])
    writer.add_vision_head_count(tower["num_attention_heads"])
    writer.add_vision_image_mean(processor["image_mean"])
    writer.add_vision_image_std(processor["image_std"])
    writer.add_vision_attention_layernorm_eps(tower.get("layer_norm_eps", 1e-6))
    writer.add_vision_use_gelu(True)
    side = tower["image_size"] // tower["patch_size"]
    pooled = side // math.isqrt(config.get("mm_tokens_per_image", 256))
    if pooled != POOLED_TO_A_SIDE:
        writer.add_vision_projector_scale_factor(pooled)


def vocabulary(writer: gguf.GGUFWriter, folder: Path, size: int) -> None:
    """tokenizer.json's byte-fallback BPE, as the SentencePiece vocabulary it was made from.

    A merge comes first where its result scores higher. Rows of the embedding that stand for no text
    get a name, so that their ids can be written out.
    """
    state = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    ids: dict[str, int] = dict(state["model"]["vocab"])
    added = {token["id"]: token for token in state["added_tokens"]}
    ids |= {token["content"]: index for index, token in added.items()}
    tokens = [f"[row {index}]" for index in range(size)]
    kinds = [gguf.TokenType.NORMAL] * size
    scores = [-float(size)] * size
    for text, index in ids.items():
        tokens[index] = text
        if len(text) == len("<0x00>") and text.startswith("<0x"):
            kinds[index] = gguf.TokenType.BYTE
    for index, token in added.items():
        special = token["special"]
        kinds[index] = gguf.TokenType.CONTROL if special else gguf.TokenType.USER_DEFINED
        tokens[index] = token["content"] if special else token["content"].replace("▁", " ")
    for rank, merge in reversed(list(enumerate(state["model"]["merges"]))):
        pair = merge.split(" ") if isinstance(merge, str) else merge
        scores[ids["".join(pair)]] = -float(rank)
    writer.add_tokenizer_model(SPM)
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_add_space_prefix(False)
    gguf.SpecialVocab(folder, load_merges=False, n_vocab=size).add_to_gguf(writer, quiet=True)
