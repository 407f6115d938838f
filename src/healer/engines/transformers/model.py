"""One loaded Gemma 3: a prefill a batch of tiles, then greedy tokens from any tile's own cache; and
whether what was loaded gives usable numbers.

Gemma 3 in 8-bit has been seen to write gibberish or nothing, and names of modules to leave alone
have silently ceased to match; so what was loaded is checked, not what was configured.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from healer.engines.base import OnPictures, OnStageEnd, ignore_pictures, ignore_stage
from healer.engines.transformers.many_pictures import PictureReader
from healer.engines.vlm.prompt import (
    find_answer_tokens,
    mass,
    messages,
    pictures_that_fit,
)
from healer.engines.vlm.sentence import MAX_NEW_TOKENS, text_pieces
from healer.engines.vlm.thinking import empty_thought
from healer.errors.engine import ModelUnsound
from healer.errors.slides import TooManyPictures
from healer.images.tile import Tile

if TYPE_CHECKING:
    from transformers import DynamicCache

    from healer.engines.base import Question

# A working model puts nearly all its probability on yes or no; gibberish next to none.
SENSIBLE_MASS = 0.01


class Gemma:
    """`model` is a Gemma3ForConditionalGeneration, `processor` its Gemma3Processor."""

    def __init__(self, model: Any, processor: Any, question: Question) -> None:  # noqa: ANN401
        self.model = model
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.pictures = PictureReader(model, processor)
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
        yield from self._greedy(cache, self.step(cache, given), MAX_NEW_TOKENS)

    def _greedy(self, cache: DynamicCache, token: int, most: int) -> Iterator[int]:
        """`token` and what follows it, up to a stop or `most` tokens."""
        for _ in range(most):
            if token in self.stops:
                return
            yield token
            token = self.step(cache, [token])

    def write(
        self,
        model_id: str,
        text: str,
        pictures: Sequence[Tile],
        most_tokens: int,
        on_pictures: OnPictures = ignore_pictures,
    ) -> Iterator[str]:
        """What the model says of all `pictures` together. Raises TooManyPictures."""
        ids, shown = self.pictures.ids(text, len(pictures)), len(pictures)
        prompt, window = len(ids), int(self.model.config.text_config.max_position_embeddings)
        most = pictures_that_fit(window, prompt, shown, self.processor.image_seq_length)
        if most < shown:
            reason = f"they make {prompt:,} tokens, and it reads {window:,}"
            raise TooManyPictures(model_id, shown, most, reason)
        try:
            cache, token = self.pictures.prefill(ids, pictures, on_pictures)
        except torch.OutOfMemoryError:
            self.pictures.forget()
            reason = "they need more memory than the device has"
            raise TooManyPictures(model_id, shown, shown // 2, reason) from None
        if thought := empty_thought(self.tokenizer.backend_tokenizer, token):
            token = self.step(cache, thought)
        left = window - prompt - len(thought)
        tokens = self._greedy(cache, token, min(most_tokens, left))
        return text_pieces([], tokens, self._decode)

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


def check_report(model_id: str, report: dict[str, Any]) -> None:
    """Every weight came from the checkpoint: transformers fills a missing one with noise."""
    for problem in ("missing_keys", "mismatched_keys", "error_msgs"):
        if names := sorted(map(str, report[problem])):
            what = problem.replace("_", " ")
            raise ModelUnsound(model_id, f"{len(names)} {what}, {names[0]} first")


def check_layers(model_id: str, model: Any) -> None:  # noqa: ANN401
    """Every linear layer of the language model is 8-bit, and no other is."""
    from bitsandbytes.nn.modules import Linear8bitLt

    language = set(model.model.language_model.modules())
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and isinstance(module, Linear8bitLt) != (
            module in language
        ):
            kind = type(module).__name__
            raise ModelUnsound(model_id, f"{name} is {kind}, so 8-bit took the wrong layers")


def check_answers(model_id: str, gemma: Gemma) -> float:
    """The probability of yes or no, in [0, 1], on a known tile; its logits must be finite."""
    if not (gemma.answers.yes and gemma.answers.no):
        raise ModelUnsound(model_id, "its tokenizer has no single token for yes or for no")
    logits, _ = gemma.prefill([soundness_tile()])
    if not bool(logits.isfinite().all()):
        raise ModelUnsound(model_id, "a known tile gives logits that are not finite")
    return mass(logits[0].numpy(force=True), gemma.answers)


def soundness_tile() -> Tile:
    """Noise around the pink of eosin, the same on every machine."""
    noise = np.random.default_rng(0).normal((230, 170, 200), 12, (224, 224, 3))
    return Tile(noise.clip(0, 255).astype(np.uint8))
