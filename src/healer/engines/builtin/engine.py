"""Scores tiles with the shipped network, on the CPU.

Its weights are `model.onnx`, and `model.json` vouches for them. Training takes its preprocessing
from here, so that it sees what serving does.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from healer.display import rough_percent
from healer.engines.base import (
    Answer,
    EngineInfo,
    Evidence,
    FieldScale,
    Finding,
    Question,
    StageTimer,
    Unlikeness,
)
from healer.engines.builtin.runtime import MODEL_FOLDER as MODEL_FOLDER
from healer.engines.builtin.runtime import Runtime, model_folder, runtime_of
from healer.engines.builtin.session import FEATURES as FEATURES
from healer.engines.builtin.session import MODEL_ID, NONE, SCORES, Outputs, Pixels, open_session
from healer.engines.builtin.session import SIDE as SIDE
from healer.errors.engine import ModelAltered, ModelIncomplete, ModelUnsound
from healer.hardware import cores, give_way
from healer.images.tile import Tile
from healer.questions.base import ClassHead
from healer.questions.colorectal import COLORECTAL_CANCER

if TYPE_CHECKING:
    from healer.settings.loading import Settings

NETWORK = "model.onnx"
CARD = "model.json"
UNLIKE = "unlike.npz"
# It learnt from tiles of 180 to 270 µm, enlarged to a field of up to 2.4 times as much.
SCALE = FieldScale(widest=650, window=224)
NAMED_CLASSES = 2  # in a sentence

Reals = NDArray[np.float32]
NO_VNNI = (
    "HEALER_QUANTIZATION is 8bit, and this processor multiplies integers no faster (it has no "
    "VNNI): the built-in model computes in float32"
)
# Bounds the work that one absurdly long picture can ask for.
MOST_WINDOWS = 16
# Names every step outside the network's own graph; change it whenever one of them changes.
PREPROCESSING = (
    f"up to {MOST_WINDOWS} square windows, bilinear antialiased resize to {SIDE} px, RGB uint8; v2"
)


class BuiltinEngine:
    """`threads` = 0 takes all cores. Raises `healer.errors.ModelError` where the files are off.

    Tiles are scored side by side, each by one thread: for a network this small, a tile shared
    between threads takes longer; and so does a batch in float32, at several times the memory.
    """

    def __init__(
        self,
        threads: int = 0,
        folder: Path = MODEL_FOLDER,
        question: Question = COLORECTAL_CANCER,
        warnings: tuple[str, ...] = (),
        runtime: Runtime = Runtime.ONNX,
    ) -> None:
        if question.head is None:
            raise ModelUnsound(MODEL_ID, f"its classes do not answer {question.id}")
        model = read_model_files(folder)
        self._question, self._head = question, question.head
        self._shares = question.head.shares_of(model.names)
        self._names = model.names
        self._threads = threads or cores()
        self._session = open_session(model.network, model.quantization, self._threads, runtime)
        has_features = FEATURES in self._session.outputs
        self._gaussians = Gaussians.read(folder, model.sha256) if has_features else None
        self._pool = ThreadPoolExecutor(self._threads, "builtin", give_way)
        self._info = EngineInfo(
            engine="builtin",
            model_id=MODEL_ID,
            revision=model.sha256[:12],
            device="cpu",
            dtype="float32",
            quantization=runtime.quantization(model.quantization),
            prompt_id=question.id,
            preprocessing_id=preprocessing_id(question.head),
            warnings=warnings,
        )

    @property
    def info(self) -> EngineInfo:
        return self._info

    @property
    def margin_rule(self) -> str:
        return self._head.rule

    @property
    def scale(self) -> FieldScale:
        return SCALE

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        """Raises ModelUnsound where a score is not a finite number."""
        stages = StageTimer(tiles)
        squares = [square_windows(tile.pixels) for tile in tiles]
        parts = self._parts([square for each in squares for square in each])
        inputs = list(self._pool.map(network_inputs, parts))
        stages.end_stage("preprocess")
        outputs = self._run(inputs)
        stages.end_stage("infer")
        ends = np.cumsum([len(each) for each in squares])
        return [
            self._evidence(outputs[end - len(each) : end], stages)
            for each, end in zip(squares, ends, strict=True)
        ]

    def _parts(self, squares: Sequence[Pixels]) -> list[Sequence[Pixels]]:
        """What a thread takes at once."""
        size = max(1, min(self._session.together, math.ceil(len(squares) / self._threads)))
        return [squares[start : start + size] for start in range(0, len(squares), size)]

    def _run(self, parts: Sequence[Sequence[Pixels]]) -> list[Outputs]:
        """Raises ModelUnsound."""
        outputs = [each for part in self._pool.map(self._several, parts) for each in part]
        if not all(np.isfinite(each[SCORES]).all() for each in outputs):
            raise ModelUnsound(MODEL_ID, "a score is not a finite number")
        return outputs

    def _several(self, inputs: Sequence[Pixels]) -> list[Outputs]:
        """The outputs for each square, with an axis of one square."""
        named = self._session.run(inputs)
        return [
            {name: value[at : at + 1] for name, value in named.items()} for at in range(len(inputs))
        ]

    def _evidence(self, outputs: Sequence[Outputs], stages: StageTimer) -> Evidence:
        """From the log-probabilities (1, classes) and features of each window of one tile."""
        scores = np.concatenate([each[SCORES] for each in outputs]).astype(np.float64)
        mean = np.logaddexp.reduce(scores, axis=0) - np.log(len(scores))
        mean -= np.logaddexp.reduce(mean)
        findings = (
            Finding(name, float(share))
            for name, share in zip(self._names, np.exp(mean), strict=True)
        )
        ranked = sorted(findings, key=lambda finding: -finding.probability)
        return Evidence(
            float(class_margin(mean, self._shares)),
            findings=tuple(ranked),
            unlikeness=self._unlikeness(outputs),
            stages=stages,
        )

    def _unlikeness(self, outputs: Sequence[Outputs]) -> Unlikeness | None:
        """None where the model's files do not let it be measured."""
        if self._gaussians is None or not all(FEATURES in each for each in outputs):
            return None
        return self._gaussians.unlikeness(np.concatenate([each[FEATURES] for each in outputs]))

    def explain(self, evidence: Evidence, answer: Answer) -> Iterator[str]:
        return compose_sentence(evidence.findings, answer, self._question)

    def close(self) -> None:
        self._pool.shutdown()


def open_engine(settings: Settings, question: Question) -> BuiltinEngine:
    folder = model_folder(settings)
    slow = settings.quantization == "8bit" and folder == MODEL_FOLDER
    warnings = (NO_VNNI,) if slow else ()
    return BuiltinEngine(settings.threads, folder, question, warnings, runtime_of(folder))


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """`names` are the classes in the order of the network's outputs."""

    network: bytes
    sha256: str
    names: tuple[str, ...]
    quantization: str


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
    return ModelFiles(network, sha256, tuple(card["classes"]), card.get("quantization", NONE))


def preprocessing_id(head: ClassHead) -> str:
    """Of whatever lies between a tile and its margin besides the network itself."""
    return hashlib.sha256(f"{PREPROCESSING}; {head.key}".encode()).hexdigest()[:12]


def square_windows(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Evenly spaced squares, as few as cover a tile of shape (height, width, 3).

    Never more than MOST_WINDOWS: a tile longer than that is sampled, not covered.
    """
    height, width = pixels.shape[:2]
    side = min(height, width)
    count = min(MOST_WINDOWS, math.ceil(max(height, width) / side))
    starts = np.linspace(0, max(height, width) - side, count).round().astype(int)
    if height >= width:
        return [pixels[start : start + side] for start in starts]
    return [pixels[:, start : start + side] for start in starts]


def network_inputs(windows: Sequence[Pixels]) -> list[Pixels]:
    return [network_input(window) for window in windows]


def network_input(window: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A square window of any size as (3, SIDE, SIDE), averaged where it shrinks."""
    image = Image.fromarray(np.ascontiguousarray(window))
    resized = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(np.asarray(resized).transpose(2, 0, 1))


def class_margin(scores: NDArray[np.floating], shares: Sequence[float]) -> NDArray[np.float64]:
    """Natural log-odds of yes, shape (...), from log-probabilities of shape (..., classes) and how
    much of each class, in [0, 1], speaks for yes."""
    share = np.asarray(shares, np.float64)
    for_yes, for_no = share > 0, share < 1
    yes = np.logaddexp.reduce(scores[..., for_yes] + np.log(share[for_yes]), axis=-1)
    no = np.logaddexp.reduce(scores[..., for_no] + np.log1p(-share[for_no]), axis=-1)
    return np.asarray(yes - no, np.float64)


def compose_sentence(
    findings: Sequence[Finding], answer: Answer, question: Question
) -> Iterator[str]:
    """Pieces of it, for findings sorted by probability."""
    yield question.sentences[answer]
    yield " Most likely classes: "
    likeliest = findings[:NAMED_CLASSES]
    yield ", ".join(f"{short_name(each)} {rough_percent(each.probability)}" for each in likeliest)
    yield "."


def short_name(finding: Finding) -> str:
    return finding.name.replace("intraepithelial ", "")


@dataclass(frozen=True)
class Gaussians:
    """How unlike the tiles the network learnt from a tile is, by the network's own features.

    A member's distance is a Mahalanobis distance (Lee et al. 2018) over the square root of the
    dimensions, divided by what is usual of tiles that the member never saw; that of the network is
    the members' mean. One a member: `centre` (members, d), `whitening` (members, d, d) and
    `usual` (members,).

    Tiles further than `threshold` times the usual distance are unlike the training tiles.
    """

    centre: Reals
    whitening: Reals
    usual: Reals
    threshold: float

    def distances(self, features: Reals) -> NDArray[np.float64]:
        """Of each tile (n, members, d), in usual distances."""
        centred = (features - self.centre).transpose(1, 0, 2)
        whitened = centred @ self.whitening
        distances = np.sqrt((whitened**2).mean(2)) / self.usual[:, None]
        return np.asarray(distances.mean(0), np.float64)

    def unlikeness(self, features: Reals) -> Unlikeness:
        """Of a tile that was scored in several squares: the mean of theirs."""
        return Unlikeness(float(self.distances(features).mean()), self.threshold)

    def to_bytes(self, network_sha256: str) -> bytes:
        stream = io.BytesIO()
        np.savez(
            stream,
            centre=self.centre,
            whitening=self.whitening.astype(np.float16),
            usual=self.usual,
            threshold=np.float64(self.threshold),
            network=np.array(network_sha256),
        )
        return stream.getvalue()

    @classmethod
    def read(cls, folder: Path, network_sha256: str) -> Self | None:
        """None where the folder has none. Raises ModelAltered where it is another network's."""
        file = folder / UNLIKE
        if not file.is_file():
            return None
        with np.load(file, allow_pickle=False) as stored:
            if str(stored["network"]) != network_sha256:
                raise ModelAltered(str(folder), UNLIKE, "it was fitted to another network")
            return cls(
                stored["centre"],
                stored["whitening"].astype(np.float32),
                stored["usual"],
                float(stored["threshold"]),
            )
