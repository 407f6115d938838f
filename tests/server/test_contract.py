"""Schemathesis sends a live service whatever the checked-in OpenAPI document allows, and more."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import settings
from schemathesis import Case
from schemathesis.checks import CheckFunction
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.conftest import REPO

# A schema cannot say "bytes that decode to a picture": refusing others is right.
EXCLUDED: list[CheckFunction] = [positive_data_acceptance]

# A deadline of next to nothing is a deadline, and 504 says that it has passed.
EXPECTED = {"checks": {"not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", 504]}}}

contract = schemathesis.openapi.from_path(
    REPO / "docs" / "openapi.json", config=SchemathesisConfig.from_dict(EXPECTED)
)


@contract.parametrize()
@settings(max_examples=40, deadline=None)
def test_the_service_keeps_its_contract(case: Case[Any], url: str) -> None:
    case.call_and_validate(base_url=url, excluded_checks=EXCLUDED)
