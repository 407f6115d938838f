from __future__ import annotations

import base64
import hashlib
import re

import pytest
from starlette.testclient import TestClient

from healer.server.documentation import DIGESTS

LINK = re.compile(r'(?:src|href|url)(?:=|: )"([^"]+)"')


def test_the_contract_is_shown_with_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; " in policy
    assert "connect-src 'self'" in policy
    links = set(LINK.findall(page.text + client.get("/docs/start.js").text))
    assert {"openapi.json", "docs/start.js", "docs/swagger-ui-bundle.js"} <= links
    for link in links:
        assert "//" not in link
        assert client.get(f"/{link}").status_code == 200


@pytest.mark.parametrize("name", sorted(DIGESTS))
def test_its_files_are_the_makers_own(client: TestClient, name: str) -> None:
    served = client.get(f"/docs/{name}")
    digest = base64.b64encode(hashlib.sha256(served.content).digest()).decode()
    assert DIGESTS[name] == f"sha256-{digest}"
    assert f'integrity="{DIGESTS[name]}"' in client.get("/docs").text
    assert served.headers["x-content-type-options"] == "nosniff"
