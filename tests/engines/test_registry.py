from __future__ import annotations

from importlib.metadata import metadata
from pathlib import Path

import pytest

from healer.engines.registry import ENGINES
from healer.engines.spec import EngineSpec
from healer.errors import InvalidSettings
from healer.settings.loading import Settings, load_settings
from tests.engines.test_conformance import ENGINES as CONFORMING


@pytest.mark.parametrize("spec", ENGINES.values(), ids=list(ENGINES))
def test_an_engine_may_be_named_and_its_extra_is_one_of_the_packages(spec: EngineSpec) -> None:
    assert Settings(engine=spec.name).engine == spec.name
    assert spec.extra is None or spec.extra in metadata("healer").get_all("Provides-Extra", [])


def test_every_engine_is_in_the_conformance_suite() -> None:
    assert ENGINES.keys() <= CONFORMING.keys()


def test_another_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidSettings, match="auto, builtin, medgemma, openvino, openai"):
        load_settings(engine="torch")


def test_a_calibration_lies_with_what_it_was_fitted_for(tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    settings = Settings(model_dir=tmp_path, model_adapter=adapter)
    found = {name: spec.calibration_folder(settings) for name, spec in ENGINES.items()}
    assert found["medgemma"] == found["openai"] == adapter
    assert found["openvino"] == tmp_path / "openvino"
    assert (found["builtin"] / "healer-calibration.json").is_file()
