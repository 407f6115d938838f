"""Servers that die, dawdle, send away and go quiet."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Route, expect

from healer.main import create_app
from healer.settings.loading import Settings
from tests.e2e import desk
from tests.e2e.conftest import OpenPage
from tests.e2e.servers import ANSWER, Serving, SlowEngine, StandIn, live
from tests.server.conftest import png

BUSY = {
    "type": "urn:healer:problem:queue_full",
    "title": "Too many are waiting",
    "detail": "The queue is full. Send the picture again in a moment.",
    "status": 429,
    "code": "queue_full",
    "request_id": "1",
}


def tiles(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"tile-{number}.png" for number in range(1, count + 1)]
    for path in paths:
        path.write_bytes(png("red"))
    return paths


def test_a_server_killed_midway_is_reported_and_all_goes_on_with_the_next(
    open_page: OpenPage, samples: list[Path], tmp_path: Path
) -> None:
    serving = Serving(tmp_path / "log")

    def kill_it(route: Route) -> None:
        serving.kill()
        route.continue_()

    try:
        page = open_page(serving.url)
        desk.ready(page)
        page.route("**/predict", kill_it, times=1)
        desk.choose(page, *samples[:6])
        expect(page.get_by_role("alert")).to_contain_text("Healer cannot be reached.")
        expect(page.get_by_role("button", name="Service: Not reached")).to_be_visible()
        expect(desk.row(page, samples[5].name)).to_contain_text("Waiting for the service")
        expect(desk.result(page).locator("img, canvas").first).to_be_visible()
        serving.start()
        desk.finished(page, 6, 6)
        expect(page.get_by_role("alert")).to_have_text("")
    finally:
        serving.kill()


def test_a_slow_server(open_page: OpenPage, tmp_path: Path) -> None:
    engine = SlowEngine()
    with live(create_app(Settings(_env_file=None, gate="off"), engine=engine)) as url:
        page = open_page(url)
        first, *others = tiles(tmp_path, 4)
        desk.choose(page, first)
        expect(desk.result(page)).to_contain_text("Reading the tile")
        assert engine.scoring.wait(60)  # before the second, which is sent beside it, can be
        desk.choose(page, *others)
        expect(desk.row(page, "tile-3")).to_contain_text("Next in line")
        expect(desk.row(page, "tile-4")).to_contain_text("Waiting, 2nd in line")
        page.get_by_role("button", name="Cancel: tile-3.png").click()
        expect(desk.row(page, "tile-3")).to_contain_text("Cancelled")
        expect(desk.row(page, "tile-4")).to_contain_text("Next in line")
        engine.may_score.set()
        desk.verdict(page, "Yes")
        expect(desk.result(page)).to_contain_text("The fake engine says yes")
        expect(desk.result(page)).not_to_contain_text("at a margin of")
        engine.may_speak.set()
        expect(desk.result(page)).to_contain_text("at a margin of")
        desk.finished(page, 4, 4)
        page.get_by_role("button", name="Try again: tile-3.png").click()
        expect(desk.row(page, "tile-3")).to_contain_text("Yes")


def test_its_position_in_the_services_queue_is_shown(open_page: OpenPage, tmp_path: Path) -> None:
    stand_in = StandIn()
    queued = ("queued", {"position": 3})
    stand_in.replies.append([queued, None, ("verdict", ANSWER), ("answer", ANSWER)])
    with live(stand_in.app()) as url:
        page = open_page(url)
        desk.choose(page, *tiles(tmp_path, 1))
        expect(desk.result(page)).to_contain_text("At the service, 3rd in line")
        stand_in.go_on.set()
        desk.verdict(page, "Yes")


def test_it_retries_after_retry_after(open_page: OpenPage, tmp_path: Path) -> None:
    unready = {**BUSY, "status": 503, "code": "model_not_ready", "detail": "It is loading."}
    stand_in = StandIn([(429, {"Retry-After": "2"}, BUSY), (503, {"Retry-After": "2"}, unready)])
    with live(stand_in.app()) as url:
        page = open_page(url)
        desk.choose(page, *tiles(tmp_path, 1))
        expect(page.get_by_role("alert")).to_contain_text("The queue is full.")
        expect(page.get_by_role("alert")).to_contain_text("Trying again in")
        expect(page.get_by_role("alert")).to_contain_text("It is loading.")
        page.get_by_role("button", name="Try now").click()
        desk.verdict(page, "Yes")
        assert stand_in.request_count == 3


def test_a_verdict_outlives_a_lost_explanation(open_page: OpenPage, tmp_path: Path) -> None:
    stand_in = StandIn([[("verdict", ANSWER)]])
    with live(stand_in.app()) as url:
        page = open_page(url)
        desk.choose(page, *tiles(tmp_path, 1))
        desk.verdict(page, "Yes")
        expect(desk.result(page)).to_contain_text("The explanation did not arrive")
        page.get_by_role("button", name="Try again", exact=True).click()
        expect(desk.result(page)).to_contain_text(ANSWER["explanation"])


def test_a_proxys_own_page_is_not_shown(open_page: OpenPage, tmp_path: Path) -> None:
    stand_in = StandIn([(502, {}, {"html": "Bad Gateway"})])
    with live(stand_in.app()) as url:
        page = open_page(url)
        desk.choose(page, *tiles(tmp_path, 1))
        expect(desk.result(page)).to_contain_text("answered with status 502")


def test_a_failure_that_stays_is_not_sent_again_and_the_others_go_on(
    open_page: OpenPage, tmp_path: Path
) -> None:
    unsound = {**BUSY, "status": 503, "code": "model_unsound", "detail": "The model is unsound."}
    stand_in = StandIn([(503, {}, {**unsound, "retryable": False})])
    with live(stand_in.app()) as url:
        page = open_page(url)
        desk.choose(page, *tiles(tmp_path, 3))
        desk.finished(page, 3, 3)
        expect(page.get_by_role("alert")).to_have_text("")
        expect(page.get_by_role("button", name="Not answered 1")).to_be_visible()
        assert stand_in.request_count == 3
        page.get_by_role("button", name="Not answered 1").click()
        page.locator("[data-row]").get_by_role("button").first.click()
        expect(desk.result(page)).to_contain_text("The model is unsound.")
        desk.result(page).get_by_role("button", name="Try again").click()
        desk.verdict(page, "Yes")


def test_a_tile_that_is_refused_again_and_again_fails_in_the_end(
    open_page: OpenPage, tmp_path: Path
) -> None:
    stalled = {**BUSY, "status": 503, "code": "model_stalled", "detail": "It has stalled."}
    refusal = (503, {"Retry-After": "1"}, {**stalled, "retryable": True})
    stand_in = StandIn([refusal] * 9)
    with live(stand_in.app()) as url:
        page = open_page(url)
        page.clock.install()
        desk.ready(page)
        desk.choose(page, *tiles(tmp_path, 1))
        for attempt in range(1, 9):
            expect(page.get_by_role("alert")).to_contain_text("It has stalled. Trying again in")
            assert stand_in.request_count == attempt
            page.get_by_role("button", name="Try now").click()
        expect(desk.result(page)).to_contain_text("Not answered after 9 tries")
        page.clock.run_for(3_600_000)
        assert stand_in.request_count == 9


def test_what_a_picture_was_refused_for_is_not_offered_to_be_tried_again(
    open_page: OpenPage, tmp_path: Path
) -> None:
    damaged = {**BUSY, "status": 422, "code": "truncated_image", "detail": "It is truncated."}
    with live(StandIn([(422, {}, {**damaged, "retryable": False})]).app()) as url:
        page = open_page(url)
        (tmp_path / "letter.png").write_text("dear colleague")
        desk.choose(page, *tiles(tmp_path, 1))
        expect(desk.result(page)).to_contain_text("It is truncated.")
        desk.choose(page, tmp_path / "letter.png")
        desk.finished(page, 2, 2)
        expect(page.get_by_role("button", name="Try again")).to_have_count(0)
        page.keyboard.press("r")
        desk.finished(page, 2, 2)
        expect(desk.result(page)).to_contain_text("It is truncated.")


FORBIDDEN = """
const forbidden = {get() { throw new DOMException('not allowed here', 'SecurityError'); }};
for (const name of ['localStorage', 'sessionStorage', 'indexedDB'])
    Object.defineProperty(window, name, forbidden);
"""


def test_a_browser_that_forbids_storage_gets_its_answers(
    open_page: OpenPage, tmp_path: Path
) -> None:
    with live(StandIn().app()) as url:
        page = open_page(url)
        page.add_init_script(FORBIDDEN)
        page.reload()
        desk.choose(page, *tiles(tmp_path, 1))
        desk.verdict(page, "Yes")
        page.get_by_role("button", name="Appearance").click()
        page.get_by_role("button", name="Dark").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Keyboard").click()
        page.get_by_label("Single-key shortcuts").uncheck()
        page.keyboard.press("Escape")
        page.get_by_label("Keep in this browser").click()
        expect(page.get_by_role("alert")).to_contain_text("does not let the page keep anything")
        expect(page.get_by_label("Keep in this browser")).not_to_be_checked()
