"""Spoilt multipart bodies through the real parser, and what the service says to them."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from healer.main import create_app
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine
from tests.fuzz.forms import TYPE, TYPES, seeds
from tests.fuzz.mutations import mutated
from tests.server.conftest import wait_until_ready


@pytest.fixture(scope="module")
def service() -> Iterator[TestClient]:
    app = create_app(Settings(_env_file=None, gate="off", max_bytes=4096), engine=FakeEngine())
    with TestClient(app) as client:
        wait_until_ready(client)
        yield client


@settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.randoms(use_true_random=False))
def test_a_spoilt_form_gets_an_answer_or_a_problem(
    service: TestClient, chance: random.Random
) -> None:
    kind = TYPE if chance.random() < 0.8 else chance.choice(TYPES)
    response = service.post(
        "/predict",
        content=mutated(chance, seeds()),
        headers={b"Content-Type": kind.encode("latin-1")},
    )
    if response.status_code == 200:
        assert response.json()["verdict"]
    else:
        assert 400 <= response.status_code < 500
        assert response.json()["code"]
