"""The whole engine on a tiny checkpoint, against the transformers engine in float32."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from healer.engines.openvino import CONVERSION_FILE, products
from healer.engines.openvino.conversion_record import (
    read_conversion,
    write_conversion,
)
from healer.engines.vlm.adapter import CONFIG, WEIGHTS, write_adapter

pytest.importorskip("openvino")
pytest.importorskip("torch")

from healer.engines.base import Answer, Evidence
from healer.engines.openvino.cache import Packed
from healer.engines.openvino.engine import OpenVINOEngine
from healer.engines.openvino.graph import Request
from healer.engines.openvino.model import squared
from healer.engines.transformers.engine import MedGemmaEngine
from healer.engines.vlm.adapter import AdapterManifest
from healer.errors import (
    AdapterNotMerged,
    ConversionAltered,
    ConversionIncomplete,
    ModelNotReady,
    ModelUnsound,
)
from healer.images.tile import Tile
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.settings.loading import Settings
from healer.weights.manifest import ManifestFile, sha256_of
from tests.gemma import MODEL_ID, PINK, REVISION, WHITE

if TYPE_CHECKING:
    from healer.engines.openvino.model import Gemma
    from tests.engines.openvino.conftest import Load

# What 8-bit weights, activations and keys take from a margin of about 4 at this size.
INT8_ERROR = 0.1


def noise(seed: int, height: int = 90, width: int = 70) -> Tile:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Tile(pixels)


TILES = [PINK, WHITE, noise(0), noise(1, 3, 200)]


class Counted:
    """An infer request that really runs, and counts how often."""

    def __init__(self, request: Any) -> None:  # noqa: ANN401
        self._request, self.runs = request, 0

    def infer(self, *given: Any) -> Any:  # noqa: ANN401
        self.runs += 1
        return self._request.infer(*given)


def gemma_of(engine: OpenVINOEngine) -> Gemma:
    gemma = engine._gemma
    assert gemma is not None
    return gemma


def counted(engine: OpenVINOEngine) -> Counted:
    vision = gemma_of(engine).vision
    counting = Counted(vision.request)
    vision.request = counting
    return counting


@pytest.fixture(scope="module")
def float32(taught: Path) -> MedGemmaEngine:
    return MedGemmaEngine.load(
        taught,
        COLORECTAL_CANCER,
        device="cpu",
        dtype="float32",
        quantization="none",
        allow_fallback=False,
        threads=1,
    )


def test_margins_and_masses_are_those_of_float32(
    engine: OpenVINOEngine, float32: MedGemmaEngine
) -> None:
    for ours, theirs in zip(engine.score(TILES), float32.score(TILES), strict=True):
        assert ours.margin == pytest.approx(theirs.margin, abs=INT8_ERROR)
        assert ours.mass == pytest.approx(theirs.mass, abs=0.02)


@pytest.mark.parametrize("answer", list(Answer))
def test_explanations_are_those_of_float32(
    engine: OpenVINOEngine, float32: MedGemmaEngine, answer: Answer
) -> None:
    ours, theirs = engine.score([PINK])[0], float32.score([PINK])[0]
    assert list(engine.explain(ours, answer)) == list(float32.explain(theirs, answer))


def test_says_what_it_is(engine: OpenVINOEngine, float32: MedGemmaEngine) -> None:
    info = engine.info
    assert (info.engine, info.device, info.quantization) == ("openvino", "cpu", "int8")
    assert (info.model_id, info.revision, info.adapter) == (MODEL_ID, REVISION, None)
    number, *others = info.dtype.split("+")
    assert number in ("float32", "bfloat16")
    ours = products.available()
    assert (others[-1:] in (["int8-products"], ["int16-products"])) == ours
    assert info.prompt_id == float32.info.prompt_id  # the same prompt
    assert info.preprocessing_id != float32.info.preprocessing_id


def test_a_tiles_score_does_not_depend_on_its_batch(engine: OpenVINOEngine) -> None:
    alone = [engine.score([tile])[0].margin for tile in TILES]
    assert [one.margin for one in engine.score(TILES)] == alone


def test_an_image_seen_before_is_answered_bit_for_bit_the_same(shared: Path, load: Load) -> None:
    engine = load(shared)
    fresh = engine.score([PINK])[0]
    again = engine.score([PINK])[0]
    forgetful = load(shared, cache_mb=0).score([PINK])[0]
    assert again.margin == fresh.margin == forgetful.margin
    assert again.mass == fresh.mass == forgetful.mass


def test_an_explanation_does_not_encode_the_image_again(engine: OpenVINOEngine) -> None:
    vision = counted(engine)
    evidence = engine.score([PINK])[0]
    assert vision.runs == 1
    for answer in Answer:
        assert list(engine.explain(evidence, answer))
    assert vision.runs == 1


def test_a_second_question_does_not_encode_the_image_again(engine: OpenVINOEngine) -> None:
    vision = counted(engine)
    gemma = gemma_of(engine)
    engine.score([PINK])
    second = gemma.prompt("Is there mucus? Answer yes or no.")
    logits, prompted = gemma.prefill(PINK, second)
    assert vision.runs == 1
    gemma.cache.clear()
    encoded, _ = gemma.prefill(PINK, second)
    assert vision.runs == 2
    assert np.array_equal(logits, encoded)
    assert prompted.length == len(second.ids)


def test_with_the_default_settings_a_second_question_reads_itself_alone(
    shared: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No pass of the vision tower, and one step of the language model: the question's tokens."""
    engine = load(shared, cache_mb=Settings.model_fields["image_cache_mb"].default)
    vision, gemma, steps = counted(engine), gemma_of(engine), []
    infer = Request.infer

    def counting(request: Any, tokens: Any, *given: Any) -> None:  # noqa: ANN401
        steps.append(len(tokens))
        infer(request, tokens, *given)

    monkeypatch.setattr(Request, "infer", counting)
    first, second = gemma.prompt(COLORECTAL_CANCER.text), gemma.prompt("Is there mucus?")
    gemma.prefill(PINK, first)
    assert steps == [len(first.prefix), len(first.question)]
    steps.clear()
    gemma.prefill(PINK, second)
    assert steps == [len(second.question)]
    assert vision.runs == 1


def test_what_is_packed_is_what_the_runtime_holds(shared: Path, load: Load) -> None:
    """It rounds to the same steps: nothing is lost by packing but the last bits of a float, and
    the next token's logits do not move by more."""
    gemma = gemma_of(load(shared, dtype="float32"))
    prompt, image = gemma.prompt(COLORECTAL_CANCER.text), gemma.record.image
    features = gemma.vision.features(squared(PINK, image.size, image.resample))
    _, read = gemma.language.read_on(None, prompt.prefix, features)
    saved = gemma.language.run(read).save()
    unpacked = Packed.of(saved).unpacked()
    assert saved.states
    for name, state in saved.states.items():
        reach = state.max(-1, keepdims=True) - state.min(-1, keepdims=True)
        assert (np.abs(unpacked.states[name] - state) <= reach * 1e-5).all()
    logits = [gemma.language.read_on(each, prompt.question)[0] for each in (saved, unpacked)]
    assert np.abs(logits[0] - logits[1]).max() < 1e-2


def test_features_alone_spare_the_vision_tower_where_memory_is_short(
    shared: Path, load: Load
) -> None:
    engine = load(shared, cache_mb=1)
    gemma = gemma_of(engine)
    gemma.cache.budget = 10_000  # of features about 4 kB, of keys and values about 13 kB
    vision = counted(engine)
    first = engine.score([PINK])[0]
    assert 0 < gemma.cache.nbytes <= gemma.cache.budget
    assert engine.score([PINK])[0].margin == first.margin
    assert vision.runs == 1


def test_without_a_cache_every_tile_is_encoded(shared: Path, load: Load) -> None:
    engine = load(shared, cache_mb=0)
    vision = counted(engine)
    engine.score([PINK, PINK])
    assert vision.runs == 2


def test_what_was_restored_goes_on_as_what_ran(engine: OpenVINOEngine) -> None:
    gemma = gemma_of(engine)
    prompt = gemma.prompt(COLORECTAL_CANCER.text)
    _, prompted = gemma.prefill(PINK, prompt)
    live = gemma.language.run(prompted)
    ids = gemma.tokenizer.encode("Yes, the glands", add_special_tokens=False).ids
    live.step(ids)
    restored = gemma.language.run(live.save())
    assert restored.length == live.length == len(prompt.ids) + len(ids)
    assert np.allclose(restored.step([ids[0]]), live.step([ids[0]]), atol=1e-3)


def test_two_steps_come_close_to_one(engine: OpenVINOEngine) -> None:
    """What reading the question over 8-bit keys and values costs, against a prefill in one go."""
    gemma = gemma_of(engine)
    prompt = gemma.prompt(COLORECTAL_CANCER.text)
    image = gemma.record.image
    features = gemma.vision.features(squared(PINK, image.size, image.resample))
    whole, _ = gemma.language.read_on(None, prompt.ids, features)
    logits, _ = gemma.prefill(PINK, prompt)
    assert np.abs(whole - logits).max() < 0.1


def test_explanations_taken_turn_by_turn_do_not_mix(engine: OpenVINOEngine) -> None:
    pink, white = engine.score([PINK, WHITE])
    alone = [
        list(engine.explain(pink, Answer.YES)),
        list(engine.explain(white, Answer.NO)),
    ]
    together: list[list[str]] = [[], []]
    running = [engine.explain(pink, Answer.YES), engine.explain(white, Answer.NO)]
    while running:
        for index, pieces in enumerate(running):
            engine.score([WHITE])
            together[index].extend(islice(pieces, 1))
        running = running if len(together[0]) == len(together[1]) else []
    for whole, part in zip(alone, together, strict=True):
        assert len(part) > 1
        assert part == whole[: len(part)]


def test_closing_an_explanation_stops_the_model(
    engine: OpenVINOEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    kind: Any = type(gemma_of(engine).language.run())
    step = kind.step

    def counting(run: Any, *given: Any) -> Any:  # noqa: ANN401
        steps.append(run)
        return step(run, *given)

    monkeypatch.setattr(kind, "step", counting)
    evidence = engine.score([PINK])[0]
    steps.clear()
    whole = engine.explain(evidence, Answer.YES)
    assert not steps
    list(whole)
    all_of_them = len(steps)
    steps.clear()
    half = engine.explain(evidence, Answer.YES)
    next(half)
    taken = len(steps)
    assert 0 < taken < all_of_them
    half.close()  # type: ignore[attr-defined]
    assert list(half) == []
    assert len(steps) == taken


def test_evidence_of_another_engine_is_refused(engine: OpenVINOEngine) -> None:
    with pytest.raises(TypeError):
        engine.explain(Evidence(margin=1.0), Answer.YES)


def test_a_closed_engine_says_so(engine: OpenVINOEngine) -> None:
    engine.close()
    with pytest.raises(ModelNotReady):
        engine.score([PINK])


def test_an_unfinished_folder_is_refused(converted: Path, load: Load) -> None:
    (converted / CONVERSION_FILE).unlink()
    with pytest.raises(ConversionIncomplete, match="healer optimize"):
        load(converted)


@pytest.mark.parametrize("name", ["vision.bin", "language.xml", "tokenizer.json"])
def test_an_altered_file_is_refused(converted: Path, load: Load, name: str) -> None:
    data = bytearray((converted / name).read_bytes())
    data[len(data) // 2] ^= 1
    (converted / name).write_bytes(data)
    with pytest.raises(ConversionAltered, match=name):
        load(converted)


def test_a_graph_that_cannot_be_read_is_unsound(converted: Path, load: Load) -> None:
    spoil(converted, "language.xml", b"<net>")
    with pytest.raises(ModelUnsound, match="could not be loaded"):
        load(converted)


def test_a_tokenizer_of_another_model_is_unsound(converted: Path, load: Load) -> None:
    text = (converted / "tokenizer.json").read_text(encoding="utf-8")
    spoil(converted, "tokenizer.json", text.replace("<image_soft_token>", "<picture>").encode())
    with pytest.raises(ModelUnsound, match="tokenizer"):
        load(converted)


def test_a_prompt_longer_than_the_window_is_unsound(converted: Path, load: Load) -> None:
    record = read_conversion(converted)
    tokens = record.tokens.model_copy(update={"window": 128})
    write_conversion(converted, record.model_copy(update={"tokens": tokens}))
    with pytest.raises(ModelUnsound, match="128"):
        load(converted)


def spoil(place: Path, name: str, content: bytes) -> None:
    """Replaces a file, and lists it as if it had always been so."""
    (place / name).write_bytes(content)
    record = read_conversion(place)
    entry = ManifestFile(name=name, size=len(content), sha256=sha256_of(place / name))
    files = tuple(entry if file.name == name else file for file in record.files)
    write_conversion(place, record.model_copy(update={"files": files}))


def test_a_second_start_takes_the_compiled_graphs(converted: Path, load: Load) -> None:
    """Both, where neither has a layer of ours."""
    first = load(converted, dtype="float32").score([PINK])[0]
    blobs = list(converted.with_name("openvino-compiled").glob("*.blob"))
    assert len(blobs) == 2
    second = load(converted, dtype="float32")
    assert second.score([PINK])[0].margin == first.margin
    assert list(converted.with_name("openvino-compiled").glob("*.blob")) == blobs


def test_a_folder_that_cannot_be_written_is_served(converted: Path, load: Load) -> None:
    from healer.engines.openvino.loading import compiled_cache

    place = converted.parent
    assert compiled_cache(converted) == place / "openvino-compiled"
    place.chmod(0o555)
    try:
        assert load(converted).score([PINK])
    finally:
        place.chmod(0o755)


def adapter(folder_: Path) -> AdapterManifest:
    """A finished adapter folder with files of no use."""
    folder_.mkdir()
    files = []
    for name in (CONFIG, WEIGHTS):
        (folder_ / name).write_text(name)
        size, digest = len(name), sha256_of(folder_ / name)
        files.append(ManifestFile(name=name, size=size, sha256=digest))
    made = AdapterManifest(
        model_id=MODEL_ID,
        revision=REVISION,
        dataset="none",
        tiles=1,
        cases=1,
        recipe={},
        files=tuple(files),
    )
    write_adapter(folder_, made)
    return made


def test_an_adapter_that_was_merged_before_converting_is_served(
    converted: Path, load: Load, tmp_path: Path
) -> None:
    made = adapter(tmp_path / "adapter")
    record = read_conversion(converted)
    source = record.source.model_copy(update={"adapter": made.id})
    write_conversion(converted, record.model_copy(update={"source": source}))
    engine = load(converted, adapter=tmp_path / "adapter")
    assert engine.info.adapter == f"merged-{made.id}"


def test_an_adapter_that_was_not_is_refused(converted: Path, load: Load, tmp_path: Path) -> None:
    adapter(tmp_path / "adapter")
    with pytest.raises(AdapterNotMerged, match="healer optimize"):
        load(converted, adapter=tmp_path / "adapter")
