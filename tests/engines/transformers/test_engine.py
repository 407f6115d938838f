from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from healer.engines.transformers.loading import Plan, load_sound, quiet

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from healer.engines.base import Answer, Evidence  # noqa: E402
from healer.engines.transformers.engine import MedGemmaEngine  # noqa: E402
from healer.engines.transformers.model import Gemma  # noqa: E402
from healer.engines.vlm.prompt import opening  # noqa: E402
from healer.engines.vlm.sentence import (  # noqa: E402
    MAX_NEW_TOKENS,
    one_sentence,
)
from healer.errors import ModelNotReady, ModelUnsound  # noqa: E402
from healer.images.tile import Tile  # noqa: E402
from healer.questions.colorectal import COLORECTAL_CANCER  # noqa: E402
from tests import gemma as tiny  # noqa: E402
from tests.engines.transformers.conftest import KINDS, Load, Make  # noqa: E402

if TYPE_CHECKING:
    Reference = tuple[Any, Any]

# Margin alone against margin in a batch, per kind. 8-bit tiles are scored one by one: equal.
BATCH_TOLERANCE = {"float32": 1e-4, "bfloat16": 2e-2, "8bit": 0.0}
# What rounding each logit to bfloat16 (near 9: sixteenths) takes from the plain reference.
ROUNDING = {"float32": 1e-4, "bfloat16": 0.07}
WORDS = {"yes": ("yes", "Yes", "YES"), "no": ("no", "No", "NO")}


def noise(seed: int, height: int = 90, width: int = 70) -> Tile:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Tile(pixels)


def reference(folder: Path, dtype: str, quantization: str) -> Reference:
    """The model and processor as the model card's example loads them."""
    config = None
    if quantization == "8bit":
        skipped = ["model.vision_tower", "model.multi_modal_projector", "lm_head"]
        config = transformers.BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=skipped)
    with quiet():
        model = transformers.AutoModelForImageTextToText.from_pretrained(
            folder, dtype=getattr(torch, dtype), quantization_config=config
        )
        return model, transformers.AutoProcessor.from_pretrained(folder)


@pytest.mark.parametrize(("dtype", "quantization"), KINDS)
def test_margin_and_mass_are_those_of_the_plain_model(
    taught: Path, load: Load, dtype: str, quantization: str
) -> None:
    engine = load(taught, dtype=dtype, quantization=quantization)
    model, processor = reference(taught, dtype, quantization)
    vocabulary = processor.tokenizer.get_vocab()
    ids = {
        word: [vocabulary[lead + form] for form in forms for lead in ("", "▁")]
        for word, forms in WORDS.items()
    }
    tiles = [tiny.PINK, tiny.WHITE, noise(0)]
    for tile, evidence in zip(tiles, engine.score(tiles), strict=True):
        with torch.no_grad():
            logits = model(**tiny.prompt_inputs(processor, tile)).logits[0, -1].double()
        chances = logits.softmax(-1)
        yes, no = (float(chances[ids[word]].sum()) for word in ("yes", "no"))
        assert evidence.margin == pytest.approx(np.log(yes / no), abs=ROUNDING[dtype])
        assert evidence.mass == pytest.approx(yes + no, abs=ROUNDING[dtype] / 4)


@pytest.mark.parametrize(("dtype", "quantization"), KINDS)
def test_says_what_it_was_taught(taught: Path, load: Load, dtype: str, quantization: str) -> None:
    engine = load(taught, dtype=dtype, quantization=quantization)
    pink, white = engine.score([tiny.PINK, tiny.WHITE])
    assert pink.margin > 2
    assert white.margin < -2
    assert min(pink.mass, white.mass) > 0.9
    assert "".join(engine.explain(pink, Answer.YES)) == (
        "Yes, colorectal cancer is present in this image because "
        "the glands are crowded, e.g. 0.5 µm apart."
    )
    assert "".join(engine.explain(white, Answer.NO)) == (
        "No, colorectal cancer is not seen in this image because "
        "the crypts are even and goblet cells are kept."
    )
    assert "".join(engine.explain(pink, Answer.INDETERMINATE)) == (
        "It cannot be determined from this image whether colorectal cancer is present because "
        "the field is out of focus."
    )


def generated(
    model: Any,  # noqa: ANN401
    processor: Any,  # noqa: ANN401
    tile: Tile,
    start: str,
) -> list[int]:
    """Greedy tokens of the library's own `generate` after the prompt and `start`."""
    inputs = tiny.prompt_inputs(processor, tile)
    given = processor.tokenizer(start, add_special_tokens=False, return_tensors="pt")["input_ids"]
    more = {
        "input_ids": given,
        "attention_mask": torch.ones_like(given),
        "token_type_ids": torch.zeros_like(given),
    }
    for name, extra in more.items():
        inputs[name] = torch.cat([inputs[name], extra], dim=1)
    greedy = transformers.GenerationConfig(
        max_new_tokens=MAX_NEW_TOKENS,
        do_sample=False,
        eos_token_id=model.generation_config.eos_token_id,
        pad_token_id=0,
    )
    tokens = model.generate(**inputs, generation_config=greedy)[0, inputs["input_ids"].shape[1] :]
    return [int(token) for token in tokens]


@pytest.mark.parametrize(("dtype", "quantization"), KINDS)
@pytest.mark.parametrize("answer", list(Answer))
def test_explanation_is_what_generate_writes(
    taught: Path, load: Load, dtype: str, quantization: str, answer: Answer
) -> None:
    engine = load(taught, dtype=dtype, quantization=quantization)
    model, processor = reference(taught, dtype, quantization)
    start = opening(COLORECTAL_CANCER, answer)
    tokens = generated(model, processor, tiny.PINK, start)
    text = processor.decode(tokens, skip_special_tokens=True)
    expected = "".join(one_sentence(start, [text]))
    evidence = engine.score([tiny.WHITE, tiny.PINK])[1]
    assert "".join(engine.explain(evidence, answer)) == expected


@pytest.mark.parametrize("sliding_window", [1024, 24])  # longer and shorter than the prompt
def test_tokens_are_those_of_generate(make: Make, sliding_window: int) -> None:
    folder = make(sliding_window=sliding_window, seed=3)
    plan = Plan(folder, COLORECTAL_CANCER, "tiny", "cpu", "float32", "none")
    gemma, _ = load_sound(plan)
    model, processor = reference(folder, "float32", "none")
    _, caches = gemma.prefill([noise(1), noise(2)])
    for tile, cache in zip([noise(1), noise(2)], caches, strict=True):
        given = gemma.tokenizer.encode("Yes,", add_special_tokens=False)
        ours = list(gemma.continue_tokens(cache, given))
        theirs = generated(model, processor, tile, "Yes,")
        assert len(ours) > 10
        assert ours == theirs[: len(ours)]
        assert set(theirs[len(ours) :]) <= gemma.stops


def loud(weights: tiny.Weights) -> None:
    """Activations past bitsandbytes' outlier threshold, as the real model has them."""
    for name, weight in weights.items():
        if "language_model" in name and "pre_feedforward_layernorm" in name:
            weight[::3] += 3


@pytest.mark.parametrize(("dtype", "quantization"), KINDS)
def test_a_tiles_score_does_not_depend_on_its_batch(
    make: Make, load: Load, dtype: str, quantization: str
) -> None:
    folder = make()
    tiny.edit_weights(folder, loud)
    engine = load(folder, dtype=dtype, quantization=quantization)
    others = [tiny.PINK, tiny.WHITE, *(noise(seed, 20 * seed, 50) for seed in range(1, 6))]
    tolerance = BATCH_TOLERANCE["8bit" if quantization == "8bit" else dtype]
    for seed in range(100, 104):
        alone = engine.score([noise(seed)])[0]
        for batch in ([noise(seed), *others], [*others, noise(seed)]):
            where = 0 if batch[-1] is others[-1] else -1
            among = engine.score(batch)[where]
            assert among.margin == pytest.approx(alone.margin, abs=tolerance, rel=0)
            assert among.mass == pytest.approx(alone.mass, abs=tolerance, rel=0)


def test_explains_again_the_same_and_each_tile_its_own(taught: Path, load: Load) -> None:
    engine = load(taught)
    evidence = engine.score([noise(0), tiny.PINK])
    first = ["".join(engine.explain(one, Answer.YES)) for one in evidence]
    assert ["".join(engine.explain(one, Answer.YES)) for one in evidence] == first
    assert first[0] != first[1]
    alone = engine.score([noise(0)])[0]
    assert "".join(engine.explain(alone, Answer.YES)) == first[0]


class Calls:
    """Counts a module's forward passes."""

    def __init__(self, module: Any) -> None:  # noqa: ANN401
        self.count = 0
        module.register_forward_hook(self._add)

    def _add(self, *_: object) -> None:
        self.count += 1


def engine_of(gemma: Gemma, load: Load, folder: Path) -> MedGemmaEngine:
    return MedGemmaEngine(gemma, COLORECTAL_CANCER, load(folder).info)


def test_the_image_is_encoded_once(gemma: Gemma, load: Load, taught: Path) -> None:
    engine = engine_of(gemma, load, taught)
    forward_calls = Calls(gemma.model.model.vision_tower)
    evidence = engine.score([tiny.PINK, tiny.WHITE])
    for one in evidence:
        "".join(engine.explain(one, Answer.YES))
    assert forward_calls.count == 1


def test_closing_the_explanation_stops_the_work(gemma: Gemma, load: Load, taught: Path) -> None:
    engine = engine_of(gemma, load, taught)
    evidence = engine.score([tiny.PINK])[0]
    steps = Calls(gemma.model)
    pieces = engine.explain(evidence, Answer.YES)
    assert steps.count == 0
    next(pieces)
    halfway = steps.count
    assert halfway > 0
    del pieces
    "".join(engine.explain(evidence, Answer.YES))
    assert steps.count > 2 * halfway
    assert not torch.is_inference_mode_enabled()


def test_a_paused_explanation_leaves_its_thread_alone(taught: Path, load: Load) -> None:
    engine = load(taught)
    pieces = engine.explain(engine.score([tiny.PINK])[0], Answer.YES)
    next(pieces)
    assert not torch.is_inference_mode_enabled()
    weight = torch.ones(1, requires_grad=True)
    (2 * weight).backward()
    assert weight.grad == 2


def test_a_closed_engine_says_so(taught: Path, load: Load) -> None:
    engine = load(taught)
    evidence = engine.score([tiny.PINK])[0]
    engine.close()
    engine.close()
    with pytest.raises(ModelNotReady):
        engine.score([tiny.PINK])
    with pytest.raises(ModelNotReady):
        engine.explain(evidence, Answer.YES)


def test_evidence_of_another_engine_is_refused(taught: Path, load: Load) -> None:
    with pytest.raises(TypeError):
        load(taught).explain(Evidence(margin=0.0), Answer.YES)


def test_numbers_that_are_not_finite_are_never_an_answer(
    gemma: Gemma, load: Load, taught: Path
) -> None:
    engine = engine_of(gemma, load, taught)
    with torch.no_grad():
        gemma.model.model.multi_modal_projector.mm_input_projection_weight[0] = torch.inf
    with pytest.raises(ModelUnsound, match="not finite"):
        engine.score([tiny.PINK])
