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
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino
from numpy.typing import NDArray
from PIL import Image

from healer.engines.base import OnStageEnd, ignore_stage
from healer.engines.openvino.cache import Floats, ImageCache, Packed, Snapshot, key_of
from healer.engines.vlm.prompt import Prompt, encode, encode_many, pictures_that_fit
from healer.engines.vlm.sentence import MAX_NEW_TOKENS, text_pieces
from healer.engines.vlm.thinking import empty_thought
from healer.errors.slides import TooManyPictures
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


class Language:
    """Computes in float32; `products` names the numbers of the products where they are others."""

    def __init__(self, compiled: openvino.CompiledModel, products: str | None = None) -> None:
        self._compiled = compiled
        self.products = products
        width = compiled.input("features").partial_shape[1].get_length()
        self._no_features: Floats = np.empty((0, width), np.float32)

    def run(self, at: Snapshot | None = None) -> Run:
        """A text of its own, begun afresh or taken up where `at` was saved."""
        return Run(self._compiled.create_infer_request(), at, self._no_features)


class Run:
    """One text: `length` tokens so far, in a state that no other run touches."""

    def __init__(
        self,
        request: Any,  # noqa: ANN401 - an infer request, or one that a test counts
        at: Snapshot | None,
        no_features: Floats,
    ) -> None:
        self._request, self._no_features = request, no_features
        self.length = 0
        if at is not None:
            for state in request.query_state():
                state.state = openvino.Tensor(at.states[state.name])
            self.length = at.length

    def step(self, tokens: Sequence[int], features: Floats | None = None) -> Floats:
        """Float32 logits (vocabulary,) of what follows `tokens`, read as by `read`."""
        return np.array(self.read(tokens, features)["logits"].reshape(-1))

    def read(self, tokens: Sequence[int], features: Floats | None = None) -> Any:  # noqa: ANN401
        """`features` are rows for the image tokens among `tokens`. What the graph gives for the
        last of them is overwritten by the next call."""
        given = {
            "token_ids": np.array([tokens], np.int64),
            "features": self._no_features if features is None else features,
            "beam_idx": np.zeros(1, np.int32),
        }
        found = self._request.infer(given)
        self.length += len(tokens)
        return found

    def save(self) -> Snapshot:
        states = {each.name: each.state.data.copy() for each in self._request.query_state()}
        return Snapshot(states, self.length)


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
        run.read(prefix, features)
        seen = Packed.of(run.save())
        self.cache.keep(key, features, seen)
        return seen.unpacked()

    def write(self, text: str, pictures: Sequence[Tile], most_tokens: int) -> Iterator[str]:
        """What the model says of all `pictures` together; its window holds few of them. Raises
        TooManyPictures."""
        image, window, shown = self.record.image, self.record.tokens.window, len(pictures)
        ids = encode_many(self.tokenizer, text, shown, image.tokens)
        most = pictures_that_fit(window, len(ids), shown, image.tokens)
        if most < shown:
            reason = f"they make {len(ids):,} tokens, and it was converted to read {window:,}"
            raise TooManyPictures(self.record.source.model_id, shown, most, reason)
        squares = (squared(picture, image.size, image.resample) for picture in pictures)
        features = np.concatenate([self.vision.features(pixels) for pixels in squares])
        run = self.language.run()
        first = int(run.step(ids, features).argmax())
        if thought := empty_thought(self.tokenizer, first):
            first = int(run.step(thought).argmax())
        tokens = self._greedy(run, first, min(most_tokens, window - run.length))
        return text_pieces([], tokens, self._decode)

    def _continue_tokens(self, prompted: Snapshot, given: Sequence[int]) -> Iterator[int]:
        """Greedy tokens after `given`, up to a stop or MAX_NEW_TOKENS."""
        run = self.language.run(prompted)
        yield from self._greedy(run, int(run.step(given).argmax()), MAX_NEW_TOKENS)

    def _greedy(self, run: Run, token: int, most: int) -> Iterator[int]:
        """`token` and what follows it, up to a stop or `most` tokens."""
        for _ in range(most):
            if token in self.record.tokens.stops:
                return
            yield token
            token = int(run.step([token]).argmax())

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=True))
