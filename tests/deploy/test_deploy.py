"""deploy.sh, with a stand-in for gcloud that records its calls."""

from __future__ import annotations

import pytest
import yaml

from tests.deploy.world import DIGEST, QUESTIONS, Completed, World

IMAGE = "europe-west1-docker.pkg.dev/my-project/healer-medgemma/healer"
OPENLY = "--allow-unauthenticated-i-understand"
SERVICE = "healer-medgemma-service"


def deploy(world: World, *arguments: str, **settings: str) -> Completed:
    return world.run("deploy.sh", *arguments, **{"MY_HF_TOKEN": "", **settings})


def container(manifest: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(manifest)["spec"]["template"]["spec"]["containers"][0]
    return found


def environment(world: World) -> dict[str, str]:
    variables = container(world.what("manifest"))["env"]
    assert isinstance(variables, list)
    return {each["name"]: each["value"] for each in variables}


def test_it_serves_the_newest_image_by_its_digest(world: World) -> None:
    completed = deploy(world)
    assert completed.code == 0, completed.err
    assert world.changes == [
        "services enable iam.googleapis.com run.googleapis.com",
        "iam service-accounts create healer-run",
        *[change for change in world.changes if change.startswith("run services replace")],
    ]
    assert container(world.what("manifest"))["image"] == f"{IMAGE}@{DIGEST}"


def test_it_shows_a_request_with_the_callers_token(world: World) -> None:
    completed = deploy(world)
    assert completed.out == "https://healer-abc.a.run.app\n"
    assert completed.last.strip() == (
        'curl -H "Authorization: Bearer $(gcloud auth print-identity-token)" '
        "-F image_file=@tile.png https://healer-abc.a.run.app/predict"
    )


def test_public_access_is_never_granted_by_default(world: World) -> None:
    deploy(world)
    assert "allUsers" not in world.what("calls") + world.what("manifest")
    assert "invoker-iam-disabled" not in world.what("manifest")
    assert environment(world)["HEALER_UNAUTHENTICATED"] == "checked-in-front"


def test_public_access_is_granted_on_explicit_request(world: World) -> None:
    completed = deploy(world, OPENLY)
    assert world.what("callers") == '"allUsers"\n'
    assert "Anyone on the internet can now send images" in completed.err
    assert environment(world)["HEALER_UNAUTHENTICATED"] == "anyone-may-ask"
    assert "Authorization" not in completed.err


@pytest.mark.parametrize("everyone", ["allUsers", "allAuthenticatedUsers"])
def test_without_the_words_it_is_closed_again_before_anything_new_serves(
    world: World, everyone: str
) -> None:
    world.has(callers=f'"user:a@example.org"\n"{everyone}"\n')
    completed = deploy(world)
    assert world.what("callers") == '"user:a@example.org"\n'
    assert f"Taking away the access of {everyone}" in completed.err
    assert world.changes[-2] == f"run services remove-iam-policy-binding {SERVICE}"


def test_a_second_run_makes_nothing_again(world: World) -> None:
    deploy(world)
    world.forget()
    assert deploy(world).code == 0
    assert [change for change in world.changes if " create " in change] == []


def test_settings_reach_the_manifest(world: World) -> None:
    deploy(world, SERVICE_NAME="other", MIN_INSTANCES="0", MAX_INSTANCES="9", CONCURRENCY="7")
    manifest = yaml.safe_load(world.what("manifest"))
    template = manifest["spec"]["template"]
    assert manifest["metadata"]["name"] == "other"
    assert template["metadata"]["annotations"]["autoscaling.knative.dev/minScale"] == "0"
    assert template["metadata"]["annotations"]["autoscaling.knative.dev/maxScale"] == "9"
    assert template["spec"]["containerConcurrency"] == 7
    assert environment(world)["HEALER_QUEUE"] == "6"
    assert template["spec"]["serviceAccountName"] == "healer-run@my-project.iam.gserviceaccount.com"


def test_another_image_is_served_as_it_is_named(world: World) -> None:
    image = f"europe-west1-docker.pkg.dev/other/images/healer@{DIGEST}"
    world.has(digest="")
    assert deploy(world, IMAGE=image).code == 0
    assert container(world.what("manifest"))["image"] == image


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"PROJECT_ID": ""}, "Set PROJECT_ID to your Google Cloud project"),
        ({"SERVICE_NAME": "My Service"}, "SERVICE_NAME=My Service cannot be used"),
        ({"MIN_INSTANCES": "one"}, "MIN_INSTANCES=one cannot be used: give a number"),
        ({"MAX_INSTANCES": "0"}, "MAX_INSTANCES=0 cannot be used: give a number of at least 1"),
        ({"MIN_INSTANCES": "5"}, "MIN_INSTANCES=5 is more than MAX_INSTANCES=3"),
        ({"CONCURRENCY": "1"}, "CONCURRENCY=1 cannot be used: give a number from 2 to 999"),
        ({"CPU": "9"}, "CPU=9 cannot be used"),
        ({"MEMORY": "8G"}, "MEMORY=8G cannot be used: give GiB, such as 8Gi"),
        ({"GPU": "h100"}, "GPU=h100 cannot be used: give none or l4"),
        ({"GPU": "l4"}, "GPU=l4 needs IMAGE, an image whose engine uses CUDA"),
        ({"GPU": "l4", "IMAGE": "i", "CPU": "2"}, "An L4 needs at least CPU=4 and MEMORY=16Gi"),
        (
            {"GPU": "l4", "IMAGE": "i", "MEMORY": "8Gi"},
            "An L4 needs at least CPU=4 and MEMORY=16Gi",
        ),
        ({"IMAGE": "a image"}, "IMAGE=a image cannot be used: give the image's full name"),
    ],
)
def test_what_is_missing_or_wrong_is_reported_in_one_sentence(
    world: World, settings: dict[str, str], sentence: str
) -> None:
    completed = deploy(world, **settings)
    assert completed.code == 1
    assert completed.err.startswith(sentence)
    assert len(completed.err.strip().splitlines()) == 1
    assert not any("replace" in change for change in world.changes)


def test_not_logged_in(world: World) -> None:
    world.has(account="")
    assert deploy(world).err == "gcloud is not logged in: run 'gcloud auth login'.\n"


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ("services enable", "The APIs could not be enabled: link a billing account"),
        ("docker images describe", f"There is no image {IMAGE}:latest: run ./build.sh first"),
        ("service-accounts create", "The service account healer-run could not be created"),
        ("services replace", "Cloud Run did not take the service: the reason is above"),
        ("services add-iam", f"Who may call {SERVICE} could not be changed"),
    ],
)
def test_a_step_that_fails_ends_it_and_says_what_to_do(
    world: World, step: str, sentence: str
) -> None:
    world.fails(step)
    completed = deploy(world, OPENLY)
    assert completed.code == 1
    assert completed.last.startswith(sentence)
    assert step in world.last_call
    assert completed.out == ""


def test_a_service_that_cannot_be_closed_is_not_replaced(world: World) -> None:
    world.has(callers='"allUsers"\n')
    world.fails("services remove-iam")
    assert deploy(world).code == 1
    assert not (world.cloud / "manifest").exists()


def test_a_dry_run_calls_nobody_and_prints_the_manifest(world: World) -> None:
    (world.bin / "gcloud").unlink()
    completed = deploy(world, "--dry-run", OPENLY)
    assert completed.code == 0
    assert container(completed.out)["image"] == f"{IMAGE}:latest"
    output = [line for line in completed.err.splitlines() if line.startswith("would run: gcloud ")]
    assert len(output) == 4
    assert f"run services add-iam-policy-binding {SERVICE}" in output[-1]


def test_a_dry_run_shows_the_manifest_that_would_be_applied(world: World) -> None:
    output = deploy(world, "--dry-run", IMAGE=f"{IMAGE}:v1").out
    deploy(world, IMAGE=f"{IMAGE}:v1")
    assert world.what("manifest") == output


def test_the_manifest_lies_nowhere_afterwards(world: World, tmp_path: object) -> None:
    deploy(world, TMPDIR=str(tmp_path))
    applied = next(call for call in world.calls if "replace" in call)[3]
    assert applied.startswith(str(tmp_path))
    assert not world.folder.joinpath(applied).exists()


def test_help_and_unknown_arguments(world: World) -> None:
    assert OPENLY in deploy(world, "--help").out
    assert deploy(world, "--allow-unauthenticated").last.startswith(
        "deploy.sh knows no argument --allow-unauthenticated"
    )


def test_everything_but_questions_is_in_a_dry_run(world: World) -> None:
    output = deploy(world, "--dry-run", OPENLY).err
    deploy(world, OPENLY)
    verbs = [" ".join(call[:3]) for call in world.calls if not QUESTIONS & set(call)]
    assert all(verb in output for verb in verbs)
