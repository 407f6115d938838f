"""Standard terms only: words of this project's former dialect stand nowhere, in names or prose."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPO

# What stood for what: left the word that is refused, right the term to write.
TERMS = {
    r"told|tells?|telling": "report, show, reveal, distinguish",
    r"heard|hears?|hearing": "receive",
    r"anew": "again",
    r"whoever": "the caller, those who",
    r"let go": "unload, release",
    r"given up|gives? up": "abandon, fail, time out",
    r"asking|unless_gone": "request, cancel_on_disconnect",
    r"looked_at|look_at": "score, check",
    r"lanes?": "worker, workers",
    r"mishaps?|deaf|litter": "error, ignoring, leftover files",
    r"slates?|contenders?|rivals?|cages?": "shared buffer, system, baseline, memory limit",
    r"spelt": "written",
}
# Ordinary English, or a name of someone else's.
ALLOWED = {
    "frontend/src/texts.ts": {"told", "tell"},  # the page speaks to a person
    "frontend/src/session/queue.test.ts": {"told"},
    "src/healer/engines/openvino/attention_amx.c": {"lane", "lanes"},  # of a SIMD register
    "src/healer/engines/openvino/attention_vnni.c": {"lane", "lanes"},
    **{
        f"src/healer/engines/openvino/{name}": {"lane", "lanes"}
        for name in ("decoder.c", "groups.h", "products.c", "products.h", "products_groups.c")
    },
    "src/healer/engines/openvino/products_vnni.c": {"lanes"},
    "src/healer/weights/hub.py": {"tell"},  # a file's position
}
ROOMS = ("src", "tests", "benchmarks", "scripts", "training", "docs", "frontend/src", "deploy")
ENDINGS = {".py", ".md", ".ts", ".tsx", ".sh", ".yaml", ".c", ""}
WORD = re.compile(rf"(?<![A-Za-z])({'|'.join(TERMS)})(?![A-Za-z])", re.IGNORECASE)


def files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", *ROOMS, "README.md", "CONTRIBUTING.md", "Makefile"],  # noqa: S607
        cwd=REPO,
        check=False,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("this is no git checkout")
    paths = (REPO / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.suffix in ENDINGS and path != Path(__file__)]


def refused(path: Path) -> list[str]:
    name = path.relative_to(REPO).as_posix()
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    return [
        f"{name}:{number}: {word}"
        for number, line in lines
        for word in WORD.findall(line)
        if word.lower() not in ALLOWED.get(name, ())
    ]


def test_no_word_of_the_former_dialect_is_left() -> None:
    assert [fault for path in files() if path.exists() for fault in refused(path)] == []


@pytest.mark.parametrize("text", ["told", "whoever_asks", "is_told", "Lanes", "it was given up"])
def test_a_word_is_recognised_in_names_and_prose(text: str) -> None:
    assert WORD.search(text)


@pytest.mark.parametrize("text", ["intolerable", "rivalry", "plane", "satellite"])
def test_a_part_of_another_word_is_not(text: str) -> None:
    assert not WORD.search(text)
