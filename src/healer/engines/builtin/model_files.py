"""The two files the classifier ships as: `model.onnx`, and `model.json` that vouches for it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from healer.engines.builtin.preprocess import PREPROCESSING
from healer.errors import ModelAltered, ModelIncomplete

MODEL_FOLDER = Path(__file__).parent
NETWORK = "model.onnx"
CARD = "model.json"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """`names` are the classes in the order of the network's outputs."""

    network: bytes
    sha256: str
    names: tuple[str, ...]


def read_model_files(folder: Path = MODEL_FOLDER) -> ModelFiles:
    """Raises ModelIncomplete where a file is missing, ModelAltered where they do not agree."""
    try:
        network = (folder / NETWORK).read_bytes()
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except FileNotFoundError as missing:
        raise ModelIncomplete(str(folder), f"{missing.filename} is missing") from None
    sha256 = hashlib.sha256(network).hexdigest()
    if sha256 != card["sha256"]:
        raise ModelAltered(str(folder), NETWORK, f"sha256 {sha256[:12]}, not the one in {CARD}")
    if card["preprocessing"] != PREPROCESSING:
        raise ModelAltered(str(folder), CARD, "it was trained with another preprocessing")
    return ModelFiles(network, sha256, tuple(card["classes"]))
