"""The Kubernetes manifests: the API takes them, they fit together, and name the queues that there are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from kubernetes_validate import ValidationError, validate

from dispatcher.catalogue import load_catalogue
from dispatcher.messages import CONTROL_QUEUE, QUEUES, SERVICES
from dispatcher.settings import Settings
from tests.support.processes import ROOT

FOLDER: Final = ROOT / "config" / "kubernetes"
BASE: Final = FOLDER / "base"
WORKLOADS: Final = ("Deployment", "StatefulSet")
# What one small host gives: the base fits it before anything scales.
CORES: Final = 4.0
MEMORY_MB: Final = 8192
UNITS_MB: Final = {"Mi": 1.0, "Gi": 1024.0}
# The oldest that docs/scaling.md names, and the newest whose schemas the package has.
API_VERSIONS: Final = ("1.30", "1.37")
# KEDA is no part of the API. Its own schemas let every key through, so that a misspelt one would do nothing.
KEDA_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "TriggerAuthentication": frozenset({"secretTargetRef"}),
    "ScaledObject": frozenset(
        {
            *("scaleTargetRef", "minReplicaCount", "maxReplicaCount", "pollingInterval", "cooldownPeriod"),
            *("fallback", "advanced", "triggers"),
        }
    ),
}


def documents(path: Path) -> list[dict[str, Any]]:
    """Return every document of a file."""
    return list(yaml.safe_load_all(path.read_text("utf-8")))


def of_kustomization(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield every object that a kustomization names."""
    (content,) = documents(folder / "kustomization.yaml")
    for name in content["resources"]:
        path = (folder / name).resolve()
        yield from of_kustomization(path) if path.is_dir() else documents(path)


ALL: Final = list(of_kustomization(FOLDER / "keda"))
PODS: Final = {each["metadata"]["name"]: each for each in ALL if each["kind"] in WORKLOADS}


def pod(name: str) -> Mapping[str, Any]:
    """Return the pod of a workload."""
    found: Mapping[str, Any] = PODS[name]["spec"]["template"]["spec"]
    return found


def container(name: str) -> Mapping[str, Any]:
    """Return the one container of a workload."""
    (found,) = pod(name)["containers"]
    assert isinstance(found, dict)
    return found


def cores(text: Any) -> float:
    """Return a CPU quantity in cores."""
    said = str(text)
    return float(said.removesuffix("m")) / 1000 if said.endswith("m") else float(said)


def megabytes(text: str) -> float:
    """Return a memory quantity in MB."""
    return float(text[:-2]) * UNITS_MB[text[-2:]]


@pytest.mark.parametrize("version", API_VERSIONS)
def test_the_api_takes_every_manifest_and_knows_each_of_its_keys(version: str) -> None:
    known = [each for each in ALL if each["kind"] not in KEDA_KEYS]
    assert {validate(each, version, strict=True) for each in known} == {version}


def test_the_api_would_refuse_a_misspelt_key_and_a_wrong_type() -> None:
    for change in ({"replica": 2}, {"replicas": "two"}):
        wrong = {**PODS["front"], "spec": {**PODS["front"]["spec"], **change}}
        with pytest.raises(ValidationError):
            validate(wrong, API_VERSIONS[0], strict=True)


def test_what_keda_is_told_are_keys_that_it_knows() -> None:
    for each in ALL:
        if each["kind"] in KEDA_KEYS:
            assert each["apiVersion"] == "keda.sh/v1alpha1"
            assert each["spec"].keys() == KEDA_KEYS[each["kind"]]


def test_every_file_of_the_folder_is_named_by_a_kustomization() -> None:
    for folder in (BASE, FOLDER / "keda"):
        (content,) = documents(folder / "kustomization.yaml")
        maps = [file for each in content.get("configMapGenerator", []) for file in each["files"]]
        files = {path.name for path in folder.iterdir()} - {"kustomization.yaml"}
        assert files == {name for name in (*content["resources"], *maps) if not name.startswith("..")}


def test_there_is_a_front_a_worker_for_every_queue_and_a_beat() -> None:
    commands = {name: container(name)["command"] for name in PODS}
    consumed = [
        command[-1] for command in commands.values() if command[:4] == ["celery", "-A", "workers", "worker"]
    ]
    assert sorted(consumed) == sorted(QUEUES)
    assert commands["front"] == ["dispatcher", "front"]
    assert commands["beat"] == ["celery", "-A", "workers", "beat"]
    assert PODS["front"]["spec"]["replicas"] >= 2


@pytest.mark.parametrize("name", sorted(PODS))
def test_a_workload_selects_its_own_pods_and_no_others(name: str) -> None:
    wanted = PODS[name]["spec"]["selector"]["matchLabels"].items()
    chosen = [
        other
        for other, each in PODS.items()
        if wanted <= each["spec"]["template"]["metadata"]["labels"].items()
    ]
    assert chosen == [name]


def test_every_service_and_budget_selects_one_workload_and_a_port_that_it_has() -> None:
    for each in ALL:
        if each["kind"] not in {"Service", "PodDisruptionBudget"}:
            continue
        selector = each["spec"]["selector"]
        wanted = selector.get("matchLabels", selector).items()
        (chosen,) = [
            name
            for name, one in PODS.items()
            if wanted <= one["spec"]["template"]["metadata"]["labels"].items()
        ]
        ports = {port["name"]: port["containerPort"] for port in container(chosen)["ports"]}
        for port in each["spec"].get("ports", []):
            assert ports[port["targetPort"]] == port["port"]


@pytest.mark.parametrize("name", sorted(PODS))
def test_a_pod_is_nobody_can_write_little_and_has_bounds(name: str) -> None:
    spec, inside = pod(name), container(name)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert inside["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(inside["resources"]) == {"requests", "limits"}
    mounted = {each["name"] for each in inside["volumeMounts"]}
    claims = {each["metadata"]["name"] for each in PODS[name]["spec"].get("volumeClaimTemplates", [])}
    assert mounted == claims | {each["name"] for each in spec["volumes"]}


def test_what_is_reserved_fits_one_small_box() -> None:
    for name, each in PODS.items():
        limits, requests = container(name)["resources"]["limits"], container(name)["resources"]["requests"]
        assert cores(requests["cpu"]) <= cores(limits["cpu"]), each
        assert megabytes(requests["memory"]) <= megabytes(limits["memory"]), each
    reserved = [
        (each["spec"]["replicas"], container(name)["resources"]["requests"]) for name, each in PODS.items()
    ]
    assert sum(count * cores(wanted["cpu"]) for count, wanted in reserved) <= CORES
    assert sum(count * megabytes(wanted["memory"]) for count, wanted in reserved) <= MEMORY_MB


def test_every_variable_is_a_setting_and_no_secret_stands_in_a_manifest() -> None:
    known = {name.upper() for name in Settings.model_fields}
    for name in PODS:
        given = {each["name"]: each for each in container(name).get("env", [])}
        assert given.keys() <= known
        for variable in ("REDIS_URL_FILE", "DATABASE_URL_FILE", "FRONT_TOKEN_KEY_FILE"):
            if variable in given:
                assert given[variable]["value"].startswith("/run/secrets/xiaozhi/")
    assert not [each for each in ALL if each["kind"] == "Secret"]


def test_a_front_drains_before_it_is_killed() -> None:
    (drain,) = [each for each in container("front")["env"] if each["name"] == "DRAIN_S"]
    (pause,) = re.findall(r"\d+", str(container("front")["lifecycle"]["preStop"]))
    assert pod("front")["terminationGracePeriodSeconds"] > float(drain["value"]) + float(pause)
    assert container("front")["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container("front")["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_images_are_ours_or_the_one_redis() -> None:
    assert {container(name)["image"] for name in PODS} == {
        "xiaozhi-dispatcher",
        "xiaozhi-instance",
        "redis:7-alpine",
    }


def test_every_pod_of_an_instance_stands_in_the_catalogue() -> None:
    catalogue = load_catalogue(BASE / "load_balancing.yaml")
    for service in SERVICES:
        port = container(service)["ports"][0]["containerPort"]
        pods = [
            f"http://{service}-{number}.{service}:{port}/v1"
            for number in range(PODS[service]["spec"]["replicas"])
        ]
        assert [each.endpoint for each in catalogue.services[service].instances] == pods


def test_keda_follows_each_queue_of_a_stage_within_bounds() -> None:
    scaled = [each["spec"] for each in ALL if each["kind"] == "ScaledObject"]
    followed = {spec["triggers"][0]["metadata"]["listName"]: spec for spec in scaled}
    assert followed.keys() == set(QUEUES) - {CONTROL_QUEUE}
    for queue, spec in followed.items():
        assert container(spec["scaleTargetRef"]["name"])["command"][-1] == queue
        assert 1 <= spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]
        assert spec["triggers"][0]["metadata"]["address"].endswith(":6379")
