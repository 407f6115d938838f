"""build.sh, with a stand-in for gcloud that records its calls."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from tests.deploy.world import QUESTIONS, TOKEN, Completed, World

IMAGE = "europe-west1-docker.pkg.dev/my-project/healer-medgemma/healer"
ACCOUNT = "healer-build@my-project.iam.gserviceaccount.com"


def build(world: World, *arguments: str, **settings: str) -> Completed:
    return world.run("build.sh", *arguments, **settings)


def test_it_makes_what_is_missing_and_then_builds(world: World) -> None:
    completed = build(world)
    assert completed.code == 0, completed.err
    assert world.changes == [
        "services enable artifactregistry.googleapis.com cloudbuild.googleapis.com "
        "iam.googleapis.com secretmanager.googleapis.com storage.googleapis.com",
        "secrets create healer-hf-token",
        "secrets versions add healer-hf-token",
        "artifacts repositories create healer-medgemma",
        "storage buckets create gs://my-project-healer-build",
        "iam service-accounts create healer-build",
        "secrets add-iam-policy-binding healer-hf-token",
        "artifacts repositories add-iam-policy-binding healer-medgemma",
        "storage buckets add-iam-policy-binding gs://my-project-healer-build",
        "projects add-iam-policy-binding my-project",
        "builds submit .",
    ]
    assert completed.last == f"Built {IMAGE}:0123abc. Deploy it: ./deploy.sh"


def test_the_build_receives_the_requested_settings(world: World) -> None:
    build(world, MODEL_ID="google/medgemma-1.5-4b-it", MODEL_DIR="/models/m", REGION="europe-west4")
    submitted = world.last_call
    assert "--region=europe-west4" in submitted
    assert "_IMAGE=europe-west4-docker.pkg.dev/" in submitted
    assert "_MODEL_ID=google/medgemma-1.5-4b-it,_MODEL_REVISION=,_MODEL_DIR=/models/m" in submitted


def test_everything_lies_in_the_region(world: World) -> None:
    build(world)
    made = [call for call in world.calls if "create" in call and "service-accounts" not in call]
    assert len(made) == 3
    assert all({"--location=europe-west1", "--locations=europe-west1"} & set(call) for call in made)


def test_the_building_account_may_do_four_things(world: World) -> None:
    build(world)
    grants = [call for call in world.calls if "add-iam-policy-binding" in call]
    roles = [word.removeprefix("--role=") for call in grants for word in call if "--role" in word]
    assert roles == [
        "roles/secretmanager.secretAccessor",
        "roles/artifactregistry.writer",
        "roles/storage.objectViewer",
        "roles/logging.logWriter",
    ]
    assert all(f"--member=serviceAccount:{ACCOUNT}" in call for call in grants)


def test_a_second_run_makes_nothing_again(world: World) -> None:
    build(world)
    world.forget()
    assert build(world).code == 0
    assert [call for call in world.changes if " create " in call or " versions " in call] == []
    assert world.changes[-1] == "builds submit ."


def test_the_token_travels_by_standard_input_alone(world: World) -> None:
    completed = build(world, MY_HF_TOKEN=f"{TOKEN}\n")
    assert world.what("stdin") == TOKEN
    assert TOKEN not in completed.out + completed.err + world.what("calls")


@pytest.mark.parametrize("arguments", [[], ["--dry-run"]])
def test_not_even_a_trace_shows_the_token(world: World, arguments: list[str]) -> None:
    world.traced = True
    completed = build(world, *arguments)
    assert completed.code == 0
    assert "+ main" in completed.err
    assert TOKEN not in completed.out + completed.err + world.what("calls")


def test_a_failing_step_does_not_show_the_token_in_a_trace(world: World) -> None:
    world.fails("versions add")
    world.traced = True
    completed = build(world)
    assert completed.code == 1
    assert TOKEN not in completed.out + completed.err


def test_a_secret_that_is_there_is_enough(world: World) -> None:
    world.has_thing("secrets healer-hf-token")
    world.has(token="hf_kept")  # noqa: S106
    assert build(world, MY_HF_TOKEN="").code == 0
    assert world.what("token") == "hf_kept"


def test_a_new_token_becomes_a_new_version(world: World) -> None:
    world.has_thing("secrets healer-hf-token")
    world.has(token="hf_old")  # noqa: S106
    assert build(world).code == 0
    assert world.what("token") == TOKEN
    assert "secrets create healer-hf-token" not in world.changes


def test_a_secret_that_was_left_empty_is_filled(world: World) -> None:
    world.fails("versions add", times=1)
    assert build(world).code == 1
    completed = build(world, MY_HF_TOKEN="")
    assert (completed.code, "the secret healer-hf-token holds no token" in completed.last) == (
        1,
        True,
    )
    assert build(world).code == 0
    assert world.what("token") == TOKEN


def test_an_account_just_made_is_waited_for(world: World) -> None:
    world.fails("secrets add-iam-policy-binding", times=2)
    assert build(world).code == 0
    assert (world.folder / "slept").read_text(encoding="utf-8").split() == ["5", "10"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"PROJECT_ID": ""}, "Set PROJECT_ID to your Google Cloud project"),
        ({"MY_HF_TOKEN": ""}, "MY_HF_TOKEN is not set and the secret healer-hf-token holds no"),
        ({"PROJECT_ID": "My Project"}, "PROJECT_ID=My Project cannot be used: give the project's"),
        ({"REGION": "europe"}, "REGION=europe cannot be used: give a region such as"),
        ({"REPOSITORY_NAME": "A B"}, "REPOSITORY_NAME=A B cannot be used"),
        ({"SECRET_NAME": "a/b"}, "SECRET_NAME=a/b cannot be used"),
        ({"MODEL_ID": "medgemma"}, "MODEL_ID=medgemma cannot be used: give owner/name"),
        ({"MODEL_REVISION": "main"}, "MODEL_REVISION=main cannot be used: give the commit's 40"),
        ({"MODEL_DIR": "a b"}, "MODEL_DIR=a b cannot be used: give an absolute path"),
        ({"TAG": "a/b"}, "TAG=a/b cannot be used"),
        ({"TAG": ""}, "This folder is no git checkout"),
    ],
)
def test_what_is_missing_or_wrong_is_reported_in_one_sentence(
    world: World, settings: dict[str, str], sentence: str
) -> None:
    completed = build(world, **settings)
    assert completed.code == 1
    assert completed.err.startswith(sentence)
    assert len(completed.err.strip().splitlines()) == 1
    assert not any("create" in change or "submit" in change for change in world.changes)


def test_a_region_outside_europe_is_remarked(world: World) -> None:
    completed = build(world, REGION="us-central1")
    assert completed.code == 0
    assert "us-central1 is outside the European regions" in completed.err


def test_gcloud_is_missing(world: World) -> None:
    (world.bin / "gcloud").unlink()
    assert build(world).last.startswith("gcloud is missing: install the Google Cloud CLI")


def test_not_logged_in(world: World) -> None:
    world.has(account="")
    completed = build(world)
    assert (completed.code, completed.err) == (
        1,
        "gcloud is not logged in: run 'gcloud auth login'.\n",
    )


def test_a_project_that_cannot_be_seen(world: World) -> None:
    world.fails("projects describe")
    completed = build(world)
    assert completed.code == 1
    assert completed.err.startswith("someone@example.org cannot see the project my-project")


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ("services enable", "The APIs could not be enabled: link a billing account"),
        ("secrets create", "The secret healer-hf-token could not be created"),
        ("versions add", "The token could not be stored"),
        ("repositories create", "The repository healer-medgemma could not be created"),
        ("buckets create", "The bucket gs://my-project-healer-build could not be created"),
        ("service-accounts create", "The service account healer-build could not be created"),
        ("projects add-iam", "The account healer-build could not be given what building needs"),
        ("builds submit", "The build failed"),
    ],
)
def test_a_step_that_fails_ends_it_and_says_what_to_do(
    world: World, step: str, sentence: str
) -> None:
    world.fails(step)
    completed = build(world)
    assert completed.code == 1
    assert completed.last.startswith(sentence)
    assert "the cloud says no" in completed.err  # gcloud's own words are there too
    assert step in world.last_call


def test_after_a_build_that_failed_half_way_it_goes_on(world: World) -> None:
    world.fails("builds submit", times=1)
    assert build(world).code == 1
    made = world.things
    assert build(world).code == 0
    assert world.things == made


def test_a_dry_run_calls_nobody(world: World) -> None:
    (world.bin / "gcloud").unlink()
    completed = build(world, "--dry-run")
    assert completed.code == 0
    lines = completed.err.splitlines()
    assert len(lines) == 11
    assert all(line.startswith("would run: gcloud ") for line in lines)


def test_a_dry_run_does_what_it_says(world: World) -> None:
    output = build(world, "--dry-run").err.splitlines()
    build(world)
    promised = [shlex.split(line.removeprefix("would run: gcloud ")) for line in output]
    assert [call for call in world.calls if not QUESTIONS & set(call)] == promised


def test_a_dry_run_without_a_token_says_that_one_may_be_needed(world: World) -> None:
    completed = build(world, "--dry-run", MY_HF_TOKEN="")
    assert completed.code == 0
    assert "unless the secret healer-hf-token holds a token" in completed.err


def test_the_tag_is_the_commit_and_owns_up_to_changes(world: World) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        command = ["git", "-C", str(world.folder), *identity, *arguments]
        return subprocess.check_output(command, text=True).strip()

    (world.folder / ".gitignore").write_text("world\nbin\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message=first")
    commit = git("rev-parse", "HEAD")
    assert f"healer:{commit}." in build(world, TAG="").last
    (world.folder / "cloudbuild.yaml").write_text("# changed\n")
    assert f"healer:{commit}-dirty." in build(world, TAG="").last


def test_help_and_unknown_arguments(world: World) -> None:
    assert "MY_HF_TOKEN      Hugging Face read token" in build(world, "--help").out
    completed = build(world, "--dry-rum")
    assert (completed.code, completed.last) == (
        1,
        "build.sh knows no argument --dry-rum: see ./build.sh --help.",
    )
