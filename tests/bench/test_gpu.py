"""`healer bench --gpu` measures on the CPU here, so that its figures can be trusted there."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from healer.bench import checkpoint, gpu  # noqa: E402
from healer.bench.checkpoint import Recipe  # noqa: E402
from healer.bench.floor import Rates, floor  # noqa: E402
from healer.bench.shapes import SHAPES  # noqa: E402
from healer.cli import app  # noqa: E402
from healer.commands import bench_gpu  # noqa: E402
from healer.commands.bench_gpu import Result, rows, save, show  # noqa: E402
from healer.commands.bench_tables import WIDTH  # noqa: E402
from healer.engines.medgemma.capture import PLAIN  # noqa: E402
from healer.errors import ContenderMissing  # noqa: E402

CARD = {
    "name": "An Abacus",
    "memory": 2**36,
    "used": 2**29,
    "torch": "2.0",
    "matrix": 8e14,
    "bandwidth": 4.8e12,
}


def order(folder: Path, side: str) -> dict[str, Any]:
    return {
        "side": side,
        "device": "cpu",
        "checkpoint": str(folder),
        "question": "Is it?",
        "tokens": 3,
        "repeats": 1,
        "batches": [1, 3],
    }


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    checkpoint.make(folder, Recipe(SHAPES["tiny"]), progress=False)
    return folder


@pytest.fixture
def _one_thread() -> Iterator[None]:
    """At this size more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_one_thread")
def test_both_sides_answer_the_same_tiles(tiny: Path) -> None:
    found = {
        side: gpu.measure(gpu.Order.model_validate(order(tiny, side)))
        for side in ("healer", "generate")
    }
    for figures in found.values():
        assert len(figures["verdicts"]) == 1  # type: ignore[arg-type]
        assert 0 < figures["loaded"] < figures["first"]  # type: ignore[operator]
        for batch, size in zip(figures["batches"], [1, 3], strict=True):  # type: ignore[call-overload]
            assert batch["size"] == size
            assert len(batch["whole"]) == len(batch["begun"]) == 1
            assert min(batch["whole"]) > 0
            assert batch["peak"] > 2**20
    assert found["healer"]["prompt_tokens"] == found["generate"]["prompt_tokens"]
    assert set(found["healer"]["how"].values()) == {PLAIN}  # type: ignore[attr-defined]


def test_a_side_is_a_process(tmp_path: Path) -> None:
    card = bench_gpu.run(order(tmp_path, "ceilings"))
    assert card["torch"] == torch.__version__
    assert card["matrix"] > 0
    assert card["bandwidth"] > 0


def test_its_last_words_are_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").write_text("raise RuntimeError('no luck today')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ContenderMissing, match=r"healer cannot run here: exit 1: .*no luck today"):
        bench_gpu.run(order(tmp_path, "healer"))


def figures(pace: float) -> dict[str, Any]:
    """Twice the time at eight tiles, and a tenth of a second a token."""
    return {
        "loaded": 3.0,
        "first": 4.0,
        "verdicts": [pace, 3 * pace, 2 * pace],
        "prompt_tokens": 334,
        "batches": [
            {"size": 1, "whole": [pace + 0.29], "begun": [pace], "peak": 2**33},
            {"size": 8, "whole": [2 * pace + 0.29], "begun": [2 * pace], "peak": 2**34},
        ],
        "how": {"look": "CUDA graph", "decoding, 1": "compiled CUDA graph"},
    }


@pytest.fixture
def result() -> Result:
    result = Result(SHAPES["medgemma-4b"], 30, CARD)
    result.runs = {"healer": [figures(0.1), figures(0.1)], "generate": [figures(0.4)]}
    result.failures["generate"] = ["exit 1: out of memory"]
    return result


def test_ratios_and_the_floor(result: Result) -> None:
    assert result.least is not None
    found = {row.name: row for row in rows(result, result.least)}
    rates = Rates(matrix=8e14, attention=8e14, read=4.8e12)
    least = floor(SHAPES["medgemma-4b"], 334, rates, weight_bytes=2)
    assert least.decode == pytest.approx(4.8e12 / 7.76e9, rel=0.01)
    verdict = found["Verdict, ms"]
    assert verdict.ratio == pytest.approx(4)
    assert verdict.reached == pytest.approx(least.verdict / 0.2)
    answers = found["Answers/s, 8 at once"]
    assert answers.values["healer"] == [pytest.approx(8 / 0.49)] * 2
    assert answers.ratio == pytest.approx(1.09 / 0.49)
    best = 8 / (8 * least.verdict + 30 / least.decode)
    assert answers.best == pytest.approx(best)
    assert answers.reached == pytest.approx(8 / 0.49 / best)


def test_the_table_says_everything(result: Result, tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=WIDTH)
    show(result, console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for words in (
        "An Abacus, 64 GiB, of which 0.5 were taken before",
        "matrices 800 TFLOP/s, memory 4800 GB/s",
        "200 (100–300)",
        "4.00×",
        "compiled CUDA graph (decoding, 1)",
        "plain generate: 1 of 2 rounds failed; last, exit 1: out of memory",
    ):
        assert words in shown
    assert max(map(len, shown.splitlines())) <= WIDTH
    save(result, tmp_path)
    saved = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert saved["runs"]["healer"][0]["verdicts"] == [0.1, pytest.approx(0.3), 0.2]
    assert saved["floor"]["decode"] > 0


def test_nothing_finished_is_still_a_result() -> None:
    result = Result(SHAPES["tiny"], 30, CARD)
    result.failures["healer"] = ["exit 1: no luck"]
    console = Console(file=io.StringIO(), width=WIDTH)
    show(result, console)
    assert "1 of 1 rounds failed" in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_without_a_gpu_it_says_so_before_it_writes_anything(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["bench", "--gpu"])
    assert done.exit_code == 75
    assert "sees no CUDA device" in " ".join(done.output.split())
    assert list(tmp_path.iterdir()) == []
