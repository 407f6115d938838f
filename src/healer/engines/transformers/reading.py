"""Gemma 3's parts put together by hand: prompt and picture read in one pass, then tokens after it.

transformers' own `forward` asks the device how far it is, which a recorded graph cannot answer.
Here masks and positions are tensors, and a cache has its whole length from the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

# Keys and values of each layer, (…, heads, tokens, width).
Layers = list[tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt with one picture, as long for every tile: embeddings (1, tokens, width), where in
    them the picture lies, and what each token sees, (1, 1, tokens, tokens), by kind of layer."""

    embeddings: torch.Tensor
    picture: slice
    masks: dict[str, torch.Tensor]

    @property
    def tokens(self) -> int:
        return self.embeddings.shape[1]


def prompt(model: Any, ids: torch.Tensor, of_picture: torch.Tensor) -> Prompt:  # noqa: ANN401
    """Of token ids (1, tokens) and a boolean mask of the picture's, which lie side by side."""
    places = of_picture[0].nonzero()[:, 0].tolist()
    picture = slice(places[0], places[-1] + 1)
    embeddings = model.get_input_embeddings()(ids.masked_fill(of_picture, 0))
    at = torch.arange(ids.shape[1], device=ids.device)
    together = of_picture[0][:, None] & of_picture[0]
    masks = visible(model, at[:, None], at, also=together)
    return Prompt(embeddings, picture, {kind: mask[None, None] for kind, mask in masks.items()})


def visible(
    model: Any,  # noqa: ANN401
    reader: torch.Tensor,
    read: torch.Tensor,
    also: torch.Tensor | None = None,
) -> dict[str, torch.Tensor]:
    """Which of the positions `read` each `reader` sees: those before it, and `also`; of both, a
    sliding layer sees only its window."""
    seen = read <= reader
    if also is not None:
        seen = seen | also
    window = model.config.get_text_config().sliding_window
    return {"full_attention": seen, "sliding_attention": seen & (read > reader - window)}


class Kept:
    """A transformers cache that gives back what it is given, and keeps it."""

    def __init__(self) -> None:
        self.layers: Layers = []

    def update(
        self, keys: torch.Tensor, values: torch.Tensor, *_: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        self.layers.append((keys, values))
        return keys, values


class Into:
    """A transformers cache of fixed length: writes at `positions` (rows, tokens), a column a row,
    and gives back the whole."""

    def __init__(self, layers: Layers, positions: torch.Tensor) -> None:
        self._layers, self._positions = layers, positions
        self._rows = torch.arange(positions.shape[0], device=positions.device)[:, None]

    def update(
        self, keys: torch.Tensor, values: torch.Tensor, layer: int, *_: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        all_keys, all_values = self._layers[layer]
        all_keys[self._rows, :, self._positions] = keys.transpose(1, 2)
        all_values[self._rows, :, self._positions] = values.transpose(1, 2)
        return all_keys, all_values


def prefill_prompt(model: Any, asked: Prompt, pixels: torch.Tensor) -> tuple[torch.Tensor, Layers]:  # noqa: ANN401
    """Logits of the first answer token (tiles, vocabulary), and what every layer kept."""
    parts = model.model
    features = parts.multi_modal_projector(parts.vision_tower(pixel_values=pixels)[0])
    embeddings = asked.embeddings.repeat(len(pixels), 1, 1)
    embeddings[:, asked.picture] = features.to(embeddings.dtype)
    positions = torch.arange(asked.tokens, device=pixels.device)[None]
    kept = Kept()
    hidden = through(model, embeddings, positions, asked.masks, kept)
    return model.lm_head(hidden[:, -1]), kept.layers


def read_on(
    model: Any,  # noqa: ANN401
    ids: torch.Tensor,
    positions: torch.Tensor,
    layers: Layers,
) -> torch.Tensor:
    """The last layer's output for `ids` at `positions`, both (rows, tokens), whose keys and values
    are written into `layers`. A row sees its own positions up to the one it reads."""
    every = torch.arange(layers[0][0].shape[-2], device=ids.device)
    masks = {kind: m[:, None] for kind, m in visible(model, positions[..., None], every).items()}
    embeddings = model.get_input_embeddings()(ids)
    return through(model, embeddings, positions, masks, Into(layers, positions))


def through(
    model: Any,  # noqa: ANN401
    embeddings: torch.Tensor,
    positions: torch.Tensor,
    masks: dict[str, torch.Tensor],
    cache: Kept | Into,
) -> torch.Tensor:
    hidden: torch.Tensor = model.model.language_model(
        inputs_embeds=embeddings,
        attention_mask=masks,
        position_ids=positions,
        past_key_values=cache,
    ).last_hidden_state
    return hidden
