"""A page of a service that requires API keys."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from healer.auth.keys import add_key
from healer.main import create_app
from healer.settings.loading import load_settings
from tests.e2e import desk
from tests.e2e.conftest import OpenPage
from tests.e2e.servers import live
from tests.fake_engine import FakeEngine


def test_it_asks_for_a_key_and_goes_on(
    open_page: OpenPage, tumour: Path, normal: Path, tmp_path: Path, axe: str
) -> None:
    file = tmp_path / "keys.json"
    key = add_key(file, "reader", None)
    settings = load_settings(gate="off", api_keys_file=file)
    with live(create_app(settings, engine=FakeEngine())) as url:
        page = open_page(url)
        desk.drop(page, tumour, normal)
        typed = page.get_by_label("API key")
        expect(page.get_by_text("ask its operator for one")).to_be_visible()
        assert desk.faults(page, axe) == []
        typed.fill("hk_wrong")
        page.get_by_role("button", name="Use it").click()
        expect(page.get_by_text("not one of this service's")).to_be_visible()
        typed.fill(f" {key}\u200b")  # as it comes from a message
        typed.press("Enter")
        desk.finished(page, 2, 2)
        expect(typed).to_be_hidden()
        page.reload()
        desk.drop(page, tumour)
        desk.finished(page, 1, 1)  # unasked: this tab still has it
        assert key not in page.evaluate("JSON.stringify(localStorage) + document.cookie")
