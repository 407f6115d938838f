"""What lies in deploy/grafana: against a real scrape, Grafana's own types, and promtool."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client.parser import text_string_to_metric_families

from healer.telemetry.observation import known_codes
from tests.conftest import REPO

DASHBOARD = REPO / "deploy" / "grafana" / "dashboard.json"
ALERTS = REPO / "deploy" / "grafana" / "alerts.yaml"
SELECTED = re.compile(r"\b((?:healer|process)_\w+)(?:\{([^}]*)\})?")
OF_THE_SCRAPER = {"job", "instance"}  # Prometheus adds them
COLUMNS = 24

Series = dict[str, dict[str, set[str]]]  # a metric, its labels, their values


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def series(scrape: str) -> Series:
    found: Series = {}
    for family in text_string_to_metric_families(scrape):
        for sample in family.samples:
            labels = found.setdefault(sample.name, defaultdict(set))
            for label, text in sample.labels.items():
                labels[label].add(text)
    return found


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def dashboard_expressions() -> Iterator[str]:
    read = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    for panel in panels(read):
        yield from (target["expr"] for target in panel["targets"])
    yield from (each["query"] for each in read["templating"]["list"] if each["type"] == "query")


def alert_expressions() -> Iterator[str]:
    for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


EXPRESSIONS = [*dashboard_expressions(), *alert_expressions()]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_and_label_is_in_a_real_scrape(expression: str, series: Series) -> None:
    selected = SELECTED.findall(expression)
    assert selected
    for name, matchers in selected:
        assert name in series
        for label, how, text in re.findall(r'(\w+)(=~|!=|=)"([^"]*)"', matchers):
            if label in OF_THE_SCRAPER:
                continue
            assert label in series[name]
            if how == "=":
                assert text in series[name][label]
    for grouped in re.findall(r"by \(([\w, ]+)\)", expression):
        labels = {label for name, _ in selected for label in series[name]}
        assert set(grouped.split(", ")) <= labels | OF_THE_SCRAPER


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_queried_code_exists(expression: str) -> None:
    for text in re.findall(r'code=~?"([^"]+)"', expression):
        for each in text.split("|"):
            assert any(re.fullmatch(each, code) for code in known_codes())


def test_grafanas_own_types_take_all_of_it(dashboard: dict[str, Any]) -> None:
    register_default_plugins()
    taken = json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder))
    assert list(lost(dashboard, taken, "")) == []


def lost(ours: Any, taken: Any, where: str) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Places that did not come through: a field that Grafana does not know, or of another kind."""
    if isinstance(ours, dict):
        for key, value in ours.items():
            if not isinstance(taken, dict) or key not in taken:
                yield f"{where}.{key}"
            else:
                yield from lost(value, taken[key], f"{where}.{key}")
    elif isinstance(ours, list):
        for at, value in enumerate(ours):
            yield from lost(value, taken[at] if at < len(taken) else None, f"{where}[{at}]")
    elif ours != taken:
        yield where


def test_panels_have_ids_of_their_own_and_do_not_overlap(dashboard: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    covered: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= COLUMNS
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & covered
        covered |= cells


def test_it_queries_the_prometheus_that_its_reader_chose(dashboard: dict[str, Any]) -> None:
    for panel in panels(dashboard):
        for selected in (panel, *panel["targets"]):
            assert selected["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool here: Debian's package prometheus has it")
    return found


def test_the_rules_load(promtool: str) -> None:
    done = subprocess.run([promtool, "check", "rules", ALERTS], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert b"10 rules found" in done.stdout


def test_alerts_fire_in_trouble_and_not_in_health(promtool: str, tmp_path: Path) -> None:
    shutil.copy(ALERTS, tmp_path)
    cases = shutil.copy(REPO / "tests" / "telemetry" / "alerts_test.yaml", tmp_path)
    done = subprocess.run([promtool, "test", "rules", cases], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()


def test_the_dashboards_questions_are_promql(promtool: str, tmp_path: Path) -> None:
    """As recording rules, which promtool parses; Grafana's variables are filled in first."""
    rules = [
        {"record": f"query:{at}", "expr": expression.replace("$__rate_interval", "5m")}
        for at, expression in enumerate(dashboard_expressions())
        if not expression.startswith("label_values")
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), "utf-8")
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_a_real_scrape_is_what_prometheus_reads(promtool: str, scrape: str) -> None:
    done = subprocess.run(
        [promtool, "check", "metrics"], input=scrape.encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
