from __future__ import annotations

from contextvars import copy_context

import pytest

from healer.telemetry.request_trace import RequestTrace, Stage, current_trace, tracing_request


def test_a_stage_begins_where_the_one_before_it_ended() -> None:
    trail = RequestTrace()
    trail.reached("receive")
    trail.passed("queue", 0.5)
    trail.reached("score", {"infer": 0.1})
    received, queued, scored = trail.legs
    assert received.began == trail.began
    assert queued.began == received.ended
    assert queued.seconds == 0.5
    assert scored.began == queued.ended
    assert scored.parts == {"infer": 0.1}


def test_stages_that_ended_just_now_are_laid_one_after_another() -> None:
    trail = RequestTrace()
    trail.ended({"decode": 0.25, "gate": 0.5})
    decoded, gated = trail.legs
    assert (decoded.seconds, gated.seconds) == (0.25, 0.5)
    assert decoded.ended == gated.began
    assert gated.ended <= trail.now()
    assert trail.seconds("gate") == 0.5
    assert trail.seconds("explain") is None


def test_it_is_found_where_the_requests_context_is() -> None:
    with tracing_request(RequestTrace()) as trail:
        context = copy_context()
        assert current_trace() is trail
    assert context.run(current_trace) is trail
    assert current_trace() is not trail


def test_outside_of_a_request_nobody_is_told() -> None:
    current_trace().reached("score")
    assert current_trace().legs == []


def test_a_leg_is_measured_in_seconds() -> None:
    assert Stage("gate", 10**9, 3 * 10**9).seconds == pytest.approx(2)
