from __future__ import annotations

import re

from tests.conftest import REPO
from tests.readme_tables import README, rewritten


def test_its_tables_are_the_codes_and_the_figures_own() -> None:
    readme = README.read_text(encoding="utf-8")
    assert readme == rewritten(readme), "run `make generate`"


def test_every_file_it_points_to_is_there() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", README.read_text(encoding="utf-8"))
    assert targets
    assert [target for target in targets if not (REPO / target).exists()] == []


def test_the_notice_is_reported_once() -> None:
    assert README.read_text(encoding="utf-8").count("Research use only") == 1
