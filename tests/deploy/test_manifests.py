"""The YAML files: sound by their makers' schemas, and as closed as they are said to be."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
from itertools import chain
from typing import Any

import kubernetes_validate
import pytest
import yaml

from healer.cli.watch import watch as watch_command
from healer.settings.loading import Settings, load_settings
from healer.settings.names import variable_names_of
from tests.conftest import REPO
from tests.deploy.google import faults, service_faults
from tests.deploy.world import World

KUBERNETES = REPO / "deploy" / "kubernetes"
TLS = REPO / "deploy" / "tls"
MISSPELT = """
metadata: {annotations: {run.googleapis.com/ingres: all}}
spec: {template: {metadata: {}}}
"""
FILES = sorted(KUBERNETES.glob("*.yaml"))


def service(world: World, **settings: str) -> Any:  # noqa: ANN401 - YAML
    completed = world.run("deploy.sh", "--dry-run", **settings)
    assert completed.code == 0, completed.err
    return yaml.safe_load(completed.out)


@pytest.mark.parametrize("settings", [{}, {"GPU": "l4", "IMAGE": "example.org/healer:cuda"}])
def test_cloud_run_would_take_the_service(world: World, settings: dict[str, str]) -> None:
    assert service_faults(service(world, **settings)) == []


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ("{name: a, metadata: {}}", ": Additional properties are not allowed"),
        ("metadata: {annotations: {autoscaling.knative.dev/minScale: 1}}", "is not of type"),
        (MISSPELT, "run.googleapis.com/ingres is no annotation of a Service"),
    ],
)
def test_it_would_not_take_any_service(wrong: str, fault: str) -> None:
    assert fault in service_faults(yaml.safe_load(wrong))[0]


def test_an_instance_takes_as_many_as_its_queue_and_the_one_that_is_answered(world: World) -> None:
    spec = service(world)["spec"]["template"]["spec"]
    env = {each["name"]: each["value"] for each in spec["containers"][0]["env"]}
    taken = load_settings(**{name.removeprefix("HEALER_").lower(): env[name] for name in env})
    assert spec["containerConcurrency"] == taken.queue + 1


def test_the_gpu_comes_only_on_request(world: World) -> None:
    plain = service(world)["spec"]["template"]
    assert plain["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "4", "memory": "8Gi"}
    assert "nvidia" not in str(plain)
    assert "cpu-throttling" not in str(plain)
    gpu = service(world, GPU="l4", IMAGE="example.org/healer:cuda")["spec"]["template"]
    limits = {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}
    assert gpu["spec"]["containers"][0]["resources"]["limits"] == limits
    assert gpu["spec"]["nodeSelector"] == {"run.googleapis.com/accelerator": "nvidia-l4"}


def test_the_startup_probe_waits_as_long_as_cloud_run_allows(world: World) -> None:
    probe = service(world)["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
    assert probe["httpGet"]["path"] == "/ready"
    assert probe["failureThreshold"] * probe["periodSeconds"] == 240
    assert probe["timeoutSeconds"] <= probe["periodSeconds"]


@pytest.fixture(scope="module")
def build() -> Any:  # noqa: ANN401 - YAML
    return yaml.safe_load((REPO / "cloudbuild.yaml").read_text(encoding="utf-8"))


def test_cloud_build_would_take_the_build(build: Any) -> None:  # noqa: ANN401
    assert faults("cloudbuild.v1", "Build", build) == []
    assert faults("cloudbuild.v1", "Build", {**build, "options": {"machineType": "E2_HUGE"}})


def test_the_token_enters_one_step_as_a_secret(build: Any) -> None:  # noqa: ANN401
    with_token = [step for step in build["steps"] if "secretEnv" in step]
    assert [step["id"] for step in with_token] == ["image"]
    mentions = [word for step in build["steps"] for word in step["args"] if "TOKEN" in word]
    assert mentions == ["--secret=id=hf_token,env=MY_HF_TOKEN"]
    assert not any("env" in step for step in build["steps"])


def test_what_the_build_is_given_is_what_it_knows(build: Any) -> None:  # noqa: ANN401
    given = set(re.findall(r"(_[A-Z_]+)=\$", (REPO / "build.sh").read_text(encoding="utf-8")))
    assert given == set(build["substitutions"])
    used = set(re.findall(r"\$\{(_[A-Z_]+)\}", str(build)))
    assert used == given


def test_the_dockerfile_knows_every_build_argument(build: Any) -> None:  # noqa: ANN401
    args = [word for step in build["steps"] for word in step["args"]]
    given = {word.split("=")[1] for word in args if word.startswith("--build-arg=")}
    known = re.findall(
        r"^ARG (\w+)", (REPO / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert given <= set(known)


def things() -> list[Any]:
    documents = (yaml.safe_load_all(file.read_text(encoding="utf-8")) for file in FILES)
    return [thing for thing in chain.from_iterable(documents) if thing["kind"] != "Kustomization"]


def pods() -> list[Any]:
    return [
        thing["spec"]["template"]["spec"]
        for thing in things()
        if "template" in thing.get("spec", {})
    ]


@pytest.mark.parametrize(
    "thing", things(), ids=lambda thing: f"{thing['kind']}-{thing['metadata']['name']}"
)
def test_kubernetes_would_take(thing: Any) -> None:  # noqa: ANN401
    kubernetes_validate.validate(thing, kubernetes_validate.latest_version(), strict=True)


def test_the_kustomization_holds_every_file() -> None:
    held = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text(encoding="utf-8"))[
        "resources"
    ]
    assert sorted([*held, "kustomization.yaml"]) == [file.name for file in FILES]


def test_kustomize_builds_it() -> None:
    if (kubectl := shutil.which("kubectl")) is None:
        pytest.skip("kubectl is not installed here")
    built = subprocess.check_output([kubectl, "kustomize", str(KUBERNETES)], text=True)
    made = list(yaml.safe_load_all(built))
    assert len(made) == len(things())
    for thing in made:
        kubernetes_validate.validate(thing, kubernetes_validate.latest_version(), strict=True)
        assert "healer" in (thing["metadata"].get("namespace"), thing["metadata"]["name"])
    images = set(re.findall(r"image: (\S+)", built))
    assert all("/" in image and ":" in image for image in images)


def test_every_pod_is_confined() -> None:
    assert len(pods()) == 3
    for pod in pods():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_only_the_job_that_never_sees_an_image_reaches_the_internet() -> None:
    policies = {
        each["metadata"]["name"]: each["spec"]
        for each in things()
        if each["kind"] == "NetworkPolicy"
    }
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    outside = [name for name, policy in policies.items() if "ipBlock" in str(policy)]
    assert outside == ["weights"]
    assert "egress" not in policies["vllm"]
    healer_to = [to for rule in policies["healer"]["egress"] for to in rule["to"]]
    assert healer_to == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "vllm"}}}]


def test_healer_and_vllm_mean_the_same_server_and_model() -> None:
    healer, vllm = (
        next(each for each in things() if (each["kind"], each["metadata"]["name"]) == expected)
        for expected in (("Deployment", "healer"), ("Service", "vllm"))
    )
    container = healer["spec"]["template"]["spec"]["containers"][0]
    settings = {each["name"]: each["value"] for each in container["env"]}
    port = vllm["spec"]["ports"][0]["port"]
    assert settings["HEALER_ENGINE"] == "openai"
    assert settings["HEALER_ENGINE_URL"] == f"http://{vllm['metadata']['name']}:{port}/v1"
    served = (KUBERNETES / "vllm.yaml").read_text(encoding="utf-8")
    assert f"--served-model-name={settings['HEALER_ENGINE_MODEL']}" in served


def test_healer_reads_every_variable_that_it_is_given() -> None:
    known = {name for item in Settings.model_fields.items() for name in variable_names_of(*item)}
    containers = [container for pod in pods() for container in pod["containers"]]
    ours = [each for each in containers if each["image"] == "healer"]
    assert len(ours) == 2
    assert {variable["name"] for each in ours for variable in each["env"]} <= known


@pytest.fixture(scope="module")
def edge() -> dict[str, Any]:
    """What stands in front of Healer for TLS, by kind."""
    text = (TLS / "edge.yaml").read_text(encoding="utf-8")
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


def test_kubernetes_would_take_the_edge(edge: dict[str, Any]) -> None:
    for thing in edge.values():
        kubernetes_validate.validate(thing, kubernetes_validate.latest_version(), strict=True)


def test_the_edge_reaches_healer_which_then_requires_keys(edge: dict[str, Any]) -> None:
    template = edge["Deployment"]["spec"]["template"]
    assert template["metadata"]["labels"]["healer-client"] == "true"
    (caddy,) = template["spec"]["containers"]
    values = {each["name"]: each.get("value") for each in caddy["env"]}
    services = {each["metadata"]["name"]: each for each in things() if each["kind"] == "Service"}
    name, port = str(values["HEALER_UPSTREAM"]).split(":")
    assert services[name]["spec"]["ports"][0]["port"] == int(port)
    kustomization = yaml.safe_load((TLS / "kustomization.yaml").read_text(encoding="utf-8"))
    patch = yaml.safe_load(kustomization["patches"][0]["patch"])
    (healer,) = patch["spec"]["template"]["spec"]["containers"]
    assert {"name": "HEALER_UNAUTHENTICATED", "$patch": "delete"} in healer["env"]
    assert {"name": "HEALER_API_KEYS_FILE", "value": "/keys/keys.json"} in healer["env"]


def test_composed_only_caddy_is_reached_from_elsewhere_and_healer_requires_keys() -> None:
    compose = yaml.safe_load((REPO / "compose.yaml").read_text(encoding="utf-8"))["services"]
    published = {
        name: [port for port in each.get("ports", []) if not port.startswith("127.0.0.1:")]
        for name, each in compose.items()
    }
    assert {name for name, ports in published.items() if ports} == {"caddy"}
    assert "profiles" not in compose["healer"]
    keyed = compose["caddy"]["environment"]["HEALER_UPSTREAM"].split(":")[0]
    assert "HEALER_API_KEYS_FILE" in compose[keyed]["environment"]
    assert "HEALER_UNAUTHENTICATED" not in compose[keyed]["environment"]
    read = set(re.findall(r"\{\$(\w+)", (TLS / "Caddyfile").read_text(encoding="utf-8")))
    assert set(compose["caddy"]["environment"]) <= read


def test_the_composed_hospital_is_this_machines_alone_and_sets_what_healer_reads() -> None:
    text = (REPO / "compose.hospital.yaml").read_text(encoding="utf-8")
    services = yaml.safe_load(text)["services"]
    ports = [port for each in services.values() for port in each.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    watch = services["watch"]
    known = {name for field in Settings.model_fields.items() for name in variable_names_of(*field)}
    assert set(watch["environment"]) <= known
    options = {each.split("=")[0].lstrip("-") for each in watch["command"][1:]}
    assert options <= set(inspect.signature(watch_command).parameters)
