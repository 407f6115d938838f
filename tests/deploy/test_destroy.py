"""destroy.sh, with a stand-in for gcloud that records its calls."""

from __future__ import annotations

import pytest

from tests.deploy.world import Completed, World


@pytest.fixture
def deployed(world: World) -> World:
    assert world.run("build.sh").code == 0
    assert world.run("deploy.sh").code == 0
    assert len(world.things) == 6
    world.forget()
    return world


def destroy(world: World, *arguments: str, **settings: str) -> Completed:
    return world.run("destroy.sh", *arguments, **settings)


def test_it_removes_all_that_was_made(deployed: World) -> None:
    completed = destroy(deployed, "--yes")
    assert completed.code == 0, completed.err
    assert deployed.things == set()
    assert "projects remove-iam-policy-binding my-project" in deployed.changes


def test_it_goes_on_when_the_project_is_typed(deployed: World) -> None:
    assert destroy(deployed, answer="my-project\n").code == 0
    assert deployed.things == set()


@pytest.mark.parametrize("answer", ["", "\n", "y\n", "my-projec\n"])
def test_any_other_answer_removes_nothing(deployed: World, answer: str) -> None:
    completed = destroy(deployed, answer=answer)
    assert completed.code == 1
    assert completed.last.endswith("Nothing was removed, because the answer was not my-project.")
    assert deployed.changes == []


def test_resources_made_by_others_are_not_removed(deployed: World) -> None:
    deployed.has_thing("secrets healer-hf-token")
    deployed.has_thing("artifacts repositories healer-medgemma", "team=pathology\n")
    completed = destroy(deployed, "--yes")
    assert deployed.things == {"secrets healer-hf-token", "artifacts repositories healer-medgemma"}
    assert "Kept the secret healer-hf-token: build.sh did not make it." in completed.err


def test_a_second_run_finds_nothing(deployed: World) -> None:
    destroy(deployed, "--yes")
    deployed.forget()
    completed = destroy(deployed, "--yes")
    assert (completed.code, deployed.changes) == (0, [])


def test_what_cannot_be_removed_is_reported(deployed: World) -> None:
    deployed.fails("run services delete")
    completed = destroy(deployed, "--yes")
    assert completed.code == 1
    assert completed.last.startswith("Could not remove the service healer-medgemma-service")
    assert len(deployed.things) == 6


def test_a_dry_run_removes_nothing_and_prompts_for_nothing(deployed: World) -> None:
    completed = destroy(deployed, "--dry-run")
    assert (completed.code, deployed.calls) == (0, [])
    assert len(completed.err.splitlines()) == 7


def test_unknown_arguments(world: World) -> None:
    assert destroy(world, "--force").last.startswith("destroy.sh knows no argument --force")
