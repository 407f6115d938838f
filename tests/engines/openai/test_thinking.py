"""Models that think before they answer: recognised, reported, disabled, and never quoted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from healer import errors
from healer.cli import app
from healer.engines.base import Answer
from healer.engines.openai.engine import OpenAIEngine
from healer.images.tile import Tile
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.screening.screener import Screener, known_tile
from tests.engines.openai.conftest import BRIEF, Open
from tests.engines.openai.upstream import Upstream

PINK = Tile(np.full((64, 64, 3), (230, 170, 200), np.uint8))
MARKS = ["<unused94>thought\n", "thought\n", "<think>\n", "[THINK]", "<|channel>thought\n"]
STOPS = ["enable_thinking", "reasoning_effort", "opening"]
NOTHING = "The model gave no explanation."


def screened(engine: OpenAIEngine) -> tuple[Answer, str]:
    (screening,) = Screener(engine).screen([PINK])
    return screening.verdict.answer, screening.explanation


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("stop", STOPS)
def test_thinking_is_disabled_where_the_server_allows(opened: Open, mark: str, stop: str) -> None:
    with Upstream(thinks=mark, stopped_by=frozenset({stop})) as upstream:
        engine = opened(upstream)
        assert any(
            "thinks before it answers; it is kept from it" in w for w in engine.info.warnings
        )
        answer, explanation = screened(engine)
        assert answer is Answer.YES
        assert explanation.endswith("because the glands are crowded and the nuclei are large.")
        first, *_ = (body for body in upstream.requests[-2:] if body.get("logprobs"))
        assert (first["messages"][-1]["role"] == "assistant") is (stop == "opening")


def test_an_opening_goes_behind_the_thought_in_the_models_own_marks(opened: Open) -> None:
    with Upstream(thinks="<unused94>thought\n", stopped_by=frozenset({"opening"})) as upstream:
        opened(upstream).score([PINK])
        request = upstream.requests[-1]
    assert request["messages"][-1] == {
        "role": "assistant",
        "content": "<unused94>thought\n<unused95>",
    }
    assert request["continue_final_message"] is True


@pytest.mark.parametrize("mark", MARKS)
def test_where_it_cannot_be_it_is_reported_and_nothing_is_made_of_it(
    opened: Open, mark: str
) -> None:
    with Upstream(thinks=mark, continues=False) as upstream:
        engine = opened(upstream)
        assert any("cannot be made to leave that out" in each for each in engine.info.warnings)
        assert screened(engine) == (Answer.INDETERMINATE, NOTHING)


def test_thoughts_that_a_server_sets_apart_are_seen_too(opened: Open) -> None:
    with Upstream(thinks="hm", thinks_apart=True, stopped_by=frozenset({"opening"})) as upstream:
        assert screened(opened(upstream))[0] is Answer.YES
    with (
        Upstream(thinks="hm", thinks_apart=True, continues=False) as upstream,
        pytest.raises(errors.UpstreamUnsuited, match=r"thinks before it answers.*no top_logprobs"),
    ):
        OpenAIEngine.load(upstream.url, COLORECTAL_CANCER, retries=BRIEF)


def test_a_calibration_is_bound_to_how_thinking_is_disabled(opened: Open) -> None:
    with Upstream() as plain, Upstream(thinks="<think>", stopped_by=frozenset({"opening"})) as one:
        assert opened(plain).info.prompt_id != opened(one).info.prompt_id


def test_a_model_that_does_not_think_gets_the_usual_request(
    upstream: Upstream, opened: Open
) -> None:
    engine = opened(upstream)
    assert engine.info.warnings == ()
    engine.score([PINK])
    assert [turn["role"] for turn in upstream.requests[-1]["messages"]] == ["user"]
    assert not {"chat_template_kwargs", "reasoning_effort"} & upstream.requests[-1].keys()


@pytest.mark.parametrize(
    "does", [{}, {"continues": False, "obeys_grammar": True}, {"continues": False}]
)
@pytest.mark.parametrize(
    "words",
    ["<unused94>thought\nThe user asks", "thought\nThe user asks", "Okay, the user asks for"],
)
def test_a_thought_is_never_the_explanation(
    opened: Open, monkeypatch: pytest.MonkeyPatch, does: dict[str, bool], words: str
) -> None:
    """Of a model that thinks only now and then, whatever the server can be held to."""
    if not does and words.startswith("Okay"):
        pytest.skip("a continued sentence may begin with any word")
    with Upstream(**does) as upstream:  # type: ignore[arg-type]
        engine = opened(upstream)
        (evidence,) = engine.score([PINK])
        monkeypatch.setattr(upstream, "_text", lambda _: words)
        assert "".join(engine.explain(evidence, Answer.YES)) == NOTHING


@pytest.mark.parametrize("command", [["predict", "tile.png"], ["doctor"]])
def test_the_command_line_says_so_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(known_tile().pixels).save("tile.png")
    with Upstream(thinks="<think>", continues=False) as upstream:
        fields = {
            "HEALER_ENGINE": "openai",
            "HEALER_ENGINE_URL": upstream.url,
            "HEALER_GATE": "off",
        }
        done = CliRunner().invoke(app, command, env=fields)
    assert "this model thinks before it answers" in " ".join(done.output.split()), done.output
