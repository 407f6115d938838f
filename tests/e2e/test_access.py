"""What axe finds on the page's states, light and wide, dark and narrow: nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e import desk
from tests.e2e.conftest import NARROW, OpenPage
from tests.e2e.servers import Serving

APPEARANCES: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark, phone": {"color_scheme": "dark", "viewport": NARROW},
}


@pytest.mark.parametrize("appearance", APPEARANCES)
def test_axe_finds_nothing(
    appearance: str,
    open_page: OpenPage,
    serving: Serving,
    axe: str,
    tumour: Path,
    normal: Path,
    photograph: Path,
) -> None:
    page = open_page(serving.url, reduced_motion="reduce", **APPEARANCES[appearance])
    desk.ready(page)
    assert desk.faults(page, axe) == []
    desk.choose(page, tumour, normal, photograph)
    desk.finished(page, 3, 3)
    assert desk.faults(page, axe) == []
    for path in (photograph, tumour):
        desk.read(page, path.name)
        expect(desk.result(page).get_by_role("heading", name=path.name)).to_be_visible()
        assert desk.faults(page, axe) == []
        page.keyboard.press("Escape")
    desk.read(page, tumour.name)
    page.keyboard.press("c")
    page.keyboard.press("j")
    expect(desk.result(page).get_by_role("region", name=normal.name)).to_be_visible()
    assert desk.faults(page, axe) == []
    page.get_by_role("button", name="Service: Ready").click()
    assert desk.faults(page, axe) == []


def test_dark_is_dark_and_can_be_chosen(open_page: OpenPage, serving: Serving) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = open_page(serving.url, color_scheme="dark").evaluate(ground)
    page = open_page(serving.url, color_scheme="light")
    assert page.evaluate(ground) != dark
    page.get_by_role("button", name="Appearance").click()
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate(ground) == dark
    page.reload()
    assert page.evaluate(ground) == dark
