"""A downloaded Gemma 3, read tensor by tensor without loading it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from healer.errors.engine import NotConvertible
from healer.weights.manifest import weights_in

if TYPE_CHECKING:
    from transformers import Gemma3Config

Floats = NDArray[np.float32]
ARCHITECTURE = "Gemma3ForConditionalGeneration"
HEADER = np.dtype("<u8")
STORED: dict[str, np.dtype[Any]] = {
    "BF16": np.dtype("<u2"),
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
}
# As published (`language_model.model.*`, `vision_tower.vision_model.*`), and as transformers
# names its modules since (`model.language_model.*`).
RENAMED = (
    (re.compile(r"^model\."), ""),
    (re.compile(r"^language_model\.model\."), "language_model."),
    (re.compile(r"^language_model\.lm_head\."), "lm_head."),
    (re.compile(r"^vision_tower\.vision_model\."), "vision_tower."),
)
EMBEDDING, HEAD = "language_model.embed_tokens.weight", "lm_head.weight"


def plain_name(name: str) -> str:
    """One name for a weight, whichever layout it was saved in."""
    for pattern, replacement in RENAMED:
        name = pattern.sub(replacement, name)
    return name


class Checkpoint:
    """The weights of `folder` by `plain_name`; `model_id` is for messages. The files are mapped,
    so a weight costs memory only while a float32 copy of it is held. Raises NotConvertible."""

    def __init__(self, folder: Path, model_id: str) -> None:
        self.folder, self.model_id = folder, model_id
        self._stored: dict[str, tuple[str, NDArray[Any]]] = {}
        for file in weights_in(folder):
            self._map(file)
        if EMBEDDING not in self._stored:
            raise NotConvertible(model_id, f"it holds no weight {EMBEDDING}")

    def __contains__(self, name: str) -> bool:
        return name in self._stored

    @property
    def names(self) -> list[str]:
        return list(self._stored)

    def count(self, name: str) -> int:
        """How many numbers it holds."""
        return int(self._find(name)[1].size)

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._find(name)[1].shape)

    @property
    def dtype(self) -> str:
        """What the embedding is stored in, as safetensors names it."""
        return self._find(EMBEDDING)[0]

    def read(self, name: str, rows: slice = slice(None)) -> Floats:
        """A float32 copy of the weight, or of some of its rows."""
        dtype, stored = self._find(name)
        part = stored[rows]
        if dtype == "BF16":  # the upper half of a float32
            return (part.astype(np.uint32) << 16).view(np.float32)
        return part.astype(np.float32)

    def _find(self, name: str) -> tuple[str, NDArray[Any]]:
        if name not in self._stored:
            raise NotConvertible(self.model_id, f"it holds no weight {name}")
        return self._stored[name]

    def _map(self, file: Path) -> None:
        length = int(np.fromfile(file, HEADER, count=1)[0])
        start = HEADER.itemsize
        with file.open("rb") as stream:
            stream.seek(start)
            header = json.loads(stream.read(length))
        data = np.memmap(file, np.uint8, mode="r")[start + length :]
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            if entry["dtype"] not in STORED:
                raise NotConvertible(self.model_id, f"{name} is stored as {entry['dtype']}")
            first, last = entry["data_offsets"]
            values = data[first:last].view(STORED[entry["dtype"]]).reshape(entry["shape"])
            self._stored[plain_name(name)] = entry["dtype"], values


def read_config(folder: Path, model_id: str) -> Gemma3Config:
    """The model's shape, with transformers' defaults filled in. Raises NotConvertible for any
    model whose arithmetic is not the one built here."""
    from transformers import AutoConfig

    config: Any = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if config.model_type != "gemma3" or ARCHITECTURE not in (config.architectures or []):
        raise NotConvertible(model_id, f"it is a {config.model_type} model")
    text, vision = config.text_config, config.vision_config
    expected = {
        "attention biases": (text.attention_bias, False),
        "bidirectional text": (bool(text.use_bidirectional_attention), False),
        "soft-capped attention": (text.attn_logit_softcapping, None),
        "its activation": (text.hidden_activation, "gelu_pytorch_tanh"),
        "its vision activation": (vision.hidden_act, "gelu_pytorch_tanh"),
    }
    for what, (found, known) in expected.items():
        if found != known:
            raise NotConvertible(model_id, f"{what} ({found}) is not built here")
    for parameters in text.rope_parameters.values():
        if parameters["rope_type"] not in ("default", "linear"):
            raise NotConvertible(model_id, f"rotary type {parameters['rope_type']} is not known")
    return config  # type: ignore[no-any-return]
