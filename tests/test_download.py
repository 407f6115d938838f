"""Acquiring weights, over a real socket, from a stand-in that speaks the hub's API."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from healer.download import check_access, download
from healer.errors import (
    DiskFull,
    FileDamaged,
    FolderNotWritable,
    HealerError,
    HubUnreachable,
    InvalidSettings,
    LicenceNotAccepted,
    ModelAltered,
    ModelNotFound,
    RevisionNotFound,
    RevisionNotPinned,
    TokenMissing,
    TokenRejected,
)
from healer.settings.loading import Settings, load_settings
from healer.settings.model import PINNED_REVISIONS
from healer.weights.manifest import (
    MANIFEST_FILE,
    Manifest,
    check_folder,
    is_complete_folder,
    read_manifest,
)
from tests.hub import Hub, Ranges

GATED = "google/medgemma-4b-it"
OPEN = "someone/open-model"
TOKEN = "hf_accepted0123456789"  # noqa: S105 - the stand-in's
STRANGER = "hf_stranger0123456789"
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
NEEDED = (
    "added_tokens.json",
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    *SHARDS,
    "model.safetensors.index.json",
    "preprocessor_config.json",
    "processor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
)
UNNEEDED = (
    ".gitattributes",
    "README.md",
    "adapter_config.json",
    "consolidated.safetensors",
    "model-q4.gguf",
    "original/consolidated.00.pth",
    "original/model.safetensors",
)
SHARD_BYTES = 300_000
WEIGHTS = "model.safetensors"
WRITTEN_AT_ONCE = 10 * 1024 * 1024


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository laid out as MedGemma's is, plus what other repositories carry."""
    folder = tmp_path_factory.mktemp("checkpoint")
    dice = random.Random(7)  # noqa: S311 - content, not a secret
    for name in (*NEEDED, *UNNEEDED):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(dice.randbytes(SHARD_BYTES if name in SHARDS else 700))
    return folder


@pytest.fixture
def hub(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    commit = PINNED_REVISIONS[GATED]
    with Hub(GATED, checkpoint, commit=commit, token=TOKEN, gated_for=(STRANGER,)) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


@pytest.fixture
def open_hub(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with Hub(OPEN, checkpoint) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "model"


def _settings(target: Path, token: str | None = TOKEN, **changes: object) -> Settings:
    return Settings.model_validate({"hf_token": token, "model_dir": target, **changes})


def _fetch(target: Path, token: str | None = TOKEN, **changes: object) -> Manifest:
    return download(_settings(target, token, **changes), progress=False)


def _refusal(target: Path, token: str | None = TOKEN, **changes: object) -> HealerError:
    """What stops the download; whatever it is, the folder is not taken for complete."""
    with pytest.raises(HealerError) as caught:
        _fetch(target, token, **changes)
    assert not is_complete_folder(target)
    return caught.value


def test_the_needed_files_arrive_whole_and_the_manifest_describes_them(
    hub: Hub, target: Path
) -> None:
    done = _fetch(target)

    assert (done.model_id, done.revision) == (GATED, hub.commit)
    assert tuple(file.name for file in done.files) == tuple(sorted(NEEDED))
    assert all((target / name).read_bytes() == hub.content(name) for name in NEEDED)
    assert not any((target / name).exists() for name in UNNEEDED)
    assert len(hub.bodies()) + sum(len(hub.bodies(n)) for n in SHARDS) >= len(NEEDED)
    assert not any(hub.bodies(name) for name in UNNEEDED)
    assert check_folder(target, deep=True) == done == read_manifest(target)


def test_a_second_run_makes_no_request_and_needs_no_token(hub: Hub, target: Path) -> None:
    first = _fetch(target)
    hub.requests.clear()

    assert _fetch(target, None) == first
    assert hub.requests == []


@pytest.mark.usefixtures("hub")
def test_nothing_is_shown_where_progress_is_off(
    target: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _fetch(target)

    assert capfd.readouterr() == ("", "")


def test_a_terminal_shows_how_far_it_is(hub: Hub, target: Path) -> None:
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 120))
    command = [sys.executable, "-m", "healer.download"]
    with subprocess.Popen(
        command, env=_environment(hub, target), stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = _read_terminal(ours)

    assert process.returncode == 0
    assert f"{SHARDS[0]}: 100%" in shown
    assert TOKEN not in shown


def _read_terminal(descriptor: int) -> str:
    shown = b""
    with suppress(OSError):  # what Linux says once the other end is closed
        while chunk := os.read(descriptor, 4096):
            shown += chunk
    os.close(descriptor)
    return shown.decode()


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """An open model whose weights outlast the 10 MiB that the library writes at a time."""
    folder = tmp_path / "large"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / WEIGHTS).write_bytes(random.Random(8).randbytes(WRITTEN_AT_ONCE + 2_000_000))  # noqa: S311
    with Hub(OPEN, folder) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def test_a_dropped_connection_is_taken_up_where_it_broke(large: Hub, target: Path) -> None:
    large.faults.drops = [WRITTEN_AT_ONCE + 1_000_000]

    _fetch(target, None, model_id=OPEN, model_revision=large.commit)

    assert [request.start for request in large.bodies(WEIGHTS)] == [None, WRITTEN_AT_ONCE]
    assert (target / WEIGHTS).read_bytes() == large.content(WEIGHTS)


def test_a_later_run_fetches_only_the_rest(large: Hub, target: Path) -> None:
    large.faults.drops = [WRITTEN_AT_ONCE + 1_000_000]
    large.faults.before_body = lambda: large.faults.statuses.update({WEIGHTS: 503})
    stopped = _refusal(target, None, model_id=OPEN, model_revision=large.commit)
    assert isinstance(stopped, HubUnreachable)
    assert stopped.reason == "it answered 503"
    large.faults.statuses.clear()
    large.requests.clear()

    _fetch(target, None, model_id=OPEN, model_revision=large.commit)

    assert [request.start for request in large.bodies(WEIGHTS)] == [WRITTEN_AT_ONCE]
    assert large.bodies("config.json") == []
    check_folder(target, deep=True)


@pytest.mark.parametrize("ranges", ["rest as 200", "whole as 206", "416", "ignored"])
@pytest.mark.parametrize("there", [WRITTEN_AT_ONCE, 0])
def test_a_mirror_that_ignores_ranges_gets_a_request_for_the_whole_file(
    large: Hub, target: Path, ranges: Ranges, there: int
) -> None:
    """Both where a part lies there from an earlier run, and where this run's connection broke."""
    large.faults.ranges = ranges
    part = target / ".cache" / "healer" / f"{large.stored(WEIGHTS).sha256}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(large.content(WEIGHTS)[:there])
    large.faults.drops = [] if there else [WRITTEN_AT_ONCE + 1_000_000]

    _fetch(target, None, model_id=OPEN, model_revision=large.commit)

    assert (target / WEIGHTS).read_bytes() == large.content(WEIGHTS)
    starts = [request.start for request in large.bodies(WEIGHTS)]
    assert WRITTEN_AT_ONCE in starts
    assert starts.count(None) == (0 if ranges == "ignored" else 1) + (there == 0)
    check_folder(target, deep=True)


def test_a_mirror_that_never_gives_the_whole_file_is_not_retried_for_ever(
    large: Hub, target: Path
) -> None:
    large.faults.ranges = "rest as 200"
    large.faults.drops = [WRITTEN_AT_ONCE + 1, len(large.content(WEIGHTS))] * 20

    stopped = _refusal(target, None, model_id=OPEN, model_revision=large.commit)

    assert isinstance(stopped, FileDamaged)
    assert [request.start for request in large.bodies(WEIGHTS)] == [None, WRITTEN_AT_ONCE] * 4
    large.faults.drops.clear()
    _fetch(target, None, model_id=OPEN, model_revision=large.commit)
    check_folder(target, deep=True)


@pytest.mark.usefixtures("hub")
def test_a_folder_given_by_home_is_one_folder_for_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MODEL_DIR", "~/model")
    monkeypatch.setenv("MY_HF_TOKEN", TOKEN)
    settings = load_settings()

    download(settings, progress=False)

    assert settings.model_dir == tmp_path / "home" / "model"
    assert {path.name for path in settings.model_dir.iterdir()} == {
        *NEEDED,
        MANIFEST_FILE,
        ".cache",
    }
    assert not (tmp_path / "~").exists()


def test_leftover_files_beside_the_download_do_no_harm(hub: Hub, target: Path) -> None:
    target.mkdir()
    for name in ("._config.json", f"._{SHARDS[0]}", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (target / name).write_bytes(b"\0\5\x16\7")

    first = _fetch(target)
    hub.requests.clear()

    assert _fetch(target) == first == check_folder(target, deep=True)
    assert hub.requests == []


def test_files_without_a_manifest_are_verified_and_only_the_bad_ones_fetched(
    hub: Hub, target: Path
) -> None:
    _fetch(target)
    (target / MANIFEST_FILE).unlink()
    (target / SHARDS[1]).write_bytes(b"\0" * SHARD_BYTES)
    (target / "config.json").write_bytes(b"\0" * 700)
    hub.requests.clear()

    _fetch(target)

    assert len(hub.bodies(SHARDS[1])) == len(hub.bodies("/config.json")) == 1
    assert hub.bodies(SHARDS[0]) == hub.bodies("tokenizer.json") == []
    check_folder(target, deep=True)


@pytest.mark.parametrize("name", [SHARDS[0], "config.json"])
def test_damaged_content_is_named_deleted_and_repaired_by_the_next_run(
    hub: Hub, target: Path, name: str
) -> None:
    hub.faults.contents[name] = b"\0" * len(hub.content(name))

    stopped = _refusal(target)

    assert isinstance(stopped, FileDamaged)
    assert stopped.file == name
    assert "hash differs" in stopped.reason or "sha256 differs" in stopped.reason
    assert not (target / name).exists()
    hub.faults.contents.clear()
    _fetch(target)
    check_folder(target, deep=True)


@pytest.mark.parametrize("length", [10, SHARD_BYTES + 10])
def test_weights_of_another_size_are_damaged(hub: Hub, target: Path, length: int) -> None:
    hub.faults.contents[SHARDS[1]] = b"\0" * length

    stopped = _refusal(target)

    assert isinstance(stopped, FileDamaged)
    assert stopped.reason == f"{length:,} bytes instead of 300,000"


@pytest.mark.usefixtures("hub")
def test_a_part_that_is_too_long_is_started_again(target: Path) -> None:
    first = _fetch(target)
    digest = next(file.sha256 for file in first.files if file.name == SHARDS[0])
    (target / SHARDS[0]).unlink()
    (target / ".cache" / "healer" / f"{digest}.part").write_bytes(b"\0" * (SHARD_BYTES + 1))

    assert _fetch(target).files == first.files


def test_without_a_token_a_gated_model_is_refused_before_the_network(
    hub: Hub, target: Path
) -> None:
    for blank in (None, " \n"):
        assert isinstance(_refusal(target, blank), TokenMissing)
    assert hub.requests == []


def test_without_a_token_any_other_gated_model_is_refused_by_the_hub(
    checkpoint: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hub(OPEN, checkpoint, token=TOKEN) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        stopped = _refusal(target, None, model_id=OPEN, model_revision=served.commit)
    assert isinstance(stopped, TokenMissing)


def test_an_open_model_needs_no_token(open_hub: Hub, target: Path) -> None:
    _fetch(target, None, model_id=OPEN, model_revision=open_hub.commit)

    assert not any(request.token_sent for request in open_hub.requests)


@pytest.mark.parametrize("token", ["hf_two words", "hf_tabs\tinside", "hf_schlüssel"])
def test_a_token_that_cannot_be_one_is_refused_before_the_network(
    hub: Hub, target: Path, token: str
) -> None:
    stopped = _refusal(target, token)

    assert isinstance(stopped, InvalidSettings)
    assert token not in str(stopped)
    assert hub.requests == []


@pytest.mark.usefixtures("hub")
def test_white_space_round_a_token_does_no_harm(target: Path) -> None:
    _fetch(target, f"{TOKEN}\n")


@pytest.mark.usefixtures("hub")
def test_a_wrong_token_is_rejected(target: Path) -> None:
    assert isinstance(_refusal(target, "hf_wrong"), TokenRejected)


def test_a_token_whose_account_has_not_accepted_gets_the_address_to_accept_at(
    hub: Hub, target: Path
) -> None:
    stopped = _refusal(target, STRANGER)

    assert isinstance(stopped, LicenceNotAccepted)
    assert f"{hub.url}/{GATED}" in str(stopped)
    assert not any(hub.bodies(name) for name in NEEDED)


def test_a_forbidding_proxy_is_not_taken_for_the_licence(hub: Hub, target: Path) -> None:
    hub.faults.statuses["/api/"] = 403

    stopped = _refusal(target)

    assert isinstance(stopped, HubUnreachable)
    assert stopped.reason == "it answered 403"


@pytest.mark.parametrize("model_id", ["someone/unknown", "bad--name/x..y"])
def test_an_unknown_model(hub: Hub, target: Path, model_id: str) -> None:
    stopped = _refusal(target, model_id=model_id, model_revision=hub.commit)

    assert isinstance(stopped, ModelNotFound)
    assert model_id in str(stopped)


@pytest.mark.usefixtures("hub")
def test_an_unknown_revision(target: Path) -> None:
    assert isinstance(_refusal(target, model_revision="a" * 40), RevisionNotFound)


def test_a_mirror_that_answers_with_another_commit_is_refused(
    checkpoint: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hub(OPEN, checkpoint, commit="main") as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        stopped = _refusal(target, None, model_id=OPEN, model_revision="main", allow_unpinned=True)
        assert isinstance(stopped, HubUnreachable)
        served.commit = "b" * 40
        served.aliases = ("a" * 40,)
        stopped = _refusal(target, None, model_id=OPEN, model_revision="a" * 40)
        assert isinstance(stopped, RevisionNotFound)


def test_a_moving_revision_is_refused_before_the_network(hub: Hub, target: Path) -> None:
    assert isinstance(_refusal(target, model_revision="main"), RevisionNotPinned)
    assert hub.requests == []


def test_a_requested_branch_is_resolved_to_its_commit(hub: Hub, target: Path) -> None:
    first = _fetch(target, model_revision="main", allow_unpinned=True)
    hub.requests.clear()
    again = _fetch(target, model_revision="main", allow_unpinned=True)
    assert again == first
    assert first.revision == hub.commit
    assert [request.method for request in hub.requests] == ["GET", "HEAD"]

    hub.commit = "d" * 40
    assert _fetch(target, model_revision="main", allow_unpinned=True).revision == "d" * 40


@pytest.mark.usefixtures("hub")
def test_another_model_replaces_the_first_and_leaves_nothing_of_it(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fetch(target)
    small = tmp_path / "small"
    small.mkdir()
    (small / "config.json").write_text("{}")
    (small / "model.safetensors").write_bytes(b"weights")

    with Hub(OPEN, small) as other:
        monkeypatch.setenv("HF_ENDPOINT", other.url)
        _fetch(target, None, model_id=OPEN, model_revision=other.commit)

    assert {path.name for path in target.iterdir() if path.is_file()} == {
        "config.json",
        "model.safetensors",
        MANIFEST_FILE,
    }


@pytest.mark.usefixtures("hub")
def test_a_loadable_file_that_is_not_the_models_stops_the_download(target: Path) -> None:
    target.mkdir()
    (target / "model.safetensors").write_bytes(b"mine")

    stopped = _refusal(target)

    assert isinstance(stopped, ModelAltered)
    assert stopped.file == "model.safetensors"
    assert (target / "model.safetensors").read_bytes() == b"mine"


def test_a_model_without_weights_of_the_right_kind(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "model.gguf").write_bytes(b"weights")
    with Hub(OPEN, bare) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        stopped = _refusal(target, None, model_id=OPEN, model_revision=served.commit)
    assert isinstance(stopped, InvalidSettings)
    assert str(stopped).startswith("MODEL_ID is someone/open-model, which has no config.json")


def test_a_closed_port(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        stopped = _refusal(target)
    assert isinstance(stopped, HubUnreachable)
    assert stopped.endpoint == endpoint
    assert "Connection refused" in stopped.reason


def test_a_proxy_is_honoured(hub: Hub, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh process: the library keeps its connections, and so their proxy."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed.getsockname()[1]}")
        run = _run_module(hub, target)
    assert run.returncode == HubUnreachable.exit_code
    assert hub.requests == []


@pytest.mark.parametrize("path", ["/api/models/", "/resolve/", SHARDS[1]])
def test_a_hub_that_fails(hub: Hub, target: Path, path: str) -> None:
    hub.faults.statuses[path] = 500

    stopped = _refusal(target)

    assert isinstance(stopped, HubUnreachable)
    assert stopped.reason == "it answered 500"


def test_a_listing_that_fails_halfway(hub: Hub, target: Path) -> None:
    hub.faults.statuses["/tree/"] = 401

    stopped = _refusal(target)

    assert isinstance(stopped, HubUnreachable)
    assert stopped.reason == "some files did not arrive"


@pytest.mark.parametrize(
    "endpoint", ["hub.example", "ftp://hub.example", "http://[", "http://a:b@c"]
)
def test_an_endpoint_that_is_no_address(
    target: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)

    stopped = _refusal(target)

    assert isinstance(stopped, InvalidSettings)
    assert stopped.variable == "HF_ENDPOINT"
    assert endpoint not in str(stopped)


def test_a_server_that_is_no_hub(hub: Hub, target: Path) -> None:
    hub.faults.page = b"<html>Sign in to the guest network</html>"

    stopped = _refusal(target)

    assert isinstance(stopped, HubUnreachable)
    assert stopped.reason == "it does not answer as a hub does"


def test_a_disk_that_is_too_small_is_reported_before_the_download(hub: Hub, target: Path) -> None:
    hub.faults.sizes[SHARDS[0]] = 10**15

    stopped = _refusal(target)

    assert isinstance(stopped, DiskFull)
    assert stopped.needed_bytes > 10**15 > stopped.free_bytes > 0
    assert not any(hub.bodies(name) for name in NEEDED)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    point = tmp_path / "disk"
    point.mkdir()
    if not mount or not umount or os.geteuid() != 0:
        pytest.skip("needs root, to mount a small file system")
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", point], check=False, capture_output=True
    )
    if made.returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    yield point
    subprocess.run([umount, point], check=True)


def test_a_disk_that_fills_on_the_way(hub: Hub, small_disk: Path) -> None:
    filler = small_disk / "filler"
    hub.faults.before_body = lambda: _fill(filler)

    stopped = _refusal(small_disk / "model")

    assert isinstance(stopped, DiskFull)
    assert 0 < stopped.needed_bytes <= 2 * SHARD_BYTES + len(hub.content("tokenizer.model"))
    filler.unlink()
    hub.faults.before_body = None
    _fetch(small_disk / "model")


def _fill(filler: Path) -> None:
    with filler.open("ab", buffering=0) as stream:
        try:
            while stream.write(b"\0" * 65536):
                pass
        except OSError:
            return


def test_a_disk_that_is_read_only(hub: Hub, small_disk: Path) -> None:
    mount = shutil.which("mount") or ""
    subprocess.run([mount, "-o", "remount,ro", small_disk], check=True)

    stopped = _refusal(small_disk / "model")

    assert isinstance(stopped, FolderNotWritable)
    assert stopped.reason == "Read-only file system"
    assert hub.requests == []


def test_a_folder_that_cannot_be_made(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    stopped = _refusal(tmp_path / "file" / "model")

    assert isinstance(stopped, FolderNotWritable)
    assert stopped.reason == "Not a directory"
    assert hub.requests == []


def test_access_is_checked_without_downloading(hub: Hub, target: Path) -> None:
    assert check_access(_settings(target)) == hub.commit
    assert not target.exists()
    assert not any(hub.bodies(name) for name in NEEDED)

    for token, error in {STRANGER: LicenceNotAccepted, "hf_wrong": TokenRejected}.items():
        with pytest.raises(error):
            check_access(_settings(target, token))


def test_the_token_stays_with_the_hub(
    hub: Hub, target: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.faults.drops = [1000]
    download(_settings(target))

    elsewhere = [request for request in hub.requests if request.host.startswith("localhost")]
    assert len(elsewhere) == len(SHARDS) + len(["tokenizer.model"]) + 1
    assert not any(request.token_sent for request in elsewhere)
    written = [path.read_bytes() for path in target.rglob("*") if path.is_file()]
    assert not any(TOKEN.encode() in content for content in written)
    assert TOKEN not in "".join(capfd.readouterr())


def _run_module(hub: Hub, target: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "healer.download"],
        env=_environment(hub, target, **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _environment(hub: Hub, target: Path, **variables: str) -> dict[str, str]:
    ours = {"HF_ENDPOINT": hub.url, "MODEL_DIR": str(target), "MY_HF_TOKEN": TOKEN}
    return {**os.environ, **ours, **variables}


def test_the_command_says_what_it_did(hub: Hub, target: Path) -> None:
    first, second = _run_module(hub, target), _run_module(hub, target)

    what = f"{GATED} at {hub.commit[:12]} (607,700 bytes in 13 files)"
    assert first.stdout == f"{what} is complete in {target}; every file was verified.\n"
    assert second.stdout == f"{what} is already complete in {target}; nothing was downloaded.\n"
    assert (first.returncode, second.returncode) == (0, 0)
    assert second.stderr == ""


@pytest.mark.parametrize(
    ("variables", "error", "message"),
    [
        ({"MY_HF_TOKEN": ""}, TokenMissing, "MY_HF_TOKEN (or HF_TOKEN)"),
        ({"MY_HF_TOKEN": STRANGER}, LicenceNotAccepted, "accept the terms at http://"),
        ({"HF_HUB_OFFLINE": "1"}, HubUnreachable, "offline mode is enabled"),
        ({"PORT": "none"}, InvalidSettings, "PORT cannot be used"),
    ],
)
def test_the_command_says_in_a_sentence_why_it_failed(
    hub: Hub, target: Path, variables: dict[str, str], error: type[HealerError], message: str
) -> None:
    run = _run_module(hub, target, **variables)

    assert run.returncode == error.exit_code
    assert run.stdout == ""
    assert message in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert "hf_" not in run.stderr


def test_two_downloads_into_one_folder_fetch_everything_once(hub: Hub, target: Path) -> None:
    command = [sys.executable, "-m", "healer.download"]
    environment = _environment(hub, target)
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) for _ in range(2)]
    message = [process.communicate(timeout=60)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert all(b"is complete in" in sentence for sentence in message)
    assert [len(hub.bodies(name)) for name in (*SHARDS, "/config.json")] == [1, 1, 1]


def test_the_command_stops_at_once_when_interrupted(hub: Hub, target: Path) -> None:
    # A shell's background job is started ignoring Ctrl-C, and these tests may be one.
    listen = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"import signal, sys; {listen}; from healer.download import main; sys.exit(main())"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, env=_environment(hub, target), stderr=subprocess.PIPE, text=True
    ) as process:
        hub.faults.before_body = lambda: process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=60)

    assert process.returncode == 130
    assert message == "Stopped. Run this again: it goes on where it stopped.\n"
