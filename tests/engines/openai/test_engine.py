"""What the engine makes of a server, sound or not. Every server here is a real one."""

from __future__ import annotations

import logging
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from pydantic import SecretStr

from healer import errors
from healer.engines.base import Answer
from healer.engines.openai import engine as engine_module
from healer.engines.openai.engine import OpenAIEngine
from healer.engines.openai.prompt import LIKELIEST, png
from healer.images.tile import Tile
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.screening.screener import Screener, known_tile
from tests.engines.openai.conftest import BRIEF, Open
from tests.engines.openai.upstream import (
    KEY,
    MODEL,
    Fault,
    Upstream,
    answered,
    late,
    replied,
)

PINK = Tile(np.full((64, 64, 3), (230, 170, 200), np.uint8))


def explained(engine: OpenAIEngine, answer: Answer = Answer.YES) -> str:
    return "".join(engine.explain(engine.score([PINK])[0], answer))


def refused(upstream: Upstream, kind: type[errors.UpstreamError], why: str, **more: object) -> None:
    with pytest.raises(kind, match=why) as refusal:
        OpenAIEngine.load(upstream.url, COLORECTAL_CANCER, retries=BRIEF, **more)  # type: ignore[arg-type]
    assert upstream.url in str(refusal.value)


def test_the_tile_goes_as_it_is_with_the_same_question(
    upstream: Upstream, engine: OpenAIEngine
) -> None:
    engine.score([PINK])
    request = upstream.requests[-1]
    (message,) = request["messages"]
    picture, text = message["content"]
    assert picture["image_url"]["url"] == png(PINK)
    assert text == {"type": "text", "text": COLORECTAL_CANCER.text}
    assert (request["max_tokens"], request["logprobs"], request["temperature"]) == (1, True, 0)
    assert (request["model"], request["top_logprobs"]) == (MODEL, LIKELIEST)


def test_the_margin_comes_with_what_it_could_be(engine: OpenAIEngine) -> None:
    (evidence,) = engine.score([PINK])
    assert evidence.bounds is not None
    assert evidence.bounds[0] < evidence.margin < evidence.bounds[1]


def test_it_answers_a_screener(engine: OpenAIEngine) -> None:
    (screening,) = Screener(engine).screen([known_tile()])
    assert screening.prediction.startswith("Yes. Yes, colorectal cancer is present in this image")


@pytest.mark.parametrize(
    ("does", "warned"),
    [
        ({"continues": True}, False),
        ({"continues": False, "obeys_grammar": True}, False),
        ({"continues": False}, True),
    ],
)
def test_what_a_server_can_be_held_to_is_found_out(
    opened: Open, does: dict[str, bool], warned: bool
) -> None:
    with Upstream(**does) as upstream:  # type: ignore[arg-type]
        engine = opened(upstream)
        assert bool(engine.info.warnings) is warned
        assert explained(engine).startswith("Yes, colorectal cancer is present in this image")


def test_a_server_that_contradicts_is_not_quoted(opened: Open) -> None:
    with Upstream(continues=False, words="No, it looks healthy.") as upstream:
        assert explained(opened(upstream)) == "The model gave no explanation."


def test_fewer_tokens_are_requested_of_a_server_that_lists_fewer(
    upstream: Upstream, opened: Open
) -> None:
    upstream.most_listed = 5
    opened(upstream).score([PINK])
    assert upstream.requests[-1]["top_logprobs"] == 5


def test_the_only_model_needs_no_name(upstream: Upstream, opened: Open) -> None:
    assert opened(upstream).info.model_id == MODEL


def test_one_of_several_is_named(upstream: Upstream, opened: Open) -> None:
    upstream.cards = [{"id": "one"}, {"id": "two"}]
    assert opened(upstream, model="two").info.model_id == "two"
    refused(upstream, errors.UpstreamModelUnknown, "lists one, two$|lists one, two[.]")
    refused(upstream, errors.UpstreamModelUnknown, "lists one, two, not three", model="three")


def test_a_server_without_a_list_is_believed(upstream: Upstream, opened: Open) -> None:
    upstream.cards = None
    refused(upstream, errors.UpstreamModelUnknown, "does not list its models")
    engine = opened(upstream, model="endpoint")
    assert engine.info.model_id == "endpoint"
    assert engine.trouble() is None


def test_a_calibration_is_bound_to_server_and_model(upstream: Upstream, opened: Open) -> None:
    first = opened(upstream).info
    assert upstream.cards is not None
    upstream.cards = [{**upstream.cards[0], "created": 2}]
    assert opened(upstream).info == first
    upstream.cards = [{**upstream.cards[0], "root": "/models/another"}]
    another = opened(upstream).info
    upstream.fingerprint = "build-2"
    rebuilt = opened(upstream).info
    with Upstream() as elsewhere:
        revisions = {first.revision, another.revision, rebuilt.revision}
        assert len(revisions | {opened(elsewhere).info.revision}) == 4


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"choices": [{"message": {"content": "Yes"}, "logprobs": None}]}, "no top_logprobs"),
        ({"choices": []}, "no top_logprobs"),
        ({"choices": [{"logprobs": {"content": [{"top_logprobs": None}]}}]}, "top_logprobs"),
        ({"choices": [{"logprobs": {"content": [{"top_logprobs": [
            {"token": "Yes", "logprob": math.nan}]}]}}]}, "not a number"),
        ({"choices": [{"logprobs": {"content": [{"top_logprobs": [
            {"token": "Yes", "logprob": None}]}]}}]}, "logprob"),
        (["nothing", "of", "the", "kind"], "the body"),
    ],
)  # fmt: skip
def test_an_answer_without_probabilities_is_refused(
    upstream: Upstream, engine: OpenAIEngine, broken: object, why: str
) -> None:
    upstream.faults.append(replied(broken))
    with pytest.raises(errors.UpstreamUnsuited, match=why):
        engine.score([PINK])


def test_a_server_without_probabilities_is_refused_when_probed(upstream: Upstream) -> None:
    upstream.listed = lambda _: []
    refused(upstream, errors.UpstreamUnsuited, "no top_logprobs")


@pytest.mark.parametrize(
    "faults",
    [
        [answered(429, {"Retry-After": "0"}), answered(429)],
        [answered(503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})],
        [answered(500), answered(502)],
    ],
)
def test_a_transient_failure_is_retried(
    upstream: Upstream, engine: OpenAIEngine, faults: list[Fault]
) -> None:
    before = len(upstream.requests)
    upstream.faults.extend(faults)
    assert engine.score([PINK])[0].margin > 0
    assert len(upstream.requests) - before == len(faults) + 1
    upstream.faults.extend(faults)
    assert "because" in "".join(engine.explain(engine.score([PINK])[0], Answer.NO))


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (answered(400), errors.UpstreamUnsuited),
        (answered(401), errors.UpstreamKeyRejected),
        (answered(403), errors.UpstreamKeyRejected),
        (answered(404), errors.UpstreamModelUnknown),
        (answered(413), errors.UpstreamUnsuited),
        (answered(429, {"Retry-After": "3600"}), errors.UpstreamBusy),
    ],
)
def test_a_permanent_failure_is_not_retried(
    upstream: Upstream, engine: OpenAIEngine, fault: Fault, kind: type[Exception]
) -> None:
    before = len(upstream.requests)
    upstream.faults.append(fault)
    with pytest.raises(kind):
        engine.score([PINK])
    assert len(upstream.requests) - before == 1
    assert engine.score([PINK])[0].margin > 0


def test_a_busy_server_is_not_a_sick_one(upstream: Upstream, engine: OpenAIEngine) -> None:
    upstream.faults.extend([answered(429)] * BRIEF.attempts)
    with pytest.raises(errors.UpstreamBusy, match="429"):
        engine.score([PINK])
    assert engine.trouble() is None


def test_a_server_that_keeps_failing_is_left_alone_and_tried_again(
    upstream: Upstream, opened: Open
) -> None:
    engine = opened(upstream, replace(BRIEF, rest=0.3))
    upstream.faults.extend([answered(500)] * BRIEF.threshold)
    with pytest.raises(errors.UpstreamUnreachable, match="status 500"):
        engine.score([PINK])
    before = len(upstream.requests)
    assert "kept failing (status 500: sorry)" in str(engine.trouble())
    with pytest.raises(errors.UpstreamUnreachable, match="kept failing"):
        engine.score([PINK])
    assert len(upstream.requests) == before
    while engine.trouble():
        pass
    assert engine.score([PINK])[0].margin > 0


def test_a_slow_server_times_out(upstream: Upstream, opened: Open) -> None:
    engine = opened(upstream, replace(BRIEF, timeout=0.3, attempts=1))
    upstream.faults.append(late(1))
    with pytest.raises(errors.UpstreamUnreachable, match="took too long"):
        engine.score([PINK])


def test_a_server_that_is_gone_is_trouble_and_one_that_is_back_is_not(opened: Open) -> None:
    with Upstream() as upstream:
        engine = opened(upstream)
        assert engine.trouble() is None
    assert "does not answer" in str(engine.trouble())
    with pytest.raises(errors.UpstreamUnreachable, match="Check that it runs"):
        engine.score([PINK])
    with pytest.raises(errors.UpstreamUnreachable):
        opened(upstream)


def test_a_server_that_lost_or_changed_its_model_is_trouble(
    upstream: Upstream, engine: OpenAIEngine
) -> None:
    upstream.cards = []
    assert f"no longer lists {MODEL}" in str(engine.trouble())
    upstream.cards = [{"id": MODEL, "owned_by": "us", "root": "/models/another"}]
    assert "otherwise" in str(engine.trouble())
    upstream.fingerprint = "build-2"
    with pytest.raises(errors.UpstreamChanged, match="fingerprint"):
        engine.score([PINK])


def test_no_answer_is_given_by_a_model_that_took_anothers_place(
    upstream: Upstream, engine: OpenAIEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "MODEL_LIST_SECONDS", 0)
    former = upstream.cards
    upstream.cards = [{"id": MODEL, "owned_by": "us", "root": "/models/another"}]
    with pytest.raises(errors.UpstreamChanged, match="otherwise"):
        engine.score([PINK, PINK])
    upstream.cards = former
    assert engine.score([PINK])[0].margin > 0


@pytest.mark.parametrize("pieces", [0, 3])
def test_a_stream_that_is_cut_is_an_error_and_no_half_sentence(
    upstream: Upstream, engine: OpenAIEngine, pieces: int
) -> None:
    (evidence,) = engine.score([PINK])
    upstream.cut_after = pieces
    with pytest.raises(errors.UpstreamUnreachable):
        list(engine.explain(evidence, Answer.YES))


def test_an_error_within_a_stream_is_one(upstream: Upstream, engine: OpenAIEngine) -> None:
    (evidence,) = engine.score([PINK])
    upstream.faults.append(answered(200))
    with pytest.raises(errors.UpstreamError, match="answered 200 with an error: sorry"):
        list(engine.explain(evidence, Answer.YES))


def test_leaving_an_explanation_stops_the_server(upstream: Upstream, engine: OpenAIEngine) -> None:
    upstream.endless = True
    pieces = engine.explain(engine.score([PINK])[0], Answer.YES)
    assert next(pieces).startswith("Yes, ")
    pieces.close()  # type: ignore[attr-defined]
    assert upstream.left.wait(10)


def test_threads_are_answered_side_by_side(engine: OpenAIEngine) -> None:
    shades = [Tile(np.full((8, 8, 3), (90 + 20 * n, 150, 150), np.uint8)) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        margins = [evidence[0].margin for evidence in pool.map(lambda t: engine.score([t]), shades)]
    assert margins == sorted(margins)
    assert [evidence.margin for evidence in engine.score(shades)] == margins


def test_the_key_is_sent_and_neither_it_nor_the_image_is_ever_shown(
    upstream: Upstream, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    engine = opened(upstream, key=SecretStr(KEY))
    (evidence,) = engine.score([PINK])
    shown = [f"{evidence!r}{engine.info!r}{engine.__dict__!r}"]
    image = png(PINK).partition(",")[2]
    for words in (KEY, png(PINK)):
        upstream.faults.append(answered(400, words=words))
        with pytest.raises(errors.UpstreamUnsuited) as refusal:
            engine.score([PINK])
        shown.append(str(refusal.value))
    upstream.faults.extend([answered(500, words=KEY)] * BRIEF.attempts)
    with pytest.raises(errors.UpstreamUnreachable) as failure:
        engine.score([PINK])
    shown += [str(failure.value), caplog.text, str(engine.trouble())]
    assert set(upstream.keys) == {f"Bearer {KEY}"}
    assert caplog.text
    for each in shown:
        assert KEY not in each
        assert image[:40] not in each


def test_without_an_address_the_engine_does_not_open() -> None:
    with pytest.raises(errors.InvalidSettings, match="HEALER_ENGINE_URL must be set"):
        OpenAIEngine.load(None, COLORECTAL_CANCER)


def test_a_closed_engine_sends_no_request(engine: OpenAIEngine) -> None:
    engine.close()
    engine.close()
    assert "closed" in str(engine.trouble())
    with pytest.raises(errors.ModelNotReady):
        engine.score([PINK])


def test_another_engines_evidence_is_refused(engine: OpenAIEngine) -> None:
    (evidence,) = engine.score([PINK])
    with pytest.raises(TypeError, match="not scored by this engine"):
        engine.explain(replace(evidence, state=None), Answer.YES)
