"""The tokens of a text that is written, one after another, by code of our own (decoder.c).

A token takes as long as memory takes to give all weights. They are those of the language graph,
where they lie; keys and values are float32, and those of the prompt stay where they are.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino

from healer.engines.openvino.cache import Floats, Snapshot
from healer.engines.openvino.conversion_record import FULL, SLIDING, Attention, state_name
from healer.engines.openvino.graph import empty_past
from healer.engines.openvino.kernels import LONG, POINTER, Scratch, address, library
from healer.engines.openvino.linear import linears
from healer.engines.openvino.products import Matrix, structure
from healer.engines.openvino.rotary import Rotary

Node = Any
EMBEDDING, LAST_NORM = "language_model.embed_tokens.weight", "language_model.norm.weight"
LAYER = "language_model.layers"
# By their names in a checkpoint, in the order of `Layer` in decoder.c.
MATRICES = (
    *(f"self_attn.{part}_proj" for part in "qkvo"),
    *(f"mlp.{part}_proj" for part in ("gate", "up", "down")),
)
NORMS = (
    "input_layernorm",
    "self_attn.q_norm",
    "self_attn.k_norm",
    "post_attention_layernorm",
    "pre_feedforward_layernorm",
    "post_feedforward_layernorm",
)
POSITIONS = 2  # the axis of keys and values (1, heads, positions, width)
CAPACITY = 256  # positions that are held apart from those before


class _Layer(ctypes.Structure):
    _fields_ = (
        *((name, POINTER) for name in (*MATRICES, *NORMS)),
        *((name, POINTER) for name in ("turn", "past_key", "past_value", "own_key", "own_value")),
        ("held", LONG),
        ("window", LONG),
    )


class _Decoder(ctypes.Structure):
    _fields_ = (
        *((name, POINTER) for name in ("layers", "embedding", "head", "last_norm")),
        *((name, ctypes.c_float) for name in ("embedding_scale", "epsilon", "query_scale")),
        *(
            (name, LONG)
            for name in ("count", "hidden", "between", "heads", "groups", "width", "capacity")
        ),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """Of the graph's arithmetic: what embeddings and scores are multiplied with, and what norms
    add to a mean square."""

    embedding_scale: float
    epsilon: float
    query_scale: float


class Decoder:
    """The language graph's layers as C reads them; `threads` is how many cores to use."""

    def __init__(
        self,
        matrices: dict[str, Matrix],
        norms: dict[str, Floats],
        numbers: Numbers,
        attention: Attention,
        threads: int,
    ) -> None:
        found = library()
        assert found is not None  # noqa: S101
        self.attention, self.threads, self.rotary = attention, threads, Rotary(attention)
        self.scratch = Scratch()
        self.vocabulary = matrices[EMBEDDING].rows
        self._library, self._norms, self._numbers = found, norms, numbers
        self._matrices = {name: structure(each) for name, each in matrices.items()}
        self._kept = matrices  # their memory
        self._shape = self._shape_of(matrices)

    def _shape_of(self, matrices: dict[str, Matrix]) -> dict[str, int]:
        queries, gate = (matrices[f"{LAYER}.0.{MATRICES[i]}.weight"] for i in (0, 4))
        width = self.attention.width
        return {
            "count": len(self.attention.kinds),
            "hidden": queries.columns,
            "between": gate.rows,
            "heads": queries.rows // width,
            "groups": self.attention.heads,
            "width": width,
            "capacity": CAPACITY,
        }

    def layers(self) -> Any:  # noqa: ANN401
        """For one text, which adds its own keys and values."""
        found = (_Layer * len(self.attention.kinds))()
        for index, kind in enumerate(self.attention.kinds):
            for part in MATRICES:
                matrix = self._matrices[f"{LAYER}.{index}.{part}.weight"]
                setattr(found[index], part, ctypes.addressof(matrix))
            for part in NORMS:
                setattr(found[index], part, address(self._norms[f"{LAYER}.{index}.{part}.weight"]))
            longest = np.iinfo(np.int64).max
            found[index].window = longest if kind == FULL else self.attention.sliding_window
        return found

    def structure(self, layers: Any) -> Any:  # noqa: ANN401
        embedding = ctypes.addressof(self._matrices[EMBEDDING])
        numbers = self._numbers
        return _Decoder(
            ctypes.addressof(layers),
            embedding,
            embedding,
            address(self._norms[LAST_NORM]),
            numbers.embedding_scale,
            numbers.epsilon,
            numbers.query_scale,
            **self._shape,
        )

    def decode(self, structure: Any, token: int, own: int, positions: int) -> Floats:  # noqa: ANN401
        """Logits of what follows `token`; `own` positions lie before it since the past, and at most
        so many `positions` are seen."""
        logits = np.empty(self.vocabulary, np.float32)
        given = ctypes.byref(structure)
        with self.scratch.lock:
            room = self.scratch.of(self._library.healer_decode_scratch(given, positions))
            self._library.healer_decode(given, token, own, address(logits), room, self.threads)
        return logits


class OwnRun:
    """One text that is written: `length` tokens so far. Those of `at` are not copied."""

    def __init__(self, decoder: Decoder, at: Snapshot | None) -> None:
        attention = decoder.attention
        self.length = at.length if at else 0
        self._decoder, self._attention = decoder, attention
        shape = (len(attention.kinds), 2, attention.heads, CAPACITY, attention.width)
        self._own, self._count = np.empty(shape, np.float32), 0
        self._turns = {kind: np.empty((2, attention.width), np.float32) for kind in attention.kinds}
        self._layers = decoder.layers()
        self._structure = decoder.structure(self._layers)
        self._past = dict(at.states) if at else empty_past(attention)
        self._point()

    def step(self, tokens: Sequence[int]) -> Floats:
        """Float32 logits (vocabulary,) of what follows `tokens`, of which there is at least one."""
        for token in tokens:
            logits = self._decode(token)
        return logits

    def save(self) -> Snapshot:
        """Of sliding-window layers at least what the next token can see."""
        return Snapshot({n: self._joined(n, own) for n, own in self._parts()}, self.length)

    def _decode(self, token: int) -> Floats:
        if self._count == CAPACITY:
            self._join()
        for kind, (cosine, sine) in self._decoder.rotary.turns(self.length, 1).items():
            self._turns[kind][0], self._turns[kind][1] = cosine[0], sine[0]
        positions = max(layer.held for layer in self._layers) + self._count + 1
        logits = self._decoder.decode(self._structure, token, self._count, positions)
        self.length += 1
        self._count += 1
        return logits

    def _parts(self) -> Iterator[tuple[str, Floats]]:
        """Each key's and value's own positions, by name."""
        for layer in range(len(self._attention.kinds)):
            for index, part in enumerate(("key", "value")):
                yield state_name(part, layer), self._own[layer, index][None, :, : self._count]

    def _joined(self, name: str, own: Floats) -> Floats:
        past = self._past[name]
        if self._attention.names[name] == SLIDING:
            keep = max(0, self._attention.sliding_window - 1 - own.shape[POSITIONS])
            past = past[:, :, max(0, past.shape[POSITIONS] - keep) :]
        return np.concatenate([past, own], axis=POSITIONS)

    def _join(self) -> None:
        """Own positions become past ones, one array after another."""
        for name, own in self._parts():
            self._past[name] = self._joined(name, own)
        self._count = 0
        self._point()

    def _point(self) -> None:
        """Where keys and values are, for C."""
        for index, kind in enumerate(self._attention.kinds):
            layer = self._layers[index]
            layer.turn = address(self._turns[kind])
            for number, part in enumerate(("key", "value")):
                name = state_name(part, index)
                past = self._past[name] = np.ascontiguousarray(self._past[name], np.float32)
                setattr(layer, f"past_{part}", address(past))
                setattr(layer, f"own_{part}", address(self._own[index, number]))
            layer.held = past.shape[POSITIONS]


def decoder_of(model: openvino.Model, attention: Attention, threads: int) -> Decoder | None:
    """Of a language graph of `healer optimize`, before anything was put into it; None where it has
    another form than decoder.c knows, as with weights of 4 bits or capped logits."""
    if any(node.get_type_name() == "Tanh" for node in model.get_ordered_ops()):
        return None
    matrices = {_name(each.matrix): each.matrix for each in linears(model)}
    names = [f"{LAYER}.{index}" for index in range(len(attention.kinds))]
    needed = {f"{layer}.{part}.weight" for layer in names for part in MATRICES} | {EMBEDDING}
    if set(matrices) != needed:
        return None
    gains = [LAST_NORM, *(f"{layer}.{part}.weight" for layer in names for part in NORMS)]
    constants = {
        node.get_friendly_name(): node
        for node in model.get_ordered_ops()
        if node.get_type_name() == "Constant"
    }
    norms = {name: np.array(constants[name].data, np.float32).reshape(-1) for name in gains}
    return Decoder(matrices, norms, numbers_of(model, constants), attention, threads)


def _name(matrix: Matrix) -> str:
    values, _ = matrix.owners
    return str(values.get_friendly_name())


def numbers_of(model: openvino.Model, constants: dict[str, Node]) -> Numbers:
    """As `conversion.language` built them in."""
    (rows,) = (node for node in _users(constants[EMBEDDING]) if node.get_type_name() == "Gather")
    for _ in range(4):  # made float32, without their zero, scaled; and then
        (rows,) = _users(rows)
    attends = _first(model, "ScaledDotProductAttention")
    (shifted,) = _users(_first(model, "ReduceMean"))
    return Numbers(_scalar(rows, 1), _scalar(shifted, 1), _scalar(attends, 4))


def _first(model: openvino.Model, kind: str) -> Node:
    return next(node for node in model.get_ordered_ops() if node.get_type_name() == kind)


def _users(node: Node) -> list[Node]:
    return [target.get_node() for target in node.output(0).get_target_inputs()]


def _scalar(node: Node, index: int) -> float:
    """The constant that is this input."""
    return float(node.input_value(index).get_node().data.reshape(()))
