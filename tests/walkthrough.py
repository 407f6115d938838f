"""Follows the instructions of a Markdown document, as a reader would.

A fenced block after a sentence that ends in "write" is written: into a new file (`PATH`), or into
one that is there, after a line of it or at its end. A `console` block is run, and its output
compared.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

FENCED = re.compile(
    r"(?P<lead>[^\n]*(?:\n[^\n`#][^\n]*)*)\n\n```(?P<kind>\w+)\n(?P<code>.*?)```", re.DOTALL
)
NEW = re.compile(r"In a new file `(?P<path>[^`]+)`, write$")
AFTER = re.compile(r"In `(?P<path>[^`]+)`, after `(?P<line>[^`]+)`, write$")
AT_END = re.compile(r"In `(?P<path>[^`]+)`, at its end, write$")


@dataclass(frozen=True, slots=True)
class Step:
    lead: str
    kind: str
    code: str


def steps(document: str, heading: str) -> list[Step]:
    """The fenced blocks of one section, each with the paragraph before it on one line."""
    section = re.search(
        rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", document, re.MULTILINE | re.DOTALL
    )
    assert section, f"no section {heading}"
    return [
        Step(" ".join(found["lead"].split()), found["kind"], found["code"])
        for found in FENCED.finditer(section[1])
    ]


def follow(step: Step, folder: Path) -> None:
    if step.kind == "console":
        run(step.code, folder)
    elif new := NEW.search(step.lead):
        path = folder / new["path"]
        assert not path.exists(), f"{path} is no new file"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step.code, encoding="utf-8")
    elif after := AFTER.search(step.lead):
        path = folder / after["path"]
        text = path.read_text(encoding="utf-8")
        assert text.count(f"{after['line']}\n") == 1, f"{after['line']!r} is not once in {path}"
        path.write_text(
            text.replace(after["line"] + "\n", f"{after['line']}\n{step.code}"), "utf-8"
        )
    elif at_end := AT_END.search(step.lead):
        with (folder / at_end["path"]).open("a", encoding="utf-8") as file:
            file.write("\n" + step.code)
    else:
        raise AssertionError(f"nobody could say where this goes: {step.lead!r}")


def run(session: str, folder: Path) -> None:
    """Each line after `$ ` is a command; what follows it is what it must print."""
    python = str(Path(sys.executable).parent)
    path = os.pathsep.join([python, os.environ["PATH"]])
    environment = os.environ | {"PYTHONPATH": str(folder / "src"), "PATH": path}
    for command in re.findall(r"^\$ (.*\n(?:> .*\n)*(?:(?!\$ ).*\n)*)", session, re.MULTILINE):
        typed, printed = parts(command)
        done = subprocess.run(
            ["bash", "-c", typed],  # noqa: S607
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{typed}\n{done.stdout}{done.stderr}"
        if printed:
            assert done.stdout.strip().endswith(printed.strip()), f"{typed}\n{done.stdout}"


def parts(command: str) -> tuple[str, str]:
    """What is typed, on lines that go on after `> `, and what it prints."""
    first, *others = command.splitlines()
    more = [line.removeprefix("> ") for line in others if line.startswith("> ")]
    return "\n".join([first, *more]), "\n".join(others[len(more) :])
