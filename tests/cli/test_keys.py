from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from healer.cli import app
from tests.cli.test_serve import started


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(app, arguments, env=environment)


def test_a_key_is_made_shown_once_listed_and_revoked(tmp_path: Path) -> None:
    file = str(tmp_path / "keys.json")
    made = run("keys", "add", "lis", "--expires", "2020-01-31", HEALER_API_KEYS_FILE=file)
    assert made.exit_code == 0, made.stderr
    assert re.fullmatch(r"hk_[\w-]{43}\n", made.stdout)  # and nothing else, to be piped
    assert "shown once" in made.stderr
    assert made.stdout.strip() not in Path(file).read_text(encoding="utf-8")

    listed = run("keys", "list", "--file", file)
    assert re.search(r"lis .*2020-01-31 .*expired", listed.stdout)
    assert made.stdout.strip() not in listed.stdout

    assert run("keys", "add", "fresh", "--file", file).exit_code == 0
    assert run("keys", "add", "dated", "--expires", "2999-12-31", "--file", file).exit_code == 0
    rows = {
        cells[0]: cells[1:]
        for line in run("keys", "list", "--file", file).stdout.splitlines()
        if len(cells := [cell.strip() for cell in line.strip("│").split("│")]) == 4
    }
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert rows == {
        "lis": [today, "end of 2020-01-31 UTC", "expired"],
        "fresh": [today, "no end set", "good"],
        "dated": [today, "end of 2999-12-31 UTC", "good"],
    }

    assert run("keys", "add", "lis", "--file", file).exit_code == 103
    assert run("keys", "revoke", "lis", "--file", file).exit_code == 0
    gone = run("keys", "revoke", "lis", "--file", file)
    assert gone.exit_code == 104
    assert "no key named lis" in gone.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "lis"], "HEALER_API_KEYS_FILE is not set"),
        (["add", "a name", "--file", "keys.json"], "letters, digits"),
        (["list", "--file", "nowhere.json"], "No such file"),
    ],
)
def test_what_cannot_be_done_is_reported(arguments: list[str], message: str) -> None:
    done = run("keys", *arguments)
    assert done.exit_code in (2, 101)
    assert message in done.stderr


def test_it_does_not_serve_others_unasked() -> None:
    refused = started("serve", "--host", "0.0.0.0", "--port", "0")  # noqa: S104
    assert refused.returncode == 2
    assert "HEALER_UNAUTHENTICATED=checked-in-front or anyone-may-ask" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_it_does_not_serve_without_the_configured_keys(tmp_path: Path) -> None:
    missing = run("serve", HEALER_API_KEYS_FILE=str(tmp_path / "keys.json"))
    assert missing.exit_code == 101
    assert "healer keys add" in missing.stderr
