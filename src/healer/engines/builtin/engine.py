"""Scores tiles with the shipped network through ONNX Runtime, on the CPU."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from healer.engines.base import (
    Answer,
    EngineInfo,
    Evidence,
    FieldScale,
    Finding,
    Question,
    StageTimer,
)
from healer.engines.builtin import preprocess
from healer.engines.builtin.classes import class_margin, compose_sentence
from healer.engines.builtin.model_files import MODEL_FOLDER, read_model_files
from healer.errors import ModelUnsound
from healer.hardware import cores, give_way
from healer.images.tile import Tile
from healer.questions.base import ClassHead
from healer.questions.colorectal import COLORECTAL_CANCER

MODEL_ID = "healer/builtin-crc"
# It learnt from tiles of 180 to 270 µm, enlarged to a field of up to 2.4 times as much.
SCALE = FieldScale(widest=650, window=224)


class BuiltinEngine:
    """`threads` = 0 takes all cores. Raises `healer.errors.ModelError` where the files are off.

    Tiles are looked at side by side, each by one thread: for a network this small, a batch or a
    tile shared between threads takes longer, and several times the memory.
    """

    def __init__(
        self,
        threads: int = 0,
        folder: Path = MODEL_FOLDER,
        question: Question = COLORECTAL_CANCER,
    ) -> None:
        if question.head is None:
            raise ModelUnsound(MODEL_ID, f"its classes do not answer {question.id}")
        model = read_model_files(folder)
        self._question, self._head = question, question.head
        self._shares = question.head.shares_of(model.names)
        self._names = model.names
        self._session = open_session(model.network)
        self._pool = ThreadPoolExecutor(threads or cores(), "builtin", give_way)
        self._info = EngineInfo(
            engine="builtin",
            model_id=MODEL_ID,
            revision=model.sha256[:12],
            device="cpu",
            dtype="float32",
            quantization="none",
            prompt_id=question.id,
            preprocessing_id=preprocessing_id(question.head),
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
        squares = [preprocess.windows(tile.pixels) for tile in tiles]
        inputs = [preprocess.squared(square) for each in squares for square in each]
        stages.end_stage("preprocess")
        scores = self._run(inputs)
        stages.end_stage("infer")
        ends = np.cumsum([len(each) for each in squares])
        return [
            self._evidence(scores[end - len(each) : end], stages)
            for each, end in zip(squares, ends, strict=True)
        ]

    def _run(self, inputs: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        scores = np.concatenate(
            [np.empty((0, len(self._names))), *self._pool.map(self._one, inputs)]
        )
        if not np.isfinite(scores).all():
            raise ModelUnsound(MODEL_ID, "a score is not a finite number")
        return scores

    def _one(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = self._session.run(None, {"pixels": pixels[None]})[0]
        return scores

    def _evidence(self, scores: NDArray[np.float64], stages: StageTimer) -> Evidence:
        """From the log-probabilities (windows, classes) of one tile."""
        mean = np.logaddexp.reduce(scores, axis=0) - np.log(len(scores))
        mean -= np.logaddexp.reduce(mean)
        findings = (
            Finding(name, float(share))
            for name, share in zip(self._names, np.exp(mean), strict=True)
        )
        ranked = sorted(findings, key=lambda finding: -finding.probability)
        return Evidence(
            float(class_margin(mean, self._shares)), findings=tuple(ranked), stages=stages
        )

    def explain(self, evidence: Evidence, answer: Answer) -> Iterator[str]:
        return compose_sentence(evidence.findings, answer, self._question)

    def close(self) -> None:
        self._pool.shutdown()


def preprocessing_id(head: ClassHead) -> str:
    """Of whatever lies between a tile and its margin besides the network itself."""
    return hashlib.sha256(f"{preprocess.PREPROCESSING}; {head.key}".encode()).hexdigest()[:12]


def open_session(network: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
