"""Serving a converted model imports neither torch nor what comes with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HEAVY = ["torch", "transformers", "safetensors", "accelerate", "bitsandbytes", "peft", "jinja2"]
SCORE_ONCE = """
import sys
import numpy as np
from healer.settings.loading import load_settings
from healer.engines.base import Answer
from healer.engines.registry import ENGINES
from healer.screening.opening import choose_engine
from healer.images.tile import Tile
from healer.questions.colorectal import COLORECTAL_CANCER

settings = load_settings()
choice = choose_engine(settings)
assert choice.engine == "openvino", choice
engine = ENGINES[choice.engine].open(settings, COLORECTAL_CANCER)
evidence = engine.score([Tile(np.full((64, 64, 3), (230, 170, 200), np.uint8))])[0]
assert evidence.margin > 0, evidence
assert "".join(engine.explain(evidence, Answer.YES)).startswith("Yes,")
engine.close()
"""


def loaded_after(code: str, environment: dict[str, str]) -> set[str]:
    """Top-level modules of a fresh process that ran `code`."""
    # What is None was kept from being imported.
    print_modules = "\nprint(*{name.partition('.')[0] for name, it in sys.modules.items() if it})"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}{print_modules}"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_package_alone_imports_no_runtime() -> None:
    modules = loaded_after("import healer.engines.openvino", {})
    assert "healer" in modules
    assert modules.isdisjoint([*HEAVY, "openvino", "tokenizers"])


def test_serving_imports_only_its_runtime(converted: Path) -> None:
    modules = loaded_after(
        SCORE_ONCE,
        {"MODEL_DIR": str(converted), "HEALER_THREADS": "1", "HEALER_IMAGE_CACHE_MB": "8"},
    )
    assert {"openvino", "tokenizers", "numpy", "PIL"} <= modules
    assert modules.isdisjoint(HEAVY)
    assert "openvino_telemetry" not in modules


def test_converting_reports_nothing_either() -> None:
    modules = loaded_after("import healer.conversion.convert", {})
    assert "openvino" in modules
    assert "openvino_telemetry" not in modules
