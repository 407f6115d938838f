from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import REPO


def model_stage() -> str:
    stages = re.split(
        r"^FROM ", (REPO / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    return next(stage for stage in stages if stage.splitlines()[0].endswith(" AS model"))


def copy_into(build: Path) -> None:
    """What the stage's COPY lines put there."""
    joined = model_stage().replace("\\\n", " ")
    for line in re.findall(r"^COPY (src/.*)$", joined, re.MULTILINE):
        *sources, target = line.split()
        for name in sources:
            source = REPO / name
            if source.is_dir():
                shutil.copytree(source, build / target)
            else:
                (build / target).mkdir(parents=True, exist_ok=True)
                shutil.copy(source, build / target)


def test_the_model_stage_copies_the_modules_that_make_the_model(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    pytest.importorskip("torch")
    copy_into(tmp_path)
    code = "import healer.download, healer.conversion.__main__, healer.conversion.verify"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_every_extra_is_in_the_image_or_left_out_on_purpose() -> None:
    dockerfile = (REPO / "Dockerfile").read_text(encoding="utf-8")
    (chosen,) = re.findall(r"^ARG EXTRAS=(.*)$", dockerfile, re.MULTILINE)
    # None of these is for serving.
    left_out = {"dev", "eval", "hospital", "medgemma", "ray", "slides", "test", "training", "tune"}
    by_model = {"openvino"}
    described = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
    extras = set(described["project"]["optional-dependencies"])
    assert extras == {*chosen.split(",")} | by_model | left_out


def test_the_token_is_neither_argument_nor_environment() -> None:
    dockerfile = (REPO / "Dockerfile").read_text(encoding="utf-8")
    declared = re.findall(r"^(?:ARG|ENV|LABEL) .*$", dockerfile, re.MULTILINE)
    assert not [line for line in declared if "token" in line.lower()]
    assert "--mount=type=secret,id=hf_token" in dockerfile


def test_slides_in_the_image_are_the_extra_s_pinned_libraries() -> None:
    """What `--build-arg EXTRAS=…,slides` adds to the pins, before pip resolves what they need."""
    described = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
    spec = importlib.util.spec_from_file_location("pins", REPO / "scripts/image/pins.py")
    assert spec is not None
    assert spec.loader is not None
    pins = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pins)
    plain, with_slides, hospital = (
        pins.expected(described, extras) for extras in ((), ("slides",), ("hospital",))
    )
    assert {*with_slides} < {*hospital}  # the one extra names the other
    assert not any(each.startswith("healer") for each in hospital)
    added = {re.split(r"[<>=]", each)[0] for each in with_slides} - {
        re.split(r"[<>=]", each)[0] for each in plain
    }
    assert {"openslide-bin", "openslide-python", "pyarrow", "pydicom", "shapely"} <= added
    pinned = (REPO / "constraints.txt").read_text(encoding="utf-8")
    for name in added:
        assert re.search(rf"^{name}==", pinned, re.MULTILINE), name
