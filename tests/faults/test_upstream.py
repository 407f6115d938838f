"""A model behind another server (`HEALER_ENGINE=openai`)"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from healer.engines.openai import engine as engine_module
from healer.engines.openai.client import RetryPolicy
from healer.engines.openai.engine import OpenAIEngine
from healer.main import create_app
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.scheduling import worker
from healer.server import service as service_module
from healer.server import upstream_probe
from tests.engines.openai.upstream import MODEL, Upstream, answered, late, replied
from tests.engines.openai.upstream import Fault as Failing
from tests.faults.fault import Fault, Shown, shows
from tests.faults.service import predict, service, settings
from tests.faults.supervised import free_port
from tests.server.conftest import wait_until_ready

BRIEF = RetryPolicy(timeout=0.5, attempts=2, wait=0.001, jitter=0.001, threshold=3, rest=0.05)
ITSELF = "the server; it is tried again automatically"


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(service_module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(engine_module, "MODEL_LIST_SECONDS", 0)
    monkeypatch.setattr(upstream_probe, "FRESH_SECONDS", 0)


@contextmanager
def before(upstream: Upstream) -> Iterator[TestClient]:
    engine = OpenAIEngine.load(upstream.url, COLORECTAL_CANCER, retries=BRIEF)
    with service(engine) as client:
        yield client


def check(shown: Shown, *faults: Failing) -> None:
    """Its answers meanwhile and after, `faults` being what the server does instead of answering."""
    with Upstream() as upstream, before(upstream) as client:
        upstream.faults.extend(faults)
        shown.client(predict(client))
        upstream.faults.clear()
        shown.probes(client.get)
        check_answers(shown, client)


def check_answers(shown: Shown, client: TestClient) -> None:
    wait_until_ready(client)
    for colour, verdict in (("pink", "yes"), ("green", "no")):
        answer = predict(client, colour)
        shown.recovered(answer)
        assert answer.json()["verdict"] == verdict


@shows(
    Fault(
        "Its server is gone",
        "stopped, then started on the same address",
        status=503,
        code="upstream_unreachable",
        retry_after=5,
        not_ready="does not answer",
        recovery=ITSELF,
        also="Readiness follows it, liveness does not: a restart of Healer would mend nothing.",
    )
)
def test_the_server_is_gone(shown: Shown) -> None:
    port = free_port()
    with Upstream(port=port) as upstream, before(upstream) as client:
        for _ in range(2):
            upstream.stop()
            shown.client(predict(client))
            shown.probes(client.get)
            with Upstream(port=port):
                check_answers(shown, client)


@shows(
    Fault(
        "Its server fails",
        "status 500, again and again",
        status=503,
        code="upstream_unreachable",
        retry_after=5,
        recovery=ITSELF,
        also=f"After {RetryPolicy().threshold} failures in a row it has "
        f"{RetryPolicy().rest:g} s without a request to it, in which `/ready` is 503.",
    )
)
def test_the_server_fails(shown: Shown) -> None:
    check(shown, *[answered(500)] * BRIEF.attempts)


@shows(
    Fault(
        "Its server is overloaded",
        "status 429, again and again",
        status=503,
        code="upstream_busy",
        retry_after=5,
        recovery=ITSELF,
    )
)
def test_the_server_is_busy(shown: Shown) -> None:
    check(shown, *[answered(429)] * BRIEF.attempts)


@shows(
    Fault(
        "Its server answers garbage",
        "200 with no probabilities, with NaN, with no JSON object",
        status=502,
        code="upstream_unsuited",
        recovery=ITSELF,
        also="No verdict is made of it.",
    )
)
@pytest.mark.parametrize(
    "garbage",
    [
        {},
        ["nothing"],
        {"choices": [{"logprobs": None}]},
        {"choices": [{"logprobs": {"content": [{"top_logprobs": [
            {"token": "Yes", "logprob": float("nan")}]}]}}]},
    ],
)  # fmt: skip
def test_the_server_answers_garbage(shown: Shown, garbage: object) -> None:
    check(shown, replied(garbage))


@shows(
    Fault(
        "Its server rejects the key",
        "status 401",
        status=502,
        code="upstream_key_rejected",
        recovery="the operator: HEALER_ENGINE_KEY",
        also="No client needs to send the image again.",
    )
)
def test_the_server_rejects_the_key(shown: Shown) -> None:
    check(shown, answered(401))


@shows(
    Fault(
        "Its server is silent",
        "for longer than HEALER_ENGINE_TIMEOUT",
        status=503,
        code="upstream_unreachable",
        retry_after=5,
        recovery=ITSELF,
    )
)
def test_the_server_is_silent(shown: Shown) -> None:
    check(shown, late(BRIEF.timeout * 2))


@shows(
    Fault(
        "Its server has another model",
        "it lists none for a while, then the same name with other weights",
        status=503,
        code="upstream_changed",
        retry_after=5,
        not_ready="The model's server",
        health="The model's server",
        recovery="Healer reloads the model, and answers where its calibration fits",
        also="It is noticed by the next question, by `/ready` and by the self-test.",
    )
)
def test_the_server_has_another_model(shown: Shown) -> None:
    with Upstream() as upstream:
        chosen = settings(engine="openai", engine_url=upstream.url)
        with TestClient(create_app(chosen)) as client:
            wait_until_ready(client)
            former = predict(client).json()["model"]["revision"]
            upstream.cards = []
            shown.client(predict(client))
            shown.probes(client.get)
            upstream.cards = [{"id": MODEL, "owned_by": "us", "root": "/models/another"}]
            check_answers(shown, client)
            assert predict(client).json()["model"]["revision"] != former


SCRIPT: Sequence[Failing | None] = [
    None,
    answered(500),
    answered(429),
    None,
    replied({"choices": []}),
    answered(502),
    answered(503),
    replied("Yes"),
    None,
    answered(500),
]


def test_no_wrong_answer_is_given_while_it_flaps() -> None:
    """Whatever the server does in between, an answer is the right one or none."""
    outcomes: dict[int, int] = {}
    with Upstream() as upstream, before(upstream) as client:
        for number in range(len(SCRIPT)):
            fault = SCRIPT[number]
            if fault is not None:
                upstream.faults.append(fault)
            colour, verdict = (("pink", "yes"), ("green", "no"))[number % 2]
            answer = predict(client, colour)
            outcomes[answer.status_code] = outcomes.get(answer.status_code, 0) + 1
            if answer.status_code == 200:
                assert answer.json()["verdict"] == verdict
            elif answer.status_code == 502:
                assert answer.json()["code"] == "upstream_unsuited"
                assert "retry-after" not in answer.headers
            else:
                assert answer.status_code == 503
                assert answer.headers["retry-after"] == "5"
        upstream.faults.clear()
        wait_until_ready(client)
        assert predict(client).status_code == 200
    assert min(outcomes[200], outcomes[502]) >= 2
