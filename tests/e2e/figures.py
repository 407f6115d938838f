"""What a first visit costs: `scripts/page figures`.

Sizes as they are sent (gzip); times in this machine's Chromium, its processor slowed four times
and its network held to 1.6 Mbit/s with 150 ms there and back, as Lighthouse does for a phone.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page

from healer.server.webpage import PAGE
from tests.e2e import desk
from tests.e2e.drawings import epithelium
from tests.e2e.screenshots import chromium
from tests.e2e.servers import Serving

RUNS = 3
LIMIT_BYTES = 200_000
SLOW_NETWORK = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1_638_400 / 8,
    "uploadThroughput": 750_000 / 8,
}
WATCH = """() => {
    window.seen = {lcp: 0, cls: 0, tbt: 0};
    const on = (type, listener) => new PerformanceObserver(
        list => list.getEntries().forEach(listener)).observe({type, buffered: true});
    on('largest-contentful-paint', entry => { seen.lcp = entry.startTime; });
    on('layout-shift', entry => { if (!entry.hadRecentInput) seen.cls += entry.value; });
    on('longtask', entry => { seen.tbt += Math.max(0, entry.duration - 50); });
}"""
READ = """() => ({...seen,
    fcp: performance.getEntriesByName('first-contentful-paint')[0].startTime})"""


def gzipped(path: Path) -> int:
    return len(gzip.compress(path.read_bytes(), 9))


def sizes(first: set[str]) -> Iterator[str]:
    files = sorted(path for path in PAGE.rglob("*") if path.is_file())
    for path in files:
        name = path.relative_to(PAGE).as_posix()
        when = "first load" if name in first else "when needed"
        yield f"  {gzipped(path) / 1000:7.1f} kB  {when:12}  {name}"


def visit(page: Page, url: str) -> tuple[dict[str, float], set[str]]:
    """Figures of one visit, and the files it fetched before any tile was given."""
    urls: set[str] = set()
    page.on("request", lambda request: urls.add(request.url.removeprefix(url)))
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", SLOW_NETWORK)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.add_init_script(f"({WATCH})()")
    page.goto(url)
    desk.ready(page)
    page.wait_for_timeout(2000)
    figures: dict[str, float] = page.evaluate(READ)
    page_files = {name.removeprefix("/page/") for name in urls if name.startswith("/page/")}
    return figures, page_files | {"index.html"}


def answer(page: Page, tile: Path) -> float:
    """Milliseconds from choosing a tile to its verdict on the page, at full speed."""
    desk.ready(page)
    page.evaluate("window.before = performance.now()")
    desk.choose(page, tile)
    desk.result(page).get_by_role("img", name="%").wait_for()
    return float(page.evaluate("performance.now() - before"))


def main() -> None:
    from PIL import Image

    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        serving = Serving(Path(name) / "log")
        tile = Path(name) / "tile.png"
        Image.fromarray(epithelium(0)).save(tile)
        try:
            visits = [visit(browser.new_context().new_page(), serving.url) for _ in range(RUNS)]
            page = browser.new_page()
            page.goto(serving.url)
            waited = answer(page, tile)
        finally:
            serving.kill()
    figures = [figures for figures, _ in visits]
    first = visits[0][1]
    total = sum(gzipped(PAGE / name) for name in first)
    median = {key: sorted(each[key] for each in figures)[RUNS // 2] for key in figures[0]}
    say = sys.stdout.write
    say("\n".join(sizes(first)) + "\n")
    say(f"first load {total / 1000:.1f} kB of at most {LIMIT_BYTES / 1000:.0f} kB\n")
    say(f"first contentful paint {median['fcp']:.0f} ms, largest {median['lcp']:.0f} ms, ")
    say(f"total blocking time {median['tbt']:.0f} ms, layout shift {median['cls']:.4f}\n")
    say(f"from choosing a tile to its verdict, unslowed: {waited:.0f} ms\n")
    sys.exit(total > LIMIT_BYTES)


if __name__ == "__main__":
    main()
