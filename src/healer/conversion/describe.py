"""What a conversion records of its source, and the tiles it is verified on by default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import PIL.Image

from healer.conversion.request import Sample
from healer.engines.base import Question
from healer.engines.openvino.conversion_record import (
    Attention,
    Described,
    Image,
    Precision,
    Rotary,
    Source,
    Tokens,
    Weights,
)
from healer.engines.transformers.loading import offline, quiet
from healer.engines.transformers.model import soundness_tile
from healer.engines.vlm.prompt import Prompt, chat_text, messages
from healer.errors.engine import NotConvertible
from healer.screening.screener import known_tile
from healer.weights.manifest import Manifest


def known_samples() -> tuple[Sample, ...]:
    """Two drawn tiles, the same everywhere."""
    return (
        Sample("drawn nuclei", known_tile()),
        Sample("eosin alone", soundness_tile()),
    )


def load_processor(folder: Path) -> Any:  # noqa: ANN401
    from transformers import AutoProcessor

    with offline(), quiet():
        # One resampling everywhere: torchvision's, where it is installed, gives other pixels.
        return AutoProcessor.from_pretrained(  # type: ignore[no-untyped-call]
            folder, local_files_only=True, trust_remote_code=False, backend="pil"
        )


def describe(
    found: Manifest,
    folder: Path,
    config: Any,  # noqa: ANN401
    processor: Any,  # noqa: ANN401
    weights: Weights,
) -> Described:
    """Raises NotConvertible."""
    return Described(
        source=Source(model_id=found.model_id, revision=found.revision, adapter=found.adapter),
        precision=Precision(vision="int8", language=weights),
        image=image_of(processor, config, found.model_id),
        tokens=tokens_of(folder, config, found.model_id),
        attention=attention_of(config.text_config),
    )


def image_of(processor: Any, config: Any, model_id: str) -> Image:  # noqa: ANN401
    """Raises NotConvertible where images are not preprocessed as Gemma 3's."""
    settings = processor.image_processor.to_dict()
    side = config.vision_config.image_size
    if dict(settings["size"]) != {"height": side, "width": side} or settings.get("do_pan_and_scan"):
        raise NotConvertible(model_id, f"its pictures are not made {side} pixels square")
    for step in ("do_resize", "do_rescale", "do_normalize"):
        if not settings[step]:
            raise NotConvertible(model_id, f"its pictures are prepared without {step}")
    return Image(
        size=side,
        tokens=config.mm_tokens_per_image,
        mean=tuple(settings["image_mean"]),
        std=tuple(settings["image_std"]),
        rescale=settings["rescale_factor"],
        resample=settings["resample"],
    )


def tokens_of(folder: Path, config: Any, model_id: str) -> Tokens:  # noqa: ANN401
    """The stops are those of `generate`."""
    from transformers import GenerationConfig

    generation = GenerationConfig.from_pretrained(folder, local_files_only=True)
    stops = generation.eos_token_id
    if stops is None:
        raise NotConvertible(model_id, "its generation_config.json names no end of an answer")
    text = config.text_config
    return Tokens(
        bos=text.bos_token_id,
        start_of_image=config.boi_token_index,
        image=config.image_token_id,
        end_of_image=config.eoi_token_index,
        stops=(stops,) if isinstance(stops, int) else tuple(stops),
        vocabulary=text.vocab_size,
        window=text.max_position_embeddings,
    )


def attention_of(text: Any) -> Attention:  # noqa: ANN401
    return Attention(
        kinds=tuple(text.layer_types),
        sliding_window=text.sliding_window,
        heads=text.num_key_value_heads,
        width=text.head_dim,
        rotary={
            kind: Rotary(base=each["rope_theta"], factor=each.get("factor", 1))
            for kind, each in text.rope_parameters.items()
        },
    )


def check_prompt(
    processor: Any,  # noqa: ANN401
    prompt: Prompt,
    question: Question,
    model_id: str,
) -> None:
    """Raises NotConvertible where serving would send other tokens than its own template does."""
    text = processor.apply_chat_template(
        messages(question), tokenize=False, add_generation_prompt=True
    )
    if text != chat_text(question.text):
        raise NotConvertible(model_id, "its chat template is not Gemma 3's")
    blank = PIL.Image.new("RGB", (16, 16))
    # The chat template has written <bos>.
    made = processor(text=[text], images=[[blank]], add_special_tokens=False)
    if tuple(made["input_ids"][0]) != prompt.ids:
        raise NotConvertible(model_id, "its processor makes other tokens of the prompt")
