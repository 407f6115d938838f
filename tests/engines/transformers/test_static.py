"""What a GPU runs, on the CPU: the same code with its recording left out, failing, or stood in for
by what is as strict about the work it takes."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from healer.engines.transformers.loading import Plan, load_sound

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from healer.engines.base import Answer  # noqa: E402
from healer.engines.transformers.answer_tokens import margins  # noqa: E402
from healer.engines.transformers.capture import PLAIN, Ways, Work, ways  # noqa: E402
from healer.engines.transformers.engine import MedGemmaEngine  # noqa: E402
from healer.engines.transformers.model import Gemma  # noqa: E402
from healer.engines.transformers.rows import Seen  # noqa: E402
from healer.engines.transformers.static import StaticGemma  # noqa: E402
from healer.engines.vlm.prompt import opening  # noqa: E402
from healer.engines.vlm.sentence import MAX_NEW_TOKENS  # noqa: E402
from healer.screening.question import COLORECTAL_CANCER  # noqa: E402
from tests import gemma as tiny  # noqa: E402
from tests.engines.conformance import EngineConformance  # noqa: E402
from tests.engines.transformers.conftest import Load, Make  # noqa: E402
from tests.engines.transformers.test_engine import (  # noqa: E402
    BATCH_TOLERANCE,
    Calls,
    engine_of,
    generated,
    loud,
    noise,
    reference,
)

if TYPE_CHECKING:
    from healer.engines.base import Engine

DTYPES = ["float32", "bfloat16"]
TILES = [tiny.PINK, tiny.WHITE, noise(0), noise(1, 30, 200), noise(2)]
OPENINGS = [opening(COLORECTAL_CANCER, answer) for answer in Answer]


def pair(
    folder: Path, dtype: str = "float32", known: Ways | None = None
) -> tuple[Gemma, StaticGemma]:
    """The same model, as it runs on the CPU and as it runs on a GPU."""
    plan = Plan(folder, COLORECTAL_CANCER, "tiny", "cpu", dtype, "none")
    plain, _ = load_sound(plan)
    return plain, StaticGemma(plain.model, plain.processor, COLORECTAL_CANCER, known)


@pytest.fixture(scope="module")
def both(taught: Path) -> tuple[Gemma, StaticGemma]:
    return pair(taught)


@pytest.fixture(scope="module")
def static(both: tuple[Gemma, StaticGemma]) -> StaticGemma:
    return both[1]


def texts(gemma: Gemma, seen: Sequence[Seen], openings: Sequence[str]) -> list[str]:
    return ["".join(text) for text in gemma.continue_text(seen, openings)]


@pytest.mark.parametrize("sliding_window", [1024, 24])  # longer and shorter than the prompt
@pytest.mark.parametrize("dtype", DTYPES)
def test_sees_what_the_plain_model_sees(make: Make, dtype: str, sliding_window: int) -> None:
    plain, static = pair(make(sliding_window=sliding_window, seed=3), dtype)
    expected, _ = plain.prefill(TILES)
    found, _ = static.prefill(TILES)
    for row, tile in enumerate(TILES):
        alone, _ = static.prefill([tile])
        for logits in (found[row], alone[0]):
            assert logits.dtype == torch.float32
            spread = float((logits - expected[row]).abs().max())
            assert spread <= {"float32": 1e-4, "bfloat16": 0.07}[dtype]


def test_tokens_are_those_of_generate(make: Make) -> None:
    folder = make(sliding_window=24, seed=3)  # shorter than the prompt
    _, static = pair(folder)
    model, processor = reference(folder, "float32", "none")
    tiles, starts = [noise(1), noise(2)], ["Yes,", OPENINGS[2]]
    _, seen = static.prefill(tiles)
    rows = static.continue_rows(seen, [static.encode(start) for start in starts])
    for tile, start, row in zip(tiles, starts, rows, strict=True):
        ours = list(row)
        theirs = generated(model, processor, tile, start)
        assert 10 < len(ours) <= MAX_NEW_TOKENS
        assert ours == theirs[: len(ours)]
        assert set(theirs[len(ours) :]) <= static.stops


@pytest.mark.parametrize("dtype", DTYPES)
def test_neither_neighbours_nor_padding_move_an_answer(make: Make, dtype: str) -> None:
    folder = make()
    tiny.edit_weights(folder, loud)
    _, static = pair(folder, dtype)
    many = [*TILES, *(noise(seed, 20 * seed, 50) for seed in range(3, 9))]  # more than one batch
    logits, _ = static.prefill(many)
    found = margins(logits, static.answers)
    for row, tile in enumerate(many):
        alone = margins(static.prefill([tile])[0], static.answers)[0]
        assert found[row] == pytest.approx(alone, abs=BATCH_TOLERANCE[dtype], rel=0)


def test_written_side_by_side_as_alone(both: tuple[Gemma, StaticGemma]) -> None:
    plain, static = both
    openings = [*OPENINGS, "Yes,", "No"]  # of many lengths, in rows for eight
    assert len({len(static.encode(text)) for text in openings}) > 3
    _, seen = static.prefill(TILES)
    together = texts(static, seen, openings)
    alone = [texts(static, [one], [text])[0] for one, text in zip(seen, openings, strict=True)]
    assert together == alone == texts(plain, plain.prefill(TILES)[1], openings)
    assert len(set(together)) == len(TILES)


def test_more_answers_than_rows(static: StaticGemma) -> None:
    _, seen = static.prefill([tiny.PINK, tiny.WHITE])
    many = texts(static, [*seen] * 17, OPENINGS[:2] * 17)
    assert many == texts(static, seen, OPENINGS[:2]) * 17


def test_answers_may_take_turns(static: StaticGemma) -> None:
    _, seen = static.prefill([tiny.PINK, tiny.WHITE, noise(0)])
    expected = [texts(static, [one], [OPENINGS[0]])[0] for one in seen]
    running = [static.continue_text([one], [OPENINGS[0]])[0] for one in seen]
    found = [""] * len(running)
    for turn in range(3 * MAX_NEW_TOKENS):
        found[turn % 3] += next(running[turn % 3], "")
    assert found == expected


def test_an_answer_left_halfway_is_forgotten(static: StaticGemma) -> None:
    _, seen = static.prefill([tiny.PINK, tiny.WHITE])
    whole = texts(static, seen[1:], [OPENINGS[1]])
    half = static.continue_text(seen[:1], OPENINGS[:1])[0]
    next(half)
    del half
    gc.collect()
    assert texts(static, seen[1:], [OPENINGS[1]]) == whole
    assert not torch.is_inference_mode_enabled()


def test_the_cache_is_used_again(static: StaticGemma) -> None:
    _, seen = static.prefill([tiny.PINK])
    expected = texts(static, seen, OPENINGS[:1])
    rows = static.rows(1)
    places = [tensor.data_ptr() for tensor in rows._all]
    with torch.inference_mode():
        for keys, _ in rows._layers:
            keys.fill_(torch.nan)  # nothing of an earlier answer may shine through
    assert texts(static, seen, OPENINGS[:1]) == expected
    assert static.rows(1) is rows
    assert [tensor.data_ptr() for tensor in rows._all] == places


def test_the_image_is_looked_at_once(static: StaticGemma, load: Load, taught: Path) -> None:
    engine = engine_of(static, load, taught)
    evidence = engine.score([tiny.PINK, tiny.WHITE])
    looks = Calls(static.model.model.vision_tower)
    asked = [(evidence[0], Answer.YES), (evidence[1], Answer.NO)]
    assert ["".join(text) for text in engine.explain_all(asked)] == [
        "".join(engine.explain(*each)) for each in asked
    ]
    assert looks.count == 0


class Recordable(TorchDispatchMode):
    """Lets through only what a CUDA graph can hold: nothing that asks the device, or that takes
    numbers from the host."""

    FORBIDDEN = ("_local_scalar_dense", "nonzero", "masked_select", "lift_fresh", "equal", "unique")

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kernels: list[str] = []

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401
        types: object,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        name = str(func.overloadpacket.__name__)
        assert name not in self.FORBIDDEN, name
        self.kernels.append(name)
        return func(*args, **(kwargs or {}))


def kernels(work: Work) -> list[str]:
    with Recordable() as seen:
        work()
    return list(seen.kernels)


def watched(work: Work) -> Work:
    """Must launch the same kernels each time."""
    work()
    recorded = kernels(work)
    assert len(recorded) > 100

    def again() -> None:
        assert kernels(work) == recorded

    return again


def compiled(work: Work) -> Work:
    """Takes it whole or not at all, and never twice."""
    made: Work = torch.compile(work, fullgraph=True, backend="eager")
    return made


def impossible(work: Work) -> Work:
    work()
    raise RuntimeError("no such thing here\nand a trace")


def test_nothing_in_it_asks_the_device(taught: Path) -> None:
    known = Ways({"compiled": compiled}, {"watched": watched})
    plain, recorded = pair(taught, known=known)
    for tile, start in zip(TILES[:2], OPENINGS, strict=False):
        logits, seen = recorded.prefill([tile])
        expected, caches = plain.prefill([tile])
        assert float((logits - expected).abs().max()) < 1e-4
        assert texts(recorded, seen, [start]) == texts(plain, caches, [start])
    assert set(recorded.how) == {"look", "opening, 1", "decoding, 1"}
    assert set(recorded.how.values()) == {"watched", "compiled"}


@pytest.mark.parametrize(
    "work",
    [lambda: torch.ones(1).item(), lambda: torch.tensor([1.0]), lambda: torch.ones(2).nonzero()],
)
def test_what_asks_is_caught(work: Work) -> None:
    with pytest.raises(AssertionError):
        kernels(work)


def test_what_cannot_be_recorded_runs_all_the_same_and_says_so(
    both: tuple[Gemma, StaticGemma],
) -> None:
    plain, _ = both
    known = Ways({"a": impossible, "b": impossible}, {"b": impossible})
    clumsy = StaticGemma(plain.model, plain.processor, COLORECTAL_CANCER, known)
    with capture_logs() as logs:
        _, seen = clumsy.prefill([tiny.PINK])
        found = texts(clumsy, seen, OPENINGS[:1])
    assert found == texts(plain, plain.prefill([tiny.PINK])[1], OPENINGS[:1])
    assert set(clumsy.how.values()) == {PLAIN}
    assert [(entry["log_level"], entry["work"], entry["without"]) for entry in logs] == [
        ("warning", "looking at a tile", "b"),
        ("warning", "reading an opening", "b"),
        ("warning", "decoding", "a"),
        ("warning", "decoding", "b"),
    ]
    assert {entry["cause"] for entry in logs} == {"RuntimeError: no such thing here"}


def test_only_cuda_without_8_bit_is_recorded(taught: Path) -> None:
    def recordable(device: str, quantization: str) -> bool:
        plan = Plan(taught, COLORECTAL_CANCER, "x", device, "bfloat16", quantization)
        return plan.recordable

    assert recordable("cuda", "none")
    assert not recordable("cuda", "8bit")
    assert not recordable("cpu", "none")
    assert not recordable("mps", "none")
    assert ways(torch.device("cpu")) == Ways({}, {})
    assert list(ways(torch.device("cuda")).step) == ["compiled CUDA graph", "CUDA graph"]


class TestConformance(EngineConformance):
    @pytest.fixture
    def engine(self, static: StaticGemma, load: Load, taught: Path) -> Iterator[Engine]:
        engine = MedGemmaEngine(static, COLORECTAL_CANCER, load(taught).info)
        yield engine
        engine.close()
