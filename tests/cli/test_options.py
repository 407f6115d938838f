from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from healer.cli import app
from healer.cli.common import expand_paths


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


def test_every_kind_of_path_that_a_command_takes_may_begin_at_home(home: Path) -> None:
    received: dict[str, object] = {}
    small = typer.Typer()

    @small.command()
    @expand_paths
    def command(
        paths: Annotated[list[Path], typer.Argument()],
        dataset: Annotated[str, typer.Option()],
        compare: Annotated[tuple[Path, Path], typer.Option()],
        out: Annotated[Path | None, typer.Option()] = None,
        data: Annotated[Path, typer.Option()] = Path("runs"),
    ) -> None:
        received.update(paths=paths, dataset=dataset, compare=compare, out=out, data=data)

    words = ["~/a.png", "~$b.png", "c.png", "--dataset=~/d", "--compare", "~/e", "f", "--out=~/g"]
    assert CliRunner().invoke(small, words).exit_code == 0
    assert received == {
        "paths": [home / "a.png", Path("~$b.png"), Path("c.png")],
        "dataset": str(home / "d"),
        "compare": (home / "e", Path("f")),
        "out": home / "g",
        "data": Path("runs"),
    }


def test_a_key_file_given_by_home_is_written_there(home: Path, tmp_path: Path) -> None:
    made = CliRunner().invoke(app, ["keys", "add", "lis", "--file=~/keys.json"])
    assert made.exit_code == 0, made.output
    assert (home / "keys.json").is_file()
    assert not (tmp_path / "~").exists()


def test_no_command_is_forgotten() -> None:
    groups = [app, *(group.typer_instance for group in app.registered_groups)]
    commands = [each for group in groups if group for each in group.registered_commands]
    assert len(commands) > 10
    assert [each.name for each in commands if not hasattr(each.callback, "__wrapped__")] == []
