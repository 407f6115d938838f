from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from healer.cli import app
from healer.errors import HealerError
from tests.batch.tiles import folder_of
from tests.exit_codes import COMMANDS, ENDS_NONE, EVERY, Kind, branch_of, table

run = CliRunner().invoke


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_error_has_its_code_in_the_table_or_ends_no_command(kind: Kind) -> None:
    if kind is HealerError or issubclass(kind, ENDS_NONE):
        return
    branch = branch_of(kind)
    assert branch is not None
    names = f"`{COMMANDS[branch].replace(', ', '`, `')}`" if COMMANDS[branch] != "all" else "all"
    (row,) = (
        line
        for line in table().splitlines()
        if line.startswith(f"| {names} | ") and re.search(rf"[|;] {kind.exit_code} ", line)
    )
    assert row


def test_every_command_in_the_table_is_one_and_none_is_left_out() -> None:
    group = get_command(app)
    known = set(group.commands)  # type: ignore[attr-defined]
    named = {part.split()[0] for each in COMMANDS.values() for part in each.split(", ")} - {"all"}
    assert named <= known
    assert known - named == {"doctor"}  # it ends with 0, 1 and 2 only


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["predict", "--gate=off", "tiles/0000.png"], 0),
        (["predict", "--gate=off", "tiles", "absent.png"], 1),
        (["predict"], 2),
        (["predict", "--gate=perhaps", "tiles"], 2),
        (["predict", "--engine=medgemma", "tiles"], 21),
        (["predict", "--engine=openvino", "tiles"], 30),
        (["predict", "empty"], 30),
        (["predict", "https://example.org/a.png"], 30),
        (["predict", "--input=absent", "--output=a.parquet"], 81),
        (["download"], 11),
        (["doctor"], 0),
        (["eval"], 2),
        (["eval", "absent"], 41),
        (["calibrate", "absent"], 41),
        (["tune"], 2),
        (["audit", "verify"], 2),
        (["keys", "add", "lis"], 2),
        (["keys", "list", "--file=absent"], 101),
        (["keys", "revoke", "lis", "--file=keys"], 104),
        (["serve", "--port=99999"], 2),
        (["nonsense"], 2),
        (["--version"], 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_commands_end_as_the_table_says(tmp_path: Path, arguments: list[str], code: int) -> None:
    folder_of(tmp_path / "tiles", 1)
    (tmp_path / "empty").mkdir()
    assert run(app, ["keys", "add", "pacs", "--file=keys"]).exit_code == 0
    done = run(app, arguments)
    assert done.exit_code == code, done.output
    assert any(re.search(rf"[|;] {code} ", line) for line in table().splitlines())
