"""A prompt of many pictures, read chunk by chunk over the library's own cache.

In one pass the scores of 32,000 tokens with each other would be gigabytes a layer. Between chunks
the cache's sliding-window layers keep their window alone.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from transformers.modeling_outputs import BaseModelOutputWithPooling

from healer.engines.base import OnPictures, ignore_pictures
from healer.engines.vlm.prompt import chunks, messages_of_many
from healer.images.tile import Tile

if TYPE_CHECKING:
    from transformers import DynamicCache

CHUNK_TOKENS = 2100  # eight pictures of MedGemma
# Pictures in one pass of the vision tower: on a CPU, where more at once are no quicker, one.
AT_ONCE, AT_ONCE_ON_CPU = 8, 1
KEPT = 128  # pictures whose features are kept: 1.3 MB each of MedGemma in bfloat16


class PictureReader:
    """`model` is a Gemma3ForConditionalGeneration, `processor` its Gemma3Processor."""

    def __init__(self, model: Any, processor: Any) -> None:  # noqa: ANN401
        self._model, self._processor = model, processor
        self._kept: OrderedDict[str, torch.Tensor] = OrderedDict()

    def ids(self, text: str, pictures: int) -> list[int]:
        """The text and the pictures after it, in the model's own chat template."""
        processor = self._processor
        prompt = processor.apply_chat_template(
            messages_of_many(text, pictures), tokenize=False, add_generation_prompt=True
        )
        whole = prompt.replace(processor.boi_token, processor.full_image_sequence)
        # The chat template has written <bos>.
        return list(processor.tokenizer.encode(whole, add_special_tokens=False))

    @torch.inference_mode()
    def prefill(
        self,
        ids: Sequence[int],
        pictures: Sequence[Tile],
        on_pictures: OnPictures = ignore_pictures,
    ) -> tuple[DynamicCache, int]:
        """The cache after the prompt, and the first token."""
        image, token, read = self._model.config.image_token_id, 0, 0
        whole = torch.tensor([ids], device=self._model.device)
        cache: Any = None
        waiting, shown = iter(pictures), 0
        for part in chunks(ids, image, CHUNK_TOKENS):
            start, read = read, read + len(part)
            count = part.count(image) // self._processor.image_seq_length
            outputs = self._model(
                input_ids=whole[:, start:read],
                token_type_ids=(whole[:, :read] == image).long(),  # by position: from the first
                mm_encoder_outputs=self._encoded(list(islice(waiting, count))),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            cache, token = outputs.past_key_values, int(outputs.logits[0, -1].argmax())
            if count:
                shown += count
                on_pictures(shown)
        return cache, token

    def forget(self) -> None:
        """Frees what is kept of pictures."""
        self._kept.clear()

    def _encoded(self, pictures: Sequence[Tile]) -> dict[str, BaseModelOutputWithPooling] | None:
        if not pictures:
            return None
        at_once = AT_ONCE_ON_CPU if self._model.device.type == "cpu" else AT_ONCE
        keys = [key_of(picture) for picture in pictures]
        new = {
            key: picture
            for key, picture in zip(keys, pictures, strict=True)
            if key not in self._kept
        }
        names = list(new)
        for start in range(0, len(names), at_once):
            batch = names[start : start + at_once]
            found = self.features([new[name] for name in batch])
            self._kept |= zip(batch, found[:, None], strict=True)
        features = torch.cat([self._kept[key] for key in keys])
        for key in keys:
            self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return {"image": BaseModelOutputWithPooling(pooler_output=features)}

    def features(self, pictures: Sequence[Tile]) -> torch.Tensor:
        """(pictures, tokens, width) of one pass of the vision tower."""
        pixels = self._processor.image_processor(
            [Image.fromarray(picture.pixels) for picture in pictures],
            do_pan_and_scan=False,
            return_tensors="pt",
        )["pixel_values"]
        found = self._model.model.get_image_features(
            pixels.to(self._model.device), return_dict=True
        )
        features: torch.Tensor = found.pooler_output
        return features


def key_of(picture: Tile) -> str:
    shape = repr(picture.pixels.shape).encode()
    return hashlib.sha256(shape + picture.pixels.tobytes()).hexdigest()
