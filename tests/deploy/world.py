"""A project in the cloud that is a folder: the scripts, what they may call, and what they made."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import REPO

TOKEN = "hf_canary0123456789"  # noqa: S105 - searched for wherever it must not be
TOOLS = ("bash", "cat", "cmp", "dirname", "env", "git", "mktemp", "printenv", "rm", "sed", "tr")
SCRIPTS = ("build.sh", "deploy.sh", "destroy.sh", "cloudbuild.yaml")
DIGEST = "sha256:" + "a" * 64
QUESTIONS = {"describe", "list", "get-iam-policy", "access"}


@dataclass(frozen=True, slots=True)
class Completed:
    """How a script ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        return self.err.strip().splitlines()[-1]


@dataclass
class World:
    """`tests/deploy/gcloud` says what the files in `cloud` mean."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    traced: bool = False  # by `bash -x`

    def __post_init__(self) -> None:
        for name in SCRIPTS:
            shutil.copy(REPO / name, self.folder)
        shutil.copytree(REPO / "deploy", self.folder / "deploy")
        self.bin.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or tool)
        (self.bin / "gcloud").symlink_to(REPO / "tests" / "deploy" / "gcloud")
        sleep = self.bin / "sleep"
        sleep.write_text('#!/bin/sh\necho "$1" >> "$STANDIN/slept"\n')
        sleep.chmod(0o755)
        (self.cloud / "things").mkdir(parents=True)
        self.has(account="someone@example.org", digest=DIGEST, token="", callers="")
        self.has(failures="", calls="")
        self.settings = {"PROJECT_ID": "my-project", "TAG": "0123abc", "MY_HF_TOKEN": TOKEN}

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def cloud(self) -> Path:
        return self.folder / "world"

    def has(self, **contents: str) -> None:
        for name, content in contents.items():
            (self.cloud / name).write_text(content)

    def has_thing(self, key: str, labels: str = "") -> None:
        (self.cloud / "things" / key.replace("/", "%")).write_text(labels)

    def what(self, name: str) -> str:
        return (self.cloud / name).read_text(encoding="utf-8")

    @property
    def things(self) -> set[str]:
        return {path.name for path in (self.cloud / "things").iterdir()}

    def fails(self, pattern: str, times: int = 99) -> None:
        self.has(failures=f"{times} {pattern}\n")

    def run(self, script: str, *arguments: str, **more: str) -> Completed:
        """A setting of "" is one that is not set; `answer` is what is typed."""
        answer = more.pop("answer", "")
        settings = {name: value for name, value in {**self.settings, **more}.items() if value}
        done = subprocess.run(
            [*(["bash", "-x"] if self.traced else []), f"{self.folder}/{script}", *arguments],
            env={"PATH": str(self.bin), "STANDIN": str(self.folder), **settings},
            input=answer,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=os.sep,  # from anywhere
        )
        return Completed(done.returncode, done.stdout, done.stderr)

    @property
    def calls(self) -> list[list[str]]:
        return [shlex.split(line) for line in self.what("calls").splitlines()]

    @property
    def last_call(self) -> str:
        return " ".join(self.calls[-1])

    @property
    def changes(self) -> list[str]:
        """The calls that are no question, in short."""
        return [
            " ".join(word for word in call if not word.startswith("--"))
            for call in self.calls
            if not QUESTIONS & set(call)
        ]

    def forget(self) -> None:
        (self.cloud / "calls").write_text("")
