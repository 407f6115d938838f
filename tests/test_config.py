from __future__ import annotations

from pathlib import Path

import pytest

from healer.errors import InvalidSettings
from healer.settings.loading import Settings, load_settings
from healer.settings.model import PINNED_REVISIONS


def test_defaults() -> None:
    settings = load_settings()
    assert settings.model_id == "google/medgemma-4b-it"
    assert settings.revision == PINNED_REVISIONS["google/medgemma-4b-it"]
    assert settings.revision_is_pinned
    assert settings.model_dir == Path("medgemma-model")
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.engine == "auto"
    assert settings.hf_token is None


@pytest.mark.parametrize("name", ["MY_HF_TOKEN", "HF_TOKEN"])
def test_the_token_is_read_and_never_shown(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "hf_secret")
    settings = load_settings()
    assert settings.hf_token is not None
    assert settings.hf_token.get_secret_value() == "hf_secret"
    assert "hf_secret" not in f"{settings!r}{settings.model_dump()}"


def test_our_own_name_for_the_token_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "theirs")
    monkeypatch.setenv("MY_HF_TOKEN", "ours")
    token = load_settings().hf_token
    assert token is not None
    assert token.get_secret_value() == "ours"


def test_a_dotenv_file_is_honoured_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("PORT=9001\nHEALER_ENGINE=builtin\n")
    monkeypatch.setenv("PORT", "9002")
    settings = load_settings()
    assert (settings.port, settings.engine) == (9002, "builtin")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "70000"),
        ("MODEL_ID", "medgemma"),
        ("HEALER_ENGINE", "gpt"),
        ("HEALER_DTYPE", "float16"),
        ("HEALER_QUANTIZATION", "4bit"),
        ("HEALER_MAX_BYTES", "-1"),
        ("HEALER_LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_value_is_a_sentence_naming_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSettings) as caught:
        load_settings()
    assert str(caught.value).startswith(f"{variable} cannot be used: ")
    assert caught.value.variable == variable


def test_case_and_empty_values_are_forgiven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALER_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("PORT", "")
    settings = load_settings()
    assert (settings.log_level, settings.port) == ("debug", 8080)


def test_an_unknown_model_needs_its_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_ID", "someone/else")
    with pytest.raises(InvalidSettings, match="MODEL_REVISION must be set"):
        _ = load_settings().revision
    monkeypatch.setenv("MODEL_REVISION", "main")
    assert not load_settings().revision_is_pinned


def test_a_misspelt_variable_is_pointed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALER_ENGNE", "builtin")
    monkeypatch.setenv("HEALER_TEST_DATA", "here")
    monkeypatch.setenv("HEALER_MODEL_DIR", "model")
    monkeypatch.setenv("HEALER_GATE", "warn")
    monkeypatch.setenv("healer_queue", "3")  # pydantic-settings reads it too
    assert load_settings().unknown_variables() == {
        "HEALER_ENGNE": "did you mean HEALER_ENGINE?",
        "HEALER_MODEL_DIR": "did you mean MODEL_DIR?",
    }


def test_a_misspelt_variable_in_dotenv_is_pointed_out_too(tmp_path: Path) -> None:
    text = "HEALER_API_KEY_FILE=keys.json\nHEALER_ENGINE=builtin\nOTHER=1\nHEALER_SOMETHING_ELSE=1"
    (tmp_path / ".env").write_text(text)
    assert load_settings().unknown_variables() == {
        "HEALER_API_KEY_FILE": "did you mean HEALER_API_KEYS_FILE?",
        "HEALER_SOMETHING_ELSE": "see README's configuration table",
    }


PATHS = {
    "MODEL_DIR": "model_dir",
    "MODEL_ADAPTER": "model_adapter",
    "HEALER_API_KEYS_FILE": "api_keys_file",
    "HEALER_CALIBRATION": "calibration",
    "HEALER_DICOMWEB_CA": "dicomweb_ca",
    "HEALER_SLIDES": "slides",
    "HEALER_RESULTS": "results",
}


def test_every_setting_that_is_a_path_is_among_these() -> None:
    paths = {
        name for name, field in Settings.model_fields.items() if "Path" in str(field.annotation)
    }
    assert paths | {"calibration"} == set(PATHS.values())


@pytest.mark.parametrize("variable", PATHS)
def test_a_path_may_begin_at_home(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv(variable, "~/there/it.is")
    found = getattr(load_settings(), PATHS[variable])
    assert str(found) == str(tmp_path / "home" / "there" / "it.is")


@pytest.mark.parametrize("variable", PATHS)
def test_a_home_that_nobody_has_is_a_sentence(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "~nobody-of-this-name/x")
    with pytest.raises(InvalidSettings) as caught:
        load_settings()
    message = "no home folder is known for ~nobody-of-this-name; give the whole path."
    assert str(caught.value) == f"{variable} cannot be used: {message}"


@pytest.mark.parametrize("value", ["auto", "off", "healer-calibration.json"])
def test_a_calibration_that_is_at_no_home_stays_as_it_is(value: str) -> None:
    assert load_settings(calibration=value).calibration == value
