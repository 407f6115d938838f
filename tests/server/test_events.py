from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
from starlette.testclient import TestClient

from healer import NOTICE
from healer.engines.base import Answer, Evidence
from healer.errors import ModelUnsound
from healer.main import create_app
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine
from tests.server.conftest import live, png, wait_until_ready

STREAM = {"Accept": "text/event-stream"}


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    blocks = [block for block in text.replace("\r\n", "\n").split("\n\n") if "event:" in block]
    fields = [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]
    return [(field["event"], json.loads(field["data"])) for field in fields]


def test_the_verdict_comes_first_then_the_words_then_the_whole_answer(client: TestClient) -> None:
    response = client.post("/predict", files={"image_file": png("red")}, headers=STREAM)
    assert response.headers["content-type"].startswith("text/event-stream")
    events = events_of(response.text)
    assert [name for name, _ in events] == ["verdict", "explanation", "explanation", "answer"]
    verdict, answer = events[0][1], events[-1][1]
    assert verdict["verdict"] == "yes"
    assert "explanation" not in verdict
    assert verdict.items() <= answer.items()
    assert (
        "".join(piece["text"] for name, piece in events if name == "explanation")
        == (answer["explanation"])
    )
    assert answer["notice"] == NOTICE
    assert answer["request_id"] == response.headers["x-request-id"]


def test_the_streamed_answer_is_the_plain_answer(client: TestClient) -> None:
    plain = client.post("/predict", files={"image_file": png()}).json()
    streamed = client.post("/predict", files={"image_file": png()}, headers=STREAM)
    answer = events_of(streamed.text)[-1][1]
    for differs in ("request_id", "timings_ms"):
        del plain[differs], answer[differs]
    assert plain == answer


def test_a_refusal_before_the_first_event_is_a_plain_problem(client: TestClient) -> None:
    response = client.post("/predict", files={"image_file": b"text"}, headers=STREAM)
    assert (response.status_code, response.json()["code"]) == (415, "not_an_image")


class LosesItsVoice(FakeEngine):
    silent = False

    def explain(self, evidence: Evidence, answer: Answer) -> Iterator[str]:
        yield from super().explain(evidence, answer)
        if self.silent:
            raise ModelUnsound("healer/fake", "it lost its voice")


def test_a_failure_on_the_way_is_a_problem_event() -> None:
    engine = LosesItsVoice()
    with TestClient(create_app(Settings(gate="off"), engine=engine)) as client:
        wait_until_ready(client)
        engine.silent = True
        response = client.post("/predict", files={"image_file": png()}, headers=STREAM)
    name, problem = events_of(response.text)[-1]
    assert (name, problem["code"], problem["status"]) == ("problem", "model_unsound", 500)


class Talkative(FakeEngine):
    """Never stops by itself."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.started = False

    def explain(self, evidence: Evidence, answer: Answer) -> Iterator[str]:
        if not self.started:  # the self-test, which wants an end
            self.started = True
            yield from super().explain(evidence, answer)
            return
        try:
            while True:
                yield "and "
                time.sleep(0.001)
        finally:
            self.stopped.set()


def test_the_client_going_away_stops_the_generation() -> None:
    engine = Talkative()
    with live(create_app(Settings(_env_file=None, gate="off"), engine=engine)) as url:
        files = {"image_file": png()}
        with httpx.stream("POST", f"{url}/predict", files=files, headers=STREAM) as response:
            lines = response.iter_lines()
            while not next(lines).startswith("event: explanation"):
                pass
        assert engine.stopped.wait(30)
        assert httpx.get(f"{url}/health").json()["ready"] is True
