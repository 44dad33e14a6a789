"""Where people run it: image, compose file and Kubernetes manifests are what the tools take, and name what there is."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import compose_spec
import kubernetes_validate
import pytest
import yaml

import pollbench

ROOT = Path(pollbench.__file__).resolve().parent
KUBERNETES = ROOT / "docs" / "examples" / "kubernetes"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
COMPONENT = "app.kubernetes.io/component"
VERSIONS = ("1.31", "1.37")
APART = {"server": {"worker", "run"}, "worker": {"server"}, "run": {"server"}}
"""Pods that must not share a node with others."""


def manifests() -> dict[tuple[str, str], dict[str, Any]]:
    """Return every object of the folder by kind and name."""
    found = [each for file in sorted(KUBERNETES.glob("*.yaml")) for each in yaml.safe_load_all(file.read_text("utf-8"))]
    return {(each["kind"], each.get("metadata", {}).get("name", "")): each for each in found}


OBJECTS = manifests()
PODS = {
    name: each["spec"]["template"] if kind in {"Deployment", "Job"} else each
    for (kind, name), each in OBJECTS.items()
    if kind in {"Deployment", "Job", "Pod"}
}


def ours() -> Iterator[tuple[str, list[str]]]:
    """Yield where our own command line is written, and its words without what the shell or a cluster puts in."""
    for name, service in COMPOSE["services"].items():
        if "pollbench" in service["image"]:
            yield f"compose.yaml: {name}", service["command"]
    for name, pod in PODS.items():
        for container in pod["spec"]["containers"]:
            if container["image"] == "pollbench":
                yield f"kubernetes: {name}", container["args"]


@pytest.mark.parametrize(("where", "words"), [*ours()], ids=[where for where, _ in ours()])
def test_every_command_is_one_of_ours_and_has_its_options(
    where: str, words: list[str], front_door: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert front_door(words[0], "--help") == pollbench.DONE, where
    helped = capsys.readouterr().out
    for option in (word.partition("=")[0] for word in words if word.startswith("--")):
        assert option in helped, f"{where}: pollbench {words[0]} has no {option}"


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_what_kubernetes_takes(version: str) -> None:
    for (kind, _), each in OBJECTS.items():
        if kind != "Kustomization":
            kubernetes_validate.validate(each, version, strict=True)


def test_the_kustomization_has_every_file_but_the_one_for_afterwards() -> None:
    listed = {*OBJECTS["Kustomization", ""]["resources"]}
    assert {file.name for file in KUBERNETES.glob("*.yaml")} - listed == {"kustomization.yaml", "shelf.yaml"}


def test_services_and_deployments_select_pods_that_there_are() -> None:
    labels = {name: pod["metadata"].get("labels", {}) for name, pod in PODS.items()}
    for (kind, name), each in OBJECTS.items():
        if kind == "Service":
            chosen = [pod for pod, own in labels.items() if each["spec"]["selector"].items() <= own.items()]
            assert chosen == [name]
            (port,) = each["spec"]["ports"]
            ports = {own["name"] for own in PODS[name]["spec"]["containers"][0]["ports"]}
            assert port["targetPort"] in ports
        if kind == "Deployment":
            assert each["spec"]["selector"]["matchLabels"] == labels[name] == {COMPONENT: name}


@pytest.mark.parametrize("name", PODS)
def test_every_pod_is_bounded_unprivileged_and_writes_only_where_it_may(name: str) -> None:
    spec = PODS[name]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    volumes = {volume["name"] for volume in spec["volumes"]}
    for container in spec["containers"]:
        assert {*container["resources"]["limits"]} == {"cpu", "memory"}
        assert container["resources"]["limits"] == container["resources"]["requests"]
        own = container["securityContext"]
        assert own["readOnlyRootFilesystem"] is True
        assert own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


@pytest.mark.parametrize(("name", "others"), APART.items())
def test_the_server_shares_no_node_with_its_load(name: str, others: set[str]) -> None:
    (rule,) = PODS[name]["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert rule["topologyKey"] == "kubernetes.io/hostname"
    selector = rule["labelSelector"]
    named = {value for each in selector.get("matchExpressions", []) for value in each["values"]}
    assert named | {*selector.get("matchLabels", {}).values()} == others


def test_the_run_has_as_many_workers_as_there_are_and_leaves_its_results_in_a_store() -> None:
    args = PODS["run"]["spec"]["containers"][0]["args"]
    assert f"--workers={OBJECTS['Deployment', 'worker']['spec']['replicas']}" in args
    claims = {
        each["persistentVolumeClaim"]["claimName"]
        for each in PODS["run"]["spec"]["volumes"]
        if len(each) > 1 and "persistentVolumeClaim" in each
    }
    assert claims == {"runs"}
    assert ("PersistentVolumeClaim", "runs") in OBJECTS
    mounts = {each["mountPath"] for each in PODS["run"]["spec"]["containers"][0]["volumeMounts"]}
    assert mounts == {"/work/runs", "/tmp"}
    assert "WORKDIR /work\n" in DOCKERFILE  # and runs/ is where a run is kept that is told nowhere else


def secret_of(service: Mapping[str, Any]) -> str:
    return str(service["environment"]["POLLBENCH_TOKEN"])


def test_the_compose_file_hardens_what_is_ours_and_scales_workers_and_run_alike() -> None:
    services = COMPOSE["services"]
    assert {*services} == {"redis", "server", "master", "worker"}
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    assert services["worker"]["deploy"]["replicas"] == "${WORKERS:-2}"
    assert "--workers=${WORKERS:-2}" in services["master"]["command"]
    assert secret_of(services["master"]) == secret_of(services["worker"])
    assert "build" in services["worker"]


def test_the_image_runs_from_what_it_copies_and_as_nobody_in_particular(tmp_path: Path) -> None:
    """What the Dockerfile copies, and nothing beside it, is enough for the command it ends with."""
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = re.findall(r"^COPY (\S+) /opt/pollbench/", DOCKERFILE, re.MULTILINE)
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == {*copied}
    for name in copied:
        source, there = ROOT / name, tmp_path / "opt" / name
        if source.is_dir():
            shutil.copytree(source, there, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            there.parent.mkdir(exist_ok=True)
            shutil.copy(source, there)
    (entry,) = re.findall(r'^ENTRYPOINT \["/opt/venv/bin/python", (.*)\]$', DOCKERFILE, re.MULTILINE)
    words = shlex.split(entry.replace(",", " "))
    done = subprocess.run(
        [sys.executable, *words, "patterns", "--json"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "opt"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "websocket" in done.stdout
    users = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    assert users == [("10001", "10001")]
    assert re.search(r"^FROM python:3\.\d+-slim$", DOCKERFILE, re.MULTILINE)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_puts_the_kustomization_together() -> None:
    done = subprocess.run(["kubectl", "kustomize", str(KUBERNETES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = [each for each in yaml.safe_load_all(done.stdout) if each]
    assert len(built) == len(OBJECTS) - 2
    assert "registry.example/pollbench:0.1.0" in done.stdout


def composed() -> str:
    """Return the compose file as it is when its anchors and variables have been put in."""
    text = yaml.safe_dump(COMPOSE)
    text = re.sub(r"'?\$\{\w+:-([^}]*)\}'?", r"\1", text)
    return re.sub(r"\$\{\w+:\?[^}]*\}", "a-secret-of-tests", text, flags=re.DOTALL)


def test_the_compose_file_is_what_the_specification_takes() -> None:
    assert compose_spec.PyCompose.from_yaml(composed()).service_names() == [*sorted(COMPOSE["services"])]
    for wrong in (
        ("read_only:", "read_onl:"),
        ("replicas: 2", "replicas: two"),
        ("condition: service_healthy", "if: up"),
    ):
        with pytest.raises(ValueError, match="services"):
            compose_spec.PyCompose.from_yaml(composed().replace(*wrong))
