"""Gemma as it runs on a GPU: everything has its size beforehand, so that it can be recorded.

The same prompt stands before every tile, and answers are written into caches of one length, used
again for each request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from healer.engines.base import Answer, OnStageEnd, ignore_stage
from healer.engines.transformers.capture import Ways, quickest, ways
from healer.engines.transformers.model import Gemma
from healer.engines.transformers.pixels import Normal, batches, to_device
from healer.engines.transformers.reading import Layers, Prompt, prefill_prompt, prompt
from healer.engines.transformers.rows import Rows, Seen, Writing
from healer.engines.transformers.soundness import soundness_tile
from healer.engines.vlm.prompt import opening

if TYPE_CHECKING:
    from healer.engines.base import Question
    from healer.images.tile import Tile

TILES_AT_ONCE = 8  # a GPU is busy with fewer; more only take memory
ROWS = (1, 2, 4, 8, 16, 32)


class StaticGemma(Gemma):
    """Answers as Gemma does, to the last bits. Nothing is recorded before it is first needed, so
    an adapter may still be attached."""

    def __init__(
        self,
        model: Any,  # noqa: ANN401
        processor: Any,  # noqa: ANN401
        question: Question,
        known: Ways | None = None,
    ) -> None:
        super().__init__(model, processor, question)
        self._ways = known or ways(model.device)
        openings = (opening(question, answer) for answer in Answer)
        self._opening_tokens = max(len(self.encode(text)) for text in openings)
        self._rows: dict[int, Rows] = {}

    @torch.inference_mode()
    def prefill(
        self, tiles: Sequence[Tile], ended: OnStageEnd = ignore_stage
    ) -> tuple[torch.Tensor, list[Seen]]:
        """Logits of the first answer token, float32 (tiles, vocabulary), and what was kept of each
        tile. The device is not waited for between batches, so it sees one while the next is
        resized."""
        found: list[torch.Tensor] = []
        seen: list[Seen] = []
        for pixels in batches(self.processor.image_processor, tiles, TILES_AT_ONCE):
            if not found:
                ended("preprocess")
            logits, layers = self._look(to_device(pixels, self.model.device))
            found.append(logits.float())
            seen += (Seen(one_of(layers, row)) for row in range(len(pixels)))
        return torch.cat(found), seen

    def _look(self, pixels: torch.Tensor) -> tuple[torch.Tensor, Layers]:
        if len(pixels) == 1:
            return self._recorded(pixels)
        return self._see(pixels)

    def _see(self, pixels: torch.Tensor) -> tuple[torch.Tensor, Layers]:
        return prefill_prompt(self.model, self._prompt, self._normal(pixels))

    @cached_property
    def _normal(self) -> Normal:
        return Normal(self.processor.image_processor, self.model.device)

    @cached_property
    def _prompt(self) -> Prompt:
        inputs = self.inputs([soundness_tile()])
        return prompt(self.model, inputs["input_ids"], inputs["token_type_ids"] == 1)

    @cached_property
    def _recorded(self) -> OneLook:
        return OneLook(self._see, self.model, self.processor, self._ways)

    def knows(self, state: object) -> bool:
        return isinstance(state, Seen)

    def continue_rows(
        self, states: Sequence[Seen], given: Sequence[Sequence[int]]
    ) -> list[Iterator[int]]:
        """Written side by side: whichever is asked for its next token takes the others along."""
        iterators: list[Iterator[int]] = []
        for start in range(0, len(states), ROWS[-1]):
            some = slice(start, start + ROWS[-1])
            writing = Writing(self.rows(len(states[some])), states[some], given[some], self.stops)
            iterators += (writing.row(number) for number in range(len(states[some])))
        return iterators

    @torch.inference_mode()
    def rows(self, count: int) -> Rows:
        """Of the next size up."""
        size = next(size for size in ROWS if size >= count)
        if size not in self._rows:
            self._rows[size] = Rows(
                self.model, size, self._prompt.tokens, self._opening_tokens, self._ways
            )
        return self._rows[size]

    @property
    def how(self) -> dict[str, str]:
        """In which way each recorded work runs, of those that have been needed."""
        found = {"look": self._recorded.how} if "_recorded" in self.__dict__ else {}
        for size, rows in self._rows.items():
            found |= {f"opening, {size}": rows.opened, f"decoding, {size}": rows.stepped}
        return found


class OneLook:
    """A look at one tile, recorded: there launching takes as long as the work itself."""

    def __init__(self, see: Any, model: Any, processor: Any, known: Ways) -> None:  # noqa: ANN401
        self._see = see
        side = processor.image_processor.size
        shape = (1, 3, side["height"], side["width"])
        self._pixels = torch.zeros(shape, dtype=torch.uint8, device=model.device)
        self._logits, self._layers = see(self._pixels)
        self._work, self.how = quickest(self._once, "looking at a tile", known.prefill)

    def _once(self) -> None:
        logits, layers = self._see(self._pixels)
        self._logits.copy_(logits)
        for ours, theirs in zip(self._layers, layers, strict=True):
            for here, there in zip(ours, theirs, strict=True):
                here.copy_(there)

    def __call__(self, pixels: torch.Tensor) -> tuple[torch.Tensor, Layers]:
        self._pixels.copy_(pixels)
        self._work()
        kept = [(keys.clone(), values.clone()) for keys, values in self._layers]
        return self._logits.clone(), kept


def one_of(layers: Layers, row: int) -> Layers:
    """A row of each layer, (heads, tokens, width): copied where there are more, so that a batch
    need not be kept whole for one of its tiles."""
    if layers[0][0].shape[0] == 1:
        return [(keys[0], values[0]) for keys, values in layers]
    return [(keys[row].clone(), values[row].clone()) for keys, values in layers]
