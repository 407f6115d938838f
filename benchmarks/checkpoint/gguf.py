"""A Gemma 3 checkpoint as llama.cpp reads it.

`python -m benchmarks.checkpoint.gguf FOLDER --type q8_0`

Writes `gguf/model.gguf` (the language model) and `gguf/mmproj.gguf` (the vision tower and the
projector) into FOLDER, which has config.json, safetensors shards and tokenizer.json as the hub
lays them out. One weight is held at a time. Names of tensors are those of the `gguf` package; what
is kept in which precision follows llama.cpp's own converter.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Types
from numpy.typing import NDArray

from benchmarks.checkpoint import gguf_metadata
from healer.conversion.checkpoint import EMBEDDING, Checkpoint

Kind = Literal["q8_0", "f16", "f32"]
KINDS = {"q8_0": Types.Q8_0, "f16": Types.F16, "f32": Types.F32}
FILE_TYPES = {
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    "f16": gguf.LlamaFileType.MOSTLY_F16,
    "f32": gguf.LlamaFileType.ALL_F32,
}
FOLDER, MODEL, PROJECTOR = "gguf", "model.gguf", "mmproj.gguf"
ROWS_AT_ONCE = 16384  # of a float32 copy
VISION = ("vision_tower.", "multi_modal_projector.")


@dataclass(frozen=True, slots=True)
class Tensor:
    """`source` is its name in the checkpoint; Gemma's norms multiply by 1 + weight, so `plus`."""

    source: str
    name: str
    shape: tuple[int, ...]
    kind: Types
    plus: float = 0.0

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """In bytes where quantised, else in numbers."""
        if self.kind in (Types.F32, Types.F16):
            return self.shape
        return gguf.quant_shape_to_byte_shape(self.shape, self.kind)


def convert(folder: Path, kind: Kind = "q8_0", vision: Kind = "f16") -> Path:
    """`kind` and `vision` are of the language model's and the vision tower's matrices."""
    weights = Checkpoint(folder, folder.name)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    place = folder / FOLDER
    place.mkdir(exist_ok=True)
    model = gguf.GGUFWriter(None, "gemma3")
    model.add_type(gguf.GGUFType.MODEL)
    model.add_file_type(FILE_TYPES[kind])
    model.add_quantization_version(gguf.GGML_QUANT_VERSION)
    gguf_metadata.language(model, config["text_config"])
    gguf_metadata.vocabulary(model, folder, weights.shape(EMBEDDING)[0])
    write(model, place / MODEL, weights, list(language(weights, KINDS[kind])))
    projector = gguf.GGUFWriter(None, "clip")
    projector.add_type(gguf.GGUFType.MMPROJ)
    projector.add_file_type(FILE_TYPES[vision])
    projector.add_quantization_version(gguf.GGML_QUANT_VERSION)
    gguf_metadata.vision(
        projector,
        config,
        json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8")),
    )
    write(projector, place / PROJECTOR, weights, list(seeing(weights, KINDS[vision])))
    return place


def language(weights: Checkpoint, kind: Types) -> Iterator[Tensor]:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.GEMMA3, layers(weights, "language_model."))
    for source in weights.names:
        if not source.startswith("language_model."):
            continue
        name = named(names, source.replace("language_model.", "model.", 1))
        shape = weights.shape(source)
        plus = 1.0 if source.endswith("norm.weight") else 0.0
        yield Tensor(source, name, shape, fitting(kind, shape), plus)


def seeing(weights: Checkpoint, kind: Types) -> Iterator[Tensor]:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ, layers(weights, "vision_tower."))
    for source in weights.names:
        if not source.startswith(VISION) or ".head." in source:
            continue
        theirs = source.replace("vision_tower.", "vision_tower.vision_model.", 1)
        shape = weights.shape(source)
        plus = 1.0 if source.endswith("soft_emb_norm.weight") else 0.0
        chosen = fitting(kind, shape)
        if ".embeddings." in source:
            chosen = Types.F32
        elif "input_projection" in source and kind is not Types.F32:
            chosen = Types.F16  # it is transposed while computing, which only floats can be
        yield Tensor(
            source, named(names, theirs.replace("_weight", ".weight")), shape, chosen, plus
        )


def fitting(kind: Types, shape: tuple[int, ...]) -> Types:
    """Vectors stay float32; rows that do not come to whole blocks become float16."""
    if len(shape) == 1:
        return Types.F32
    block, _ = gguf.GGML_QUANT_SIZES[kind]
    return kind if shape[-1] % block == 0 else Types.F16


def named(names: gguf.TensorNameMap, source: str) -> str:
    found = names.get_name(source, try_suffixes=(".weight", ".bias"))
    if found is None:
        raise ValueError(f"llama.cpp has no name for {source}")
    return found


def layers(weights: Checkpoint, prefix: str) -> int:
    found = [
        name.split("layers.")[1]
        for name in weights.names
        if name.startswith(prefix) and "layers." in name
    ]
    return 1 + max(int(name.split(".")[0]) for name in found)


def write(writer: gguf.GGUFWriter, path: Path, weights: Checkpoint, tensors: list[Tensor]) -> None:
    """Tensor by tensor into a draft, which takes its name once it is whole."""
    for tensor in tensors:
        quantised = tensor.kind not in (Types.F32, Types.F16)
        dtype = np.dtype(np.uint8 if quantised else dtype_of(tensor.kind))
        nbytes = math.prod(tensor.stored_shape) * dtype.itemsize
        writer.add_tensor_info(tensor.name, tensor.stored_shape, dtype, nbytes, tensor.kind)
    draft = path.with_suffix(".draft")
    writer.write_header_to_file(draft)
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in tensors:
        writer.write_tensor_data(stored(weights, tensor))
    writer.close()
    draft.replace(path)


def dtype_of(kind: Types) -> type[np.float16] | type[np.float32]:
    return np.float16 if kind is Types.F16 else np.float32


def stored(weights: Checkpoint, tensor: Tensor) -> NDArray[Any]:
    """The weight as it lies in the file; a float32 copy is made of some rows at a time."""
    whole = np.empty(
        tensor.stored_shape, np.uint8 if tensor.kind is Types.Q8_0 else dtype_of(tensor.kind)
    )
    for first in range(0, tensor.shape[0], ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        whole[rows] = gguf.quantize(weights.read(tensor.source, rows) + tensor.plus, tensor.kind)
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--type", choices=KINDS, default="q8_0", help="of the language model")
    parser.add_argument("--vision", choices=KINDS, default="f16", help="of the vision tower")
    order = parser.parse_args()
    place = convert(order.folder, order.type, order.vision)
    for file in sorted(place.glob("*.gguf")):
        print(f"{file}  {file.stat().st_size:,} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
