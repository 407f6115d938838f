from __future__ import annotations

from contextvars import copy_context

import pytest

from healer.telemetry.observation import RequestTrace, Stage, current_trace, tracing_request


def test_a_stage_begins_where_the_one_before_it_ended() -> None:
    trace = RequestTrace()
    trace.end_stage("receive")
    trace.add_stage("queue", 0.5)
    trace.end_stage("score", {"infer": 0.1})
    received, queued, scored = trace.stages
    assert received.started == trace.started
    assert queued.started == received.ended
    assert queued.seconds == 0.5
    assert scored.started == queued.ended
    assert scored.parts == {"infer": 0.1}


def test_stages_that_ended_just_now_are_laid_one_after_another() -> None:
    trace = RequestTrace()
    trace.add_stages({"decode": 0.25, "gate": 0.5})
    decoded, gated = trace.stages
    assert (decoded.seconds, gated.seconds) == (0.25, 0.5)
    assert decoded.ended == gated.started
    assert gated.ended <= trace.now()
    assert trace.seconds("gate") == 0.5
    assert trace.seconds("explain") is None


def test_it_is_found_where_the_requests_context_is() -> None:
    with tracing_request(RequestTrace()) as trace:
        context = copy_context()
        assert current_trace() is trace
    assert context.run(current_trace) is trace
    assert current_trace() is not trace


def test_outside_of_a_request_nothing_is_traced() -> None:
    current_trace().end_stage("score")
    assert current_trace().stages == []


def test_a_leg_is_measured_in_seconds() -> None:
    assert Stage("gate", 10**9, 3 * 10**9).seconds == pytest.approx(2)
