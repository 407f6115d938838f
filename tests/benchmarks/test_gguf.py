"""What llama.cpp would read, read back with the format's own library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.checkpoint.make import Recipe, make_checkpoint
from benchmarks.checkpoint.shapes import SHAPES

gguf = pytest.importorskip("gguf")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from benchmarks.checkpoint.gguf import convert

    place = tmp_path_factory.mktemp("gguf")
    make_checkpoint(place, Recipe(SHAPES["tiny"]))
    convert(place, "q8_0")
    return place


def test_every_weight_is_there_and_close_to_what_it_was(folder: Path) -> None:
    from healer.conversion.checkpoint import Checkpoint

    weights = Checkpoint(folder, "tiny")
    files = [gguf.GGUFReader(folder / "gguf" / name) for name in ("model.gguf", "mmproj.gguf")]
    tensors = {tensor.name: tensor for file in files for tensor in file.tensors}
    assert len(tensors) == len(weights.names)
    for source, name, plus in (
        ("language_model.embed_tokens.weight", "token_embd.weight", 0),
        ("language_model.layers.3.mlp.down_proj.weight", "blk.3.ffn_down.weight", 0),
        ("language_model.layers.0.self_attn.q_norm.weight", "blk.0.attn_q_norm.weight", 1),
        ("vision_tower.encoder.layers.1.mlp.fc1.bias", "v.blk.1.ffn_up.bias", 0),
        ("vision_tower.embeddings.position_embedding.weight", "v.position_embd.weight", 0),
        ("multi_modal_projector.mm_input_projection_weight", "mm.input_projection.weight", 0),
        ("multi_modal_projector.mm_soft_emb_norm.weight", "mm.soft_emb_norm.weight", 1),
    ):
        tensor = tensors[name]
        stored = gguf.dequantize(tensor.data, tensor.tensor_type)
        assert np.allclose(stored, weights.read(source) + plus, atol=4e-3), source


def test_the_vocabulary_names_every_row_and_marks_what_is_special(folder: Path) -> None:
    fields = gguf.GGUFReader(folder / "gguf" / "model.gguf").fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    kinds = fields["tokenizer.ggml.token_type"].contents()
    assert len(tokens) == len(set(tokens)) == SHAPES["tiny"].text.vocabulary
    assert kinds[tokens.index("<start_of_turn>")] == gguf.TokenType.CONTROL
    assert kinds[tokens.index("<0x0A>")] == gguf.TokenType.BYTE
    assert kinds[tokens.index("Yes")] == gguf.TokenType.NORMAL
    assert "start_of_turn" in fields["tokenizer.chat_template"].contents()
