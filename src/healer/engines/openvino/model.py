"""One converted Gemma 3: a tile's first answer token, then greedy tokens from the prompt's end.

A tile is always read in two steps, the prompt up to the end of the image and then the question,
and the second always starts from the cache that the first left. So an image that is in the cache
is answered exactly as one that is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from healer.engines.base import OnStageEnd, ignore_stage
from healer.engines.openvino.cache import Floats, ImageCache, Packed, Snapshot, key_of
from healer.engines.openvino.graphs import Language, Vision, squared
from healer.engines.vlm.prompt import Prompt, encode
from healer.engines.vlm.sentence import MAX_NEW_TOKENS, text_pieces

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from healer.engines.openvino.conversion_record import Described
    from healer.images.tile import Tile


@dataclass(frozen=True, slots=True)
class Gemma:
    record: Described
    tokenizer: Tokenizer
    vision: Vision
    language: Language
    cache: ImageCache

    def prompt(self, question: str) -> Prompt:
        return encode(self.tokenizer, question, self.record.image.tokens)

    def prefill(
        self, tile: Tile, prompt: Prompt, end_stage: OnStageEnd = ignore_stage
    ) -> tuple[Floats, Snapshot]:
        """Logits (vocabulary,) of the first answer token, and the state after the prompt."""
        run = self.language.run(self._read_image(tile, prompt.prefix, end_stage))
        found = run.step(prompt.question), run.save()
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
        run = self.language.run()
        run.step(prefix, features)
        seen = Packed.of(run.save())
        self.cache.keep(key, features, seen)
        return seen.unpacked()

    def _continue_tokens(self, prompted: Snapshot, given: Sequence[int]) -> Iterator[int]:
        """Greedy tokens after `given`, up to a stop or MAX_NEW_TOKENS."""
        run = self.language.run(prompted)
        tokens = given
        for _ in range(MAX_NEW_TOKENS):
            token = int(run.step(tokens).argmax())
            if token in self.record.tokens.stops:
                return
            yield token
            tokens = [token]

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=True))
