"""Large pages are asked for where a model's weights are mapped, and for nothing else."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openvino")

import openvino as ov
from openvino import opset13 as ops

from healer.engines.openvino.pages import LARGE, ask_for_large_pages

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone is asked")
THP = Path("/sys/kernel/mm/transparent_hugepage")


def saved(folder: Path, size: int) -> Path:
    x = ops.parameter([size], np.float32)
    weight = ops.constant(np.arange(size, dtype=np.float32))
    ov.save_model(ov.Model([ops.add(x, weight).output(0)], [x], "m"), folder / "m.xml", False)
    return folder / "m.xml"


def flags(file: Path) -> set[str]:
    """Of all places where a file is mapped in this process: what the system was advised of them."""
    mapped = re.split(
        r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(), flags=re.MULTILINE
    )
    found = [re.search(r"VmFlags: (.*)", each) for each in mapped if str(file) in each]
    return {flag for each in found if each for flag in each[1].split()}


@needs_linux
@pytest.mark.skipif(not THP.exists(), reason="this Linux has no large pages")
def test_they_are_asked_for_where_the_weights_are(tmp_path: Path) -> None:
    model = ov.Core().read_model(saved(tmp_path, LARGE))
    weights = tmp_path / "m.bin"
    assert "hg" not in flags(weights)
    assert ask_for_large_pages(model)
    assert "hg" in flags(weights)
    np.testing.assert_array_equal(
        ov.Core().compile_model(model, "CPU")([np.ones(LARGE, np.float32)])[0],
        np.arange(LARGE, dtype=np.float32) + 1,
    )


def test_small_weights_are_let_be(tmp_path: Path) -> None:
    assert not ask_for_large_pages(ov.Core().read_model(saved(tmp_path, 16)))
