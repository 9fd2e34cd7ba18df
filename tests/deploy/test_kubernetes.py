"""``deploy/kubernetes``: objects that fit each other, the image, the settings and the health service."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from longshore_server.access.policy import read_policy
from longshore_server.health import READ, UPLOAD
from longshore_server.settings import Settings

from .settings_held import settings_of

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
WORKLOADS = ["DaemonSet/longshore-install", "Job/longshore-migrate-0-1-0", "StatefulSet/longshore"]
NODES = ["DaemonSet/longshore-install", "StatefulSet/longshore"]
CONFIG_FOLDER = "/etc/longshore/config/"

# What the manifests may speak of, by kind: a version of the API that current clusters have.
VERSIONS = {
    "Namespace": "v1",
    "ServiceAccount": "v1",
    "ConfigMap": "v1",
    "Service": "v1",
    "Job": "batch/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "PodDisruptionBudget": "policy/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
}

Manifest = dict[str, Any]


def kustomization() -> Manifest:
    loaded: Manifest = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    return loaded


@pytest.fixture(scope="module")
def objects() -> dict[str, Manifest]:
    """Every object, by kind and name."""
    found: dict[str, Manifest] = {}
    for name in kustomization()["resources"]:
        for one in yaml.safe_load_all((FOLDER / name).read_text()):
            key = f"{one['kind']}/{one['metadata']['name']}"
            assert key not in found, f"{key} is there twice"
            found[key] = one
    return found


def pod_of(workload: Manifest) -> Manifest:
    pod: Manifest = workload["spec"]["template"]["spec"]
    return pod


def container_of(workload: Manifest) -> Manifest:
    (container,) = pod_of(workload)["containers"]
    found: Manifest = container
    return found


def variables(container: Manifest) -> dict[str, str]:
    return {one["name"]: one.get("value", "from-the-cluster") for one in container["env"]}


def settings_in(objects: dict[str, Manifest], workload: str, folder: Path) -> Settings:
    given = variables(container_of(objects[workload]))
    file = given["LONGSHORE_CONFIG"].removeprefix(CONFIG_FOLDER)
    return settings_of(objects["ConfigMap/longshore"]["data"][file], given, folder)


def walk(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, however deep."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def test_every_file_is_used() -> None:
    listed = {*kustomization()["resources"], "kustomization.yaml"}
    assert {path.name for path in FOLDER.iterdir()} == listed


def test_kinds_are_those_that_clusters_have(objects: dict[str, Manifest]) -> None:
    for key, one in objects.items():
        assert one["apiVersion"] == VERSIONS[one["kind"]], key
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", one["metadata"]["name"]), key
    assert sorted(key for key in objects if "template" in objects[key].get("spec", {})) == WORKLOADS


@pytest.mark.parametrize("name", WORKLOADS)
def test_settings_exist_and_fit(name: str, objects: dict[str, Manifest], tmp_path: Path) -> None:
    settings = settings_in(objects, name, tmp_path)
    assert settings.database_url.split("@")[0].endswith(":secret")
    assert settings.blobs.secret_key.get_secret_value() == "secret"
    assert settings.coordination.password.get_secret_value() == "secret"
    assert not settings.insecure_listen
    if name in NODES:
        # Kubernetes kills what has not ended by then.
        assert settings.drain_timeout_s < pod_of(objects[name])["terminationGracePeriodSeconds"]


def test_who_does_what(objects: dict[str, Manifest], tmp_path: Path) -> None:
    nodes = settings_in(objects, "StatefulSet/longshore", tmp_path)
    assert nodes.node.roles == {"receive", "control"}
    assert nodes.access.enabled
    installing = settings_in(objects, "DaemonSet/longshore-install", tmp_path)
    assert installing.node.roles == {"install"}
    assert installing.listen.startswith("127.0.0.1:")
    assert installing.node.environment == nodes.node.environment
    assert installing.blobs.access_key != nodes.blobs.access_key
    assert installing.blobs_url == nodes.blobs_url
    assert installing.coordination.url == nodes.coordination.url
    for name in NODES:
        named = [one for one in container_of(objects[name])["env"] if one["name"] == "LONGSHORE_NODE__NAME"]
        assert "valueFrom" in named[0], "two nodes would have one name"


def test_who_migrates_owns_the_tables_and_is_no_node(objects: dict[str, Manifest], tmp_path: Path) -> None:
    owner, node, installing = (
        urlsplit(settings_in(objects, name, tmp_path).database_url)
        for name in ("Job/longshore-migrate-0-1-0", "StatefulSet/longshore", "DaemonSet/longshore-install")
    )
    assert (owner.hostname, owner.path, owner.query) == (node.hostname, node.path, node.query)
    assert len({owner.username, node.username, installing.username}) == 3
    assert f"CREATE ROLE {node.username} " in (ROOT / "deploy" / "database-roles.sql").read_text()
    secrets = {volume["secret"]["secretName"] for volume in secret_volumes(objects["StatefulSet/longshore"])}
    assert "longshore-owner" not in secrets


def secret_volumes(workload: Manifest) -> list[Manifest]:
    return [volume for volume in pod_of(workload)["volumes"] if "secret" in volume]


def test_the_namespace_warns_of_what_is_not_restricted(objects: dict[str, Manifest]) -> None:
    labels = objects["Namespace/longshore"]["metadata"]["labels"]
    modes = {mode: labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "warn", "audit")}
    needs_more = any(
        "hostPath" in volume for volume in pod_of(objects["DaemonSet/longshore-install"])["volumes"]
    )
    assert modes == {
        "enforce": "privileged" if needs_more else "restricted",
        "warn": "restricted",
        "audit": "restricted",
    }


def test_the_policy_is_one(objects: dict[str, Manifest], tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(objects["ConfigMap/longshore"]["data"]["policy.yaml"])
    read_policy(path)


@pytest.mark.parametrize("name", WORKLOADS)
def test_what_it_mounts_is_there(name: str, objects: dict[str, Manifest]) -> None:
    pod, spec = pod_of(objects[name]), objects[name]["spec"]
    claimed = {claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])}
    volumes = {volume["name"] for volume in pod["volumes"]} | claimed
    mounted: set[str] = set()
    for container in (*pod["containers"], *pod.get("initContainers", [])):
        mounted |= {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == volumes
    paths = [mount["mountPath"] for mount in container_of(objects[name])["volumeMounts"]]
    given = variables(container_of(objects[name]))
    for variable, value in given.items():
        if value.startswith("/"):
            assert value.startswith(tuple(f"{path}/" for path in paths)), (
                f"{variable}: {value} is not mounted"
            )
    data_dir = re.search(r"LONGSHORE_DATA_DIR=(\S+)", (ROOT / "Dockerfile").read_text())
    assert data_dir
    assert data_dir[1] in paths


def test_nothing_secret_is_written_here(objects: dict[str, Manifest]) -> None:
    assert not [key for key in objects if key.startswith("Secret/")]
    for key, one in objects.items():
        for name, value in walk(one):
            if isinstance(value, str):
                assert not re.search(r"://[^/@\s]*:[^/@\s]*@|-----BEGIN", value), f"{key}: {name}"
        if "data" in one:
            for name, _ in walk([yaml.safe_load(text) for text in one["data"].values()]):
                assert name not in ("password", "secret_key", "secret"), f"{key}: {name}"
    for name in WORKLOADS:
        for variable in variables(container_of(objects[name])):
            assert not re.search(r"(PASSWORD|SECRET_KEY|TOKEN)$", variable), variable


def test_images_are_ours_and_pinned(objects: dict[str, Manifest]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    images = {value for one in objects.values() for key, value in walk(one) if key == "image"}
    assert images == {f"longshore:{version}"}
    (named,) = kustomization()["images"]
    assert (named["name"], named["newTag"]) == ("longshore", version)
    assert f"Job/longshore-migrate-{version.replace('.', '-')}" in objects


@pytest.mark.parametrize("name", NODES)
def test_probes_ask_for_what_the_health_service_knows(name: str, objects: dict[str, Manifest]) -> None:
    container = container_of(objects[name])
    dockerfile = (ROOT / "Dockerfile").read_text()
    asked = {}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        program, script, *service = container[probe]["exec"]["command"]
        assert (program, script) == ("python", "/opt/longshore/healthcheck.py")
        assert script in dockerfile
        # The check's own deadline ends first, and says why.
        assert container[probe]["timeoutSeconds"] > 4
        asked[probe] = "".join(service)
    ready = UPLOAD if name.startswith("StatefulSet") else READ
    assert asked == {"startupProbe": "", "livenessProbe": "", "readinessProbe": ready}


@pytest.mark.parametrize("name", WORKLOADS)
def test_it_may_do_little(name: str, objects: dict[str, Manifest]) -> None:
    pod = pod_of(objects[name])
    assert pod["serviceAccountName"] == objects["ServiceAccount/longshore"]["metadata"]["name"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    user = re.search(r"useradd --system --uid (\d+)", (ROOT / "Dockerfile").read_text())
    assert user
    assert pod["securityContext"]["runAsUser"] == int(user[1])
    for container in (*pod["containers"], *pod.get("initContainers", [])):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"]["drop"] == ["ALL"]
    assert container_of(objects[name])["resources"].keys() == {"requests", "limits"}


def test_selectors_find_the_nodes(objects: dict[str, Manifest]) -> None:
    for name in NODES:
        spec = objects[name]["spec"]
        assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    nodes = objects["StatefulSet/longshore"]["spec"]["template"]["metadata"]["labels"]
    for service in ("Service/longshore", "Service/longshore-nodes"):
        assert objects[service]["spec"]["selector"] == nodes
    assert objects["StatefulSet/longshore"]["spec"]["serviceName"] == "longshore-nodes"
    assert objects["PodDisruptionBudget/longshore"]["spec"]["selector"]["matchLabels"] == nodes
    assert objects["NetworkPolicy/longshore-calls"]["spec"]["podSelector"]["matchLabels"] == nodes


def test_ports_are_those_that_are_listened_on(objects: dict[str, Manifest], tmp_path: Path) -> None:
    for name in NODES:
        settings = settings_in(objects, name, tmp_path)
        ports = {port["name"]: port["containerPort"] for port in container_of(objects[name])["ports"]}
        assert ports["metrics"] == int(settings.metrics.listen.rpartition(":")[2])
        told = objects[name]["spec"]["template"]["metadata"]["annotations"]
        assert told["prometheus.io/port"] == str(ports["metrics"])
        if name.startswith("StatefulSet"):
            assert ports["grpc"] == int(settings.listen.rpartition(":")[2])
    opened = {value for key, value in walk(objects["NetworkPolicy/longshore"]["spec"]) if key == "port"}
    nodes = settings_in(objects, "StatefulSet/longshore", tmp_path)
    stores = re.findall(r":(\d+)", f"{nodes.blobs_url} {nodes.coordination.url}")
    assert {int(port) for port in stores} | {5432, 53, 9420} <= opened


def test_of_three_one_may_be_away(objects: dict[str, Manifest]) -> None:
    assert objects["StatefulSet/longshore"]["spec"]["replicas"] == 3
    assert objects["PodDisruptionBudget/longshore"]["spec"]["maxUnavailable"] == 1
