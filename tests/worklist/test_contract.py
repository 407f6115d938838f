"""Schemathesis sends a live service with slides whatever the OpenAPI document allows of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import schemathesis
from hypothesis import settings
from schemathesis import Case

from healer.main import create_app
from tests.conftest import REPO
from tests.fake_engine import FakeEngine
from tests.server.conftest import live
from tests.server.test_contract import EXCLUDED
from tests.worklist.test_service import settings_of, write_slide

ENDLESS = "/slides/events"
contract = (
    schemathesis.openapi.from_path(REPO / "docs" / "openapi.json")
    .include(path_regex="^/slides")
    .exclude(path=ENDLESS)
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("contract")
    write_slide(folder / "slides/biopsy.svs")
    with live(create_app(settings_of(folder), engine=FakeEngine())) as url:
        yield url


@contract.parametrize()
@settings(max_examples=10, deadline=None)
def test_slides_keep_their_contract(case: Case[Any], url: str) -> None:
    if "slide_id" in case.path_parameters:  # made-up ones are all unknown
        case.path_parameters["slide_id"] = httpx.get(f"{url}/slides").json()["slides"][0]["id"]
    case.call_and_validate(base_url=url, excluded_checks=EXCLUDED)
