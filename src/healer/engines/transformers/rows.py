"""Answers written side by side in tensors that stay where they are: a row each.

Rows are padded on the right: what a shorter opening leaves unread lies beyond its row's position,
where nothing looks until the row itself has written there.
"""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from healer.engines.transformers.capture import Ways, quickest
from healer.engines.transformers.reading import Layers, read_on
from healer.engines.vlm.sentence import MAX_NEW_TOKENS

if TYPE_CHECKING:
    from transformers import PretrainedConfig

ROUNDED_TO = 64  # positions; attention kernels like even lengths


@dataclass(frozen=True, slots=True)
class Seen:
    """What the model kept of one tile and its prompt: (heads, tokens, width) of each layer."""

    layers: Layers

    @property
    def tokens(self) -> int:
        return self.layers[0][0].shape[-2]


class Rows:
    """The tensors of `count` rows, and the recorded work on them: `open` reads each row's opening,
    `step` the token after it; both put the next greedy token in its place."""

    def __init__(
        self,
        model: Any,  # noqa: ANN401
        count: int,
        prompt_tokens: int,
        opening_tokens: int,
        ways: Ways,
    ) -> None:
        self._model = model
        length = prompt_tokens + opening_tokens + MAX_NEW_TOKENS
        length += -length % ROUNDED_TO
        self._layers = empty(model, count, length)
        self._given, self._counts, self._tokens, self._positions = (
            torch.zeros(shape, dtype=torch.int64, device=model.device)
            for shape in ((count, opening_tokens), (count,), (count,), (count,))
        )
        self._holder: weakref.ref[Writing] | None = None
        self.open, self.opened = quickest(self._open, "reading an opening", ways.prefill)
        self.step, self.stepped = quickest(self._step, "decoding", ways.step)

    def _open(self) -> None:
        columns = torch.arange(self._given.shape[1], device=self._given.device)
        positions = self._positions[:, None] + columns
        hidden = read_on(self._model, self._given, positions, self._layers)
        last = (self._counts - 1).clamp(min=0)[:, None, None].expand(-1, 1, hidden.shape[-1])
        self._choose(hidden.gather(1, last)[:, 0])
        self._positions.add_(self._counts)

    def _step(self) -> None:
        positions = self._positions[:, None]
        hidden = read_on(self._model, self._tokens[:, None], positions, self._layers)
        self._choose(hidden[:, 0])
        self._positions.add_(1)

    def _choose(self, hidden: torch.Tensor) -> None:
        self._tokens.copy_(self._model.lm_head(hidden).argmax(dim=-1))

    def load(self, seen: Sequence[Seen], given: Sequence[Sequence[int]]) -> None:
        """Rows beyond those given are left empty and see only themselves."""
        for tensor in self._all:
            tensor.zero_()
        for row, (tile, opening) in enumerate(zip(seen, given, strict=True)):
            for ours, theirs in zip(self._layers, tile.layers, strict=True):
                for here, there in zip(ours, theirs, strict=True):
                    here[row, :, : tile.tokens].copy_(there)
            self._given[row, : len(opening)] = torch.tensor(opening)
            self._counts[row] = len(opening)
            self._positions[row] = tile.tokens

    def hold(self, writing: Writing) -> bool:
        """Makes the tensors `writing`'s, and sets aside what another had in them; whether they
        held nothing of its own yet."""
        holder = self._holder() if self._holder else None
        if holder is writing:
            return False
        if holder is not None:
            holder.aside = [tensor.clone() for tensor in self._all]
        self._holder = weakref.ref(writing)
        if writing.aside is None:
            return True
        for tensor, kept in zip(self._all, writing.aside, strict=True):
            tensor.copy_(kept)
        writing.aside = None
        return False

    @property
    def _all(self) -> list[torch.Tensor]:
        kept = [tensor for layer in self._layers for tensor in layer]
        return [*kept, self._given, self._counts, self._tokens, self._positions]

    def tokens(self) -> list[int]:
        """The next of each row; waits for the device."""
        found: list[int] = self._tokens.tolist()
        return found


class Writing:
    """A few answers on their way. Another may use the same rows in between two tokens."""

    def __init__(
        self,
        rows: Rows,
        seen: Sequence[Seen],
        given: Sequence[Sequence[int]],
        stops: Collection[int],
    ) -> None:
        self._rows, self._seen, self._given, self._stops = rows, seen, given, stops
        self._written: list[list[int]] = []
        self.aside: list[torch.Tensor] | None = None

    def row(self, number: int) -> Iterator[int]:
        """Greedy tokens after the row's opening, up to a stop or MAX_NEW_TOKENS. The row that is
        furthest on takes the others along."""
        for count in range(MAX_NEW_TOKENS):
            if len(self._written) <= count:
                self._advance()
            token = self._written[count][number]
            if token in self._stops:
                return
            yield token

    # Entered afresh for each token: the mode belongs to a thread, and a generator may be resumed
    # on another one.
    @torch.inference_mode()
    def _advance(self) -> None:
        if self._rows.hold(self):
            self._rows.load(self._seen, self._given)
            self._rows.open()
        else:
            self._rows.step()
        self._written.append(self._rows.tokens())


def empty(model: Any, rows: int, length: int) -> Layers:  # noqa: ANN401
    config: PretrainedConfig = model.config.get_text_config()
    shape = (rows, config.num_key_value_heads, length, config.head_dim)

    def zeros() -> torch.Tensor:
        return torch.zeros(shape, dtype=model.dtype, device=model.device)

    return [(zeros(), zeros()) for _ in range(config.num_hidden_layers)]
