"""`/docs` in a browser: Swagger UI draws the contract and requests nothing from other hosts."""

from __future__ import annotations

from playwright.sync_api import expect

from healer.main import create_app
from healer.settings.loading import Settings
from tests.e2e.conftest import OpenPage
from tests.fake_engine import FakeEngine
from tests.server.conftest import live


def test_the_contract_is_drawn_under_its_own_policy(open_page: OpenPage) -> None:
    with live(create_app(Settings(_env_file=None), engine=FakeEngine())) as url:
        page = open_page(f"{url}/")
        urls: list[str] = []
        page.on("request", lambda request: urls.append(request.url))
        page.goto(f"{url}/docs")
        predict = page.locator("#operations-default-predict_predict_post")
        expect(predict).to_contain_text("/predict")
        predict.locator("button").first.click()
        expect(predict).to_contain_text("image_file")
        page.get_by_role("button", name="Try it out").click()
        expect(page.get_by_role("button", name="Execute")).to_be_visible()
    assert urls
    assert all(each.startswith((f"{url}/", "data:")) for each in urls)
