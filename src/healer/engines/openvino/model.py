"""One converted Gemma 3: its graphs, a tile's first answer token, then greedy tokens from the
prompt's end.

A tile is always read in two steps, the prompt up to the end of the image and then the question,
and the second always starts from the cache that the first left. So an image that is in the cache
is answered exactly as one that is not.

The processor of the transformers library resizes with Pillow to a square, whatever the picture's
shape, then rescales and normalises; the last two are the first layers of the converted graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import openvino
from numpy.typing import NDArray
from PIL import Image

from healer.engines.base import OnStageEnd, ignore_stage
from healer.engines.openvino.cache import Floats, ImageCache, Packed, Snapshot, key_of
from healer.engines.openvino.language import (
    Chunk,
    Language,
    chunk_tokens,
    longest_prompt,
    memory_needed,
)
from healer.engines.openvino.run import Run
from healer.engines.vlm.prompt import (
    Prompt,
    chunks,
    encode,
    encode_many,
    pictures_that_fit,
)
from healer.engines.vlm.sentence import MAX_NEW_TOKENS, text_pieces
from healer.engines.vlm.thinking import empty_thought
from healer.errors.slides import TooManyPictures
from healer.hardware import free_memory
from healer.images.tile import Tile

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from healer.engines.openvino.conversion_record import Described

ARITHMETIC = {"f32": "float32", "bf16": "bfloat16"}
Pixels = NDArray[np.uint8]


def squared(tile: Tile, size: int, resample: int) -> Pixels:
    """The tile as RGB uint8 of shape (size, size, 3); `resample` is Pillow's number."""
    picture = Image.fromarray(tile.pixels)
    return np.asarray(picture.resize((size, size), Image.Resampling(resample)))


class Vision:
    """`attention` names its numbers where they are not those of the other layers."""

    def __init__(self, compiled: openvino.CompiledModel, attention: str | None = None) -> None:
        self.request = compiled.create_infer_request()
        hint: openvino.Type = compiled.get_property("INFERENCE_PRECISION_HINT")
        # What is computed in where weights are not quantised, such as norms.
        self.arithmetic: str = ARITHMETIC.get(hint.get_type_name(), hint.get_type_name())
        if attention and attention != self.arithmetic:
            self.arithmetic += f"+{attention}-attention"

    def features(self, pixels: Pixels) -> Floats:
        return np.array(self.request.infer({"pixels": pixels[None]})["features"][0])


@dataclass(frozen=True, slots=True)
class Gemma:
    record: Described
    tokenizer: Tokenizer
    vision: Vision
    language: Language
    cache: ImageCache

    @property
    def arithmetic(self) -> str:
        """Vision's, and that of the language graph's products where it is not float32."""
        products = self.language.products
        return self.vision.arithmetic + (f"+{products}-products" if products else "")

    def prompt(self, question: str) -> Prompt:
        return encode(self.tokenizer, question, self.record.image.tokens)

    def prefill(
        self, tile: Tile, prompt: Prompt, end_stage: OnStageEnd = ignore_stage
    ) -> tuple[Floats, Snapshot]:
        """Logits (vocabulary,) of the first answer token, and the state after the prompt."""
        seen = self._read_image(tile, prompt.prefix, end_stage)
        found = self.language.read_on(seen, prompt.question)
        end_stage("prefill")
        return found

    def continue_text(self, prompted: Snapshot, opening: str) -> Iterator[str]:
        """Text that follows `opening`, in pieces of whole characters; `prompted` stays as it is."""
        given = self.tokenizer.encode(opening, add_special_tokens=False).ids
        return text_pieces(given, self._continue_tokens(prompted, given), self._decode)

    def _read_image(self, tile: Tile, prefix: Sequence[int], end_stage: OnStageEnd) -> Snapshot:
        """The state after the image."""
        image = self.record.image
        pixels = squared(tile, image.size, image.resample)
        key = key_of(pixels)
        end_stage("preprocess")
        if (known := self.cache.prefix(key)) is not None:
            return known.unpacked()
        features = self.cache.features(key)
        if features is None:
            features = self.vision.features(pixels)
            end_stage("vision")
        _, after = self.language.read_on(None, prefix, features)
        seen = Packed.of(after)
        self.cache.keep(key, features, seen)
        return seen.unpacked()

    def write(
        self,
        text: str,
        pictures: Sequence[Tile],
        most_tokens: int,
        end_stage: OnStageEnd = ignore_stage,
    ) -> Iterator[str]:
        """What the model says of all `pictures` together. Stages end with each picture's features
        and each chunk of the prompt. Raises TooManyPictures."""
        ids = encode_many(self.tokenizer, text, len(pictures), self.record.image.tokens)
        self.check_fits(len(ids), len(pictures))
        logits, after = self.read_prompt(ids, pictures, end_stage)
        first, run = int(logits.argmax()), self.language.run(after)
        if thought := empty_thought(self.tokenizer, first):
            for token in thought:
                first = int(run.step([token]).argmax())
        tokens = self._greedy(run, first, min(most_tokens, self.record.tokens.window - run.length))
        return text_pieces([], tokens, self._decode)

    def check_fits(self, tokens: int, shown: int) -> None:
        """Raises TooManyPictures where they are more than the model was made for, or than there is
        memory for."""
        attention, window, free = self.record.attention, self.record.tokens.window, free_memory()
        longest = longest_prompt(attention, window, free)
        most = pictures_that_fit(longest, tokens, shown, self.record.image.tokens)
        if most >= shown:
            return
        reason = f"they make {tokens:,} tokens, and it reads {window:,}"
        if longest < window:
            needed = memory_needed(attention, tokens) / 1e9
            reason = (
                f"they make {tokens:,} tokens, which take about {needed:.3g} GB of memory, and "
            )
            reason += f"{free / 1e9:.3g} GB are free"
        raise TooManyPictures(self.record.source.model_id, shown, most, reason)

    def read_prompt(
        self, ids: Sequence[int], pictures: Sequence[Tile], end_stage: OnStageEnd
    ) -> tuple[Floats, Snapshot]:
        """Logits of the first token to write, and the state before it. Features are made as they
        are read, so that no more are held than a chunk's."""
        image, waiting = self.record.tokens.image, iter(pictures)
        parts = list(chunks(ids, image, chunk_tokens(len(ids))))

        def chunk(part: Sequence[int]) -> Chunk:
            count = part.count(image) // self.record.image.tokens
            found = [self._features(each, end_stage) for each in islice(waiting, count)]
            return part, np.concatenate(found) if found else None

        return self.language.read(map(chunk, parts), end_stage)

    def _features(self, tile: Tile, end_stage: OnStageEnd) -> Floats:
        """Of the cache, where it holds them."""
        pixels = squared(tile, self.record.image.size, self.record.image.resample)
        key = key_of(pixels)
        end_stage("preprocess")
        features = self.cache.features(key)
        if features is None:
            features = self.vision.features(pixels)
            self.cache.keep_features(key, features)
        end_stage("vision")
        return features

    def _continue_tokens(self, prompted: Snapshot, given: Sequence[int]) -> Iterator[int]:
        """Greedy tokens after `given`, up to a stop or MAX_NEW_TOKENS."""
        logits, opened = self.language.read_on(prompted, given)
        yield from self._greedy(self.language.run(opened), int(logits.argmax()), MAX_NEW_TOKENS)

    def _greedy(self, run: Run, token: int, most: int) -> Iterator[int]:
        """`token` and what follows it, up to a stop or `most` tokens."""
        for _ in range(most):
            if token in self.record.tokens.stops:
                return
            yield token
            token = int(run.step([token]).argmax())

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=True))
