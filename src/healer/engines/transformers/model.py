"""One loaded Gemma 3: a prefill a batch of tiles, then greedy tokens from any tile's own cache."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from healer.engines.base import OnStageEnd, ignore_stage
from healer.engines.vlm.answer_tokens import find_answer_tokens
from healer.engines.vlm.prompt import messages
from healer.engines.vlm.sentence import MAX_NEW_TOKENS, text_pieces

if TYPE_CHECKING:
    from transformers import DynamicCache

    from healer.engines.base import Question
    from healer.images.tile import Tile


class Gemma:
    """`model` is a Gemma3ForConditionalGeneration, `processor` its Gemma3Processor."""

    def __init__(self, model: Any, processor: Any, question: Question) -> None:  # noqa: ANN401
        self.model = model
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.answers = find_answer_tokens(self.tokenizer.backend_tokenizer)
        self.prompt: str = processor.apply_chat_template(
            messages(question), tokenize=False, add_generation_prompt=True
        )
        stops = model.generation_config.eos_token_id
        self.stops = frozenset([stops] if isinstance(stops, int) else stops or [])

    @property
    def preprocessing(self) -> dict[str, Any]:
        """Everything that decides which pixels the model sees."""
        processor = self.processor.image_processor
        return {"class": type(processor).__name__, **processor.to_dict()}

    @torch.inference_mode()
    def prefill(
        self, tiles: Sequence[Tile], end_stage: OnStageEnd = ignore_stage
    ) -> tuple[torch.Tensor, list[DynamicCache]]:
        """Logits of the first answer token, float32 (tiles, vocabulary), and a cache per tile."""
        inputs = self.inputs(tiles)
        end_stage("preprocess")
        outputs = self.model(**inputs, use_cache=True, logits_to_keep=1)
        logits = outputs.logits[:, -1].float()
        return logits, [fork(outputs.past_key_values, row) for row in range(len(tiles))]

    def inputs(self, tiles: Sequence[Tile]) -> dict[str, torch.Tensor]:
        """The prompt and each tile, on the model's device. All prompts are the same tokens, so
        none is padded and a tile's answer does not hang on its neighbours."""
        inputs = self.processor(
            text=[self.prompt] * len(tiles),
            images=[[Image.fromarray(tile.pixels)] for tile in tiles],
            return_tensors="pt",
            add_special_tokens=False,  # the chat template has written <bos>
            do_pan_and_scan=False,
        )
        return dict(inputs.to(self.model.device))

    def continue_text(self, cache: DynamicCache, opening: str) -> Iterator[str]:
        """Text that follows `opening`, in pieces of whole characters; `cache` is not changed."""
        given = list(self.tokenizer.encode(opening, add_special_tokens=False))
        return text_pieces(given, self.continue_tokens(cache, given), self._decode)

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True))

    def continue_tokens(self, cache: DynamicCache, given: Sequence[int]) -> Iterator[int]:
        """Greedy tokens after the cached prompt and `given`, up to a stop or MAX_NEW_TOKENS."""
        cache = fork(cache, 0)
        token = self.step(cache, given)
        for _ in range(MAX_NEW_TOKENS):
            if token in self.stops:
                return
            yield token
            token = self.step(cache, [token])

    # Entered afresh for each token: the mode belongs to a thread, and a generator may be resumed
    # on another one.
    @torch.inference_mode()
    def step(self, cache: DynamicCache, tokens: Sequence[int]) -> int:
        ids = torch.tensor([tokens], device=self.model.device)
        outputs = self.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return int(outputs.logits[0, -1].argmax())


def fork(cache: DynamicCache, row: int) -> DynamicCache:
    """One row of `cache` as a cache of its own. Appending replaces a layer's tensors and never
    writes into them, so the original stays usable; a batch's rows are copied to let it go."""
    twin = copy.copy(cache)
    layers: list[Any] = [copy.copy(layer) for layer in cache.layers]
    for layer in layers:
        if layer.keys.shape[0] > 1:
            layer.keys = layer.keys[row : row + 1].clone()
            layer.values = layer.values[row : row + 1].clone()
    twin.layers = layers
    return twin
