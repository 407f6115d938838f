"""The light image, built and run; `scripts/test-image` does the one with MedGemma too."""

from __future__ import annotations

import pytest

from tests.image import run


@pytest.mark.slow
def test_the_light_image_is_built_run_and_stopped() -> None:
    if reason := run.missing():
        pytest.skip(f"no image can be built here: {reason}")
    with run.bench() as at:
        run.light(at)
