"""What a reader marks on the page, and what the service's log holds of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pydantic import SecretStr

pytest.importorskip("sqlalchemy", reason="needs healer[audit]")

from healer.audit.store import Store
from healer.main import create_app
from healer.settings.loading import Settings
from tests.e2e import desk
from tests.e2e.conftest import OpenPage
from tests.e2e.servers import live
from tests.fake_engine import FakeEngine


@pytest.fixture
def audit(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/audit.db"


@pytest.fixture
def answered(audit: str, open_page: OpenPage, tumour: Path) -> Iterator[Page]:
    """A page with one answer that the log holds."""
    settings = Settings(_env_file=None, gate="off", audit=SecretStr(audit))
    with live(create_app(settings, engine=FakeEngine())) as url:
        page = open_page(url)
        desk.drop(page, tumour)
        desk.finished(page, 1, 1)
        yield page


def reviews(audit: str) -> list[bool]:
    with closing(Store(audit)) as store:
        contents = [link.content for link in store.links()]
    return [content["agrees"] for content in contents if content["kind"] == "review"]


def test_a_mark_is_added_to_the_log_and_a_second_one_stands_beside_it(
    answered: Page, audit: str
) -> None:
    expect(desk.result(answered)).to_contain_text("This service logs its answers.")
    answered.get_by_label("Note").fill("a name that is not sent")
    answered.get_by_role("button", name="Disagree", exact=True).click()
    expect(desk.result(answered)).to_contain_text("Your reading is in the service's log.")
    answered.get_by_role("button", name="Agree", exact=True).click()
    expect(desk.result(answered)).to_contain_text("Your reading is in the service's log.")
    while len(reviews(audit)) < 2:
        answered.wait_for_timeout(20)
    assert reviews(audit) == [False, True]
    assert b"that is not sent" not in Path(audit.removeprefix("sqlite:///")).read_bytes()


def test_a_mark_that_the_log_cannot_take_is_reported_and_tried_again(
    answered: Page, audit: str
) -> None:
    database = Path(audit.removeprefix("sqlite:///"))
    hidden = database.with_suffix(".away")
    database.rename(hidden)
    database.mkdir()
    answered.get_by_role("button", name="Agree", exact=True).click()
    again = desk.result(answered).get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    database.rmdir()
    hidden.rename(database)
    answered.wait_for_timeout(1200)  # the store is tried again after a second
    again.click()
    expect(desk.result(answered)).to_contain_text("Your reading is in the service's log.")
    assert reviews(audit) == [True]


def test_without_an_audit_log_nothing_is_sent(open_page: OpenPage, tumour: Path) -> None:
    with live(create_app(Settings(_env_file=None, gate="off"), engine=FakeEngine())) as url:
        page = open_page(url)
        urls: list[str] = []
        page.on("request", lambda request: urls.append(request.url))
        desk.drop(page, tumour)
        desk.finished(page, 1, 1)
        page.get_by_role("button", name="Agree", exact=True).click()
        expect(page.get_by_role("button", name="Agree", exact=True)).to_have_attribute(
            "aria-pressed", "true"
        )
        expect(desk.result(page)).not_to_contain_text("log")
        assert not any("reviews" in url for url in urls)
