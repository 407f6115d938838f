"""What a person does at the page, and what is seen there."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
GIVE = """([kinds, files]) => {
    const transfer = new DataTransfer();
    for (const {name, data} of files) {
        const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
        transfer.items.add(new File([bytes], name));
    }
    for (const kind of kinds) window.dispatchEvent(kind === 'paste'
        ? new ClipboardEvent('paste', {clipboardData: transfer})
        : new DragEvent(kind, {dataTransfer: transfer, cancelable: true}));
}"""


def give(page: Page, paths: Sequence[Path], *kinds: str) -> None:
    files = [
        {"name": path.name, "data": base64.b64encode(path.read_bytes()).decode()} for path in paths
    ]
    page.evaluate(GIVE, [list(kinds), files])


def drop(page: Page, *paths: Path) -> None:
    give(page, paths, "dragover", "drop")


def paste(page: Page, path: Path) -> None:
    give(page, [path], "paste")


def choose(page: Page, *paths: Path) -> None:
    page.set_input_files("#choose-files", list(paths))


def ready(page: Page) -> None:
    expect(page.get_by_role("button", name="Service: Ready")).to_be_visible()


def finished(page: Page, count: int, of: int) -> None:
    tiles = "tile" if of == 1 else "tiles"
    expect(page.get_by_text(f"{count} of {of} {tiles} finished")).to_be_visible()


def row(page: Page, name: str) -> Locator:
    return page.locator("[data-row]").filter(has_text=name)


def read(page: Page, name: str) -> None:
    row(page, name).get_by_role("button").first.click()


def result(page: Page) -> Locator:
    return page.locator("#result")


def verdict(page: Page, word: str) -> None:
    expect(result(page).get_by_role("heading", name=word, exact=True)).to_be_visible()


def faults(page: Page, axe: str) -> list[str]:
    """What axe finds against WCAG 2.2 AA and good practice, a line each."""
    page.evaluate(axe)
    options: dict[str, Any] = {"runOnly": LEVELS, "resultTypes": ["violations"]}
    found = page.evaluate("options => axe.run(document, options)", options)["violations"]
    return [
        f"{violation['impact']}: {violation['id']}: {node['html'][:160]}"
        for violation in found
        for node in violation["nodes"]
    ]
