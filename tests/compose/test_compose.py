"""``docker-compose.yml``: pinned, watched, kept, and made of settings that exist.

There may be no container engine where the tests run, so the file is read and held against everything in this
checkout that it speaks of.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from cryptography import x509
from pydantic import BaseModel

from longshore_server.settings import Settings
from longshore_storage.blobs.urls import S3Location, parse_blob_url, with_keys

ROOT = Path(__file__).parents[2]
MOUNTED = "/run/secrets"
PREFIX = "LONGSHORE_"
JOBS = {"bucket", "migrate"}
NODES = ["node1", "node2", "node3"]
ETCD = ["etcd1", "etcd2", "etcd3"]
MINIO = ["minio1", "minio2", "minio3", "minio4"]

Service = dict[str, Any]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Service]:
    found: dict[str, Service] = compose["services"]
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that ``deploy/compose-secrets`` makes, in a copy of the checkout."""
    copy = tmp_path_factory.mktemp("checkout")
    (copy / "deploy").mkdir()
    script = copy / "deploy" / "compose-secrets"
    script.write_bytes((ROOT / "deploy" / "compose-secrets").read_bytes())
    script.chmod(0o755)
    subprocess.run([script], check=True, capture_output=True, timeout=60)
    return copy / "secrets"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, made: Path) -> Any:
    """Settings as a node reads them from these variables and from nothing else, but for where secrets are."""

    def from_variables(variables: Mapping[str, str]) -> Settings:
        variables = {name: value.replace(MOUNTED, str(made)) for name, value in variables.items()}
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return Settings()

    return from_variables


def variables(service: Service) -> dict[str, str]:
    return {name: value for name, value in service.get("environment", {}).items() if name.startswith(PREFIX)}


def mounts(service: Service) -> Iterator[tuple[str, str]]:
    for mount in service.get("volumes", []):
        name, _, path = mount.partition(":")
        yield name, path


def test_the_cluster_is_whole(services: dict[str, Service]) -> None:
    assert sorted(services) == sorted([*NODES, *ETCD, *MINIO, *JOBS, "postgres"])


def test_images_are_pinned_to_an_exact_version(services: dict[str, Service]) -> None:
    for name, service in services.items():
        tag = service["image"].rpartition(":")[2]
        assert re.search(r"\d+\.\d+|RELEASE\.\d{4}-\d\d-\d\dT", tag), f"{name} runs {service['image']}"
        assert "latest" not in tag


def test_one_version_of_each_image(services: dict[str, Service]) -> None:
    images = {service["image"] for service in services.values()}
    assert len(images) == len({image.rpartition(":")[0] for image in images})


def test_our_own_image_carries_our_version(services: dict[str, Service]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for name in [*NODES, "migrate"]:
        assert services[name]["image"] == f"longshore:{version}"
        assert services[name]["build"] == "."


def test_etcd_is_the_one_that_the_tests_run_on(services: dict[str, Service]) -> None:
    pinned = (ROOT / "tests/services/go/etcd/go.mod").read_text()
    tested = re.search(r"go\.etcd\.io/etcd/server/v3 (v\S+)", pinned)
    assert tested
    assert {services[name]["image"].rpartition(":")[2] for name in ETCD} == {tested[1]}


def test_whatever_stays_up_is_watched(services: dict[str, Service]) -> None:
    """Our nodes by the image's own check; a job ends, and its status says how."""
    for name, service in services.items():
        if name in NODES:
            assert "healthcheck" not in service
            assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text()
        elif name in JOBS:
            assert service.get("healthcheck", {"disable": True}) == {"disable": True}
            assert service.get("restart", "no") != "unless-stopped"
        else:
            check = service["healthcheck"]
            # Without a shell: most of these images have none.
            assert check["test"][0] == "CMD", name
            assert {"interval", "timeout", "retries"} <= check.keys()
            assert service["restart"] == "unless-stopped"


def test_data_is_kept_in_declared_volumes(compose: dict[str, Any], services: dict[str, Service]) -> None:
    used = [name for service in services.values() for name, _ in mounts(service)]
    assert sorted(used) == sorted(compose["volumes"]), "each volume has one user, and each is declared"
    assert {name for name, service in services.items() if not service.get("volumes")} == JOBS


def test_servers_write_where_their_volume_is(services: dict[str, Service]) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    for name, service in services.items():
        for _, path in mounts(service):
            if name in NODES:
                assert f"LONGSHORE_DATA_DIR={path}\n" in dockerfile
            if name in ETCD:
                assert service["environment"]["ETCD_DATA_DIR"] == path
            if name in MINIO:
                assert urlsplit(service["command"][1]).path == path


def test_dependencies_exist_and_can_be_met(services: dict[str, Service]) -> None:
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in services, f"{name} depends on {needed}"
            expected = "service_completed_successfully" if needed in JOBS else "service_healthy"
            assert how["condition"] == expected, f"{name} on {needed}"


def test_nodes_wait_for_the_schema_the_bucket_and_etcd(services: dict[str, Service]) -> None:
    for name in NODES:
        assert set(services[name]["depends_on"]) == {*JOBS, *ETCD}
    assert "postgres" in services["migrate"]["depends_on"]
    assert set(services["bucket"]["depends_on"]) == set(MINIO)


def test_ports_are_free_of_each_other_and_local(services: dict[str, Service]) -> None:
    published = [port.split(":") for service in services.values() for port in service.get("ports", [])]
    assert len(published) == len(NODES)
    assert {address for address, _, _ in published} == {"127.0.0.1"}
    assert len({port for _, port, _ in published}) == len(published)
    # The client looks there when it is told nothing.
    assert "7420" in {port for _, port, _ in published}


def test_every_variable_is_a_setting(services: dict[str, Service]) -> None:
    """Walked by hand: a variable that no setting has is ignored when settings are read."""
    names = {name for service in services.values() for name in variables(service)}
    assert names
    for name in sorted(names):
        model: type[BaseModel] = Settings
        for part in name.removeprefix(PREFIX).lower().split("__"):
            assert part in model.model_fields, f"{name} is no setting"
            kind = model.model_fields[part].annotation
            model = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else BaseModel
    for name in {"migrate", *NODES}:
        assert all(isinstance(value, str) for value in services[name]["environment"].values()), name


def test_nodes_load_their_settings(services: dict[str, Service], load: Any) -> None:
    seen = set()
    for name in NODES:
        settings: Settings = load(variables(services[name]))
        assert settings.node.name == name
        assert settings.tls.cert_file
        assert settings.access.enabled
        assert not settings.insecure_listen
        assert not settings.embedded_database
        assert settings.listen.rpartition(":")[2] == services[name]["ports"][0].rpartition(":")[2]
        # Docker kills what has not ended by then, so a node must be done draining before.
        assert settings.drain_timeout_s < float(services[name]["stop_grace_period"].removesuffix("s"))
        seen.add((settings.database_url, settings.blobs_url, settings.coordination.url))
    assert len(seen) == 1, "nodes of one cluster share their stores"


def test_the_migration_goes_to_the_nodes_database_and_is_its_owner(
    services: dict[str, Service], load: Any
) -> None:
    migration = urlsplit(load(variables(services["migrate"])).database_url)
    postgres = services["postgres"]["environment"]
    assert migration.username == postgres["POSTGRES_USER"]
    given = variables(services["migrate"])["LONGSHORE_DATABASE__PASSWORD_FILE"]
    assert given == postgres["POSTGRES_PASSWORD_FILE"]
    nodes = urlsplit(load(variables(services["node1"])).database_url)
    assert (migration.hostname, migration.path) == (nodes.hostname, nodes.path)
    assert migration.username != nodes.username
    assert migration.password != nodes.password
    assert services["migrate"]["command"] == ["admin", "migrate"]


def test_nodes_reach_the_services_of_this_file(services: dict[str, Service], load: Any) -> None:
    settings: Settings = load(variables(services["node1"]))
    database = urlsplit(settings.database_url)
    postgres = services["postgres"]["environment"]
    assert database.hostname == "postgres"
    assert f"CREATE ROLE {database.username} " in (ROOT / "deploy/database-roles.sql").read_text()
    assert database.password == settings.database.password.get_secret_value()
    given = variables(services["node1"])["LONGSHORE_DATABASE__PASSWORD_FILE"]
    assert given == postgres["NODES_PASSWORD_FILE"]
    assert database.path == f"/{postgres['POSTGRES_DB']}"
    blobs = parse_blob_url(settings.blobs_url)
    minio = services["minio1"]["environment"]
    assert isinstance(blobs, S3Location)
    # Each by its own name, so that one that is away is gone past.
    assert list(blobs.endpoints) == [f"{name}:9000" for name in MINIO]
    assert settings.blobs.access_key != minio["MINIO_ROOT_USER"]
    etcd = urlsplit(settings.coordination.url)
    assert [member.split(":")[0] for member in etcd.netloc.split(",")] == ETCD


def test_the_bucket_is_the_nodes_bucket(services: dict[str, Service], load: Any) -> None:
    settings: Settings = load(variables(services["node1"]))
    blobs = parse_blob_url(settings.blobs_url)
    assert isinstance(blobs, S3Location)
    blobs = with_keys(blobs, settings.blobs.access_key, settings.blobs.secret_key.get_secret_value())
    shell, option, script = services["bucket"]["entrypoint"]
    assert (shell, option) == ("sh", "-ec")
    # Two dollars are one, for Docker takes the first.
    alias = re.search(r'export MC_HOST_(\w+)="http://(\S+):\$\$\(cat (\S+)\)@(\S+)"', script)
    assert alias
    minio = services["minio1"]["environment"]
    assert (alias[2], alias[3]) == (minio["MINIO_ROOT_USER"], minio["MINIO_ROOT_PASSWORD_FILE"])
    assert alias[4] in blobs.endpoints
    assert f"mc mb --ignore-existing {alias[1]}/{blobs.bucket}\n" in script
    given = variables(services["node1"])["LONGSHORE_BLOBS__SECRET_KEY_FILE"]
    assert f"mc admin user add {alias[1]} {blobs.access_key} < {given}\n" in script
    (policy,) = services["bucket"]["configs"]
    assert f"mc admin policy create {alias[1]} longshore {policy['target']}\n" in script
    assert f"mc admin policy attach {alias[1]} longshore --user {blobs.access_key}\n" in script


def test_nodes_may_use_their_bucket_remove_no_anchors_and_nothing_else(
    compose: dict[str, Any], load: Any
) -> None:
    policy = json.loads((ROOT / compose["configs"]["blobs-policy"]["file"]).read_text())
    blobs = parse_blob_url(load(variables(compose["services"]["node1"])).blobs_url)
    assert isinstance(blobs, S3Location)
    bucket = f"arn:aws:s3:::{blobs.bucket}"
    resources: dict[str, list[str]] = {"Allow": [], "Deny": []}
    for statement in policy["Statement"]:
        resources[statement["Effect"]] += statement["Resource"]
    assert resources == {"Allow": [f"{bucket}/*", bucket], "Deny": [f"{bucket}/audit/*"]}


def test_configs_are_files_of_this_checkout(compose: dict[str, Any], services: dict[str, Service]) -> None:
    used = [each["source"] for service in services.values() for each in service.get("configs", [])]
    assert sorted(used) == sorted(compose["configs"])
    for config in compose["configs"].values():
        assert (ROOT / config["file"]).is_file()


def test_our_own_containers_may_do_little(services: dict[str, Service]) -> None:
    for name in ["migrate", *NODES]:
        service = services[name]
        assert service["cap_drop"] == ["ALL"], name
        assert service["ulimits"] == {"core": 0}, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert service["tmpfs"] == ["/tmp"], name


def test_secrets_come_from_files_that_are_made(
    compose: dict[str, Any], services: dict[str, Service], made: Path
) -> None:
    for name, secret in compose["secrets"].items():
        assert secret == {"file": f"./secrets/{name}"}
        assert (made / name).stat().st_size > 20
    for name, service in services.items():
        text = yaml.safe_dump(service)
        used = set(re.findall(rf"{MOUNTED}/([\w.-]+)", text))
        assert used <= set(service.get("secrets", [])) <= set(compose["secrets"]), name
        assert not re.search(r"(PASSWORD|SECRET_KEY)\b(?!_FILE)", text), f"{name}: a password in the file"
        assert not re.search(r"://[^/@\s]*:[^/@\s]*@", text), f"{name}: a password in the file"
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert "/secrets/" in ignored


def test_what_is_made_is_made_once_and_kept_from_others(made: Path) -> None:
    before = {path.name: path.read_bytes() for path in made.iterdir()}
    subprocess.run([made.parent / "deploy" / "compose-secrets"], check=True, capture_output=True, timeout=60)
    assert {path.name: path.read_bytes() for path in made.iterdir()} == before
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert stat.S_IMODE((made / "ca.key").stat().st_mode) == 0o600
    passwords = [content for name, content in before.items() if not name.endswith((".crt", ".key"))]
    assert len(set(passwords)) == len(passwords) == 4


def test_the_certificate_is_good_for_every_node(services: dict[str, Service], made: Path) -> None:
    leaf = x509.load_pem_x509_certificate((made / "tls.crt").read_bytes())
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate((made / "ca.crt").read_bytes()))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"localhost", *NODES}
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_stores_reach_nothing_outside(compose: dict[str, Any], services: dict[str, Service]) -> None:
    assert compose["networks"]["stores"] == {"internal": True}
    for name, service in services.items():
        assert set(service["networks"]) == ({"stores", "clients"} if name in NODES else {"stores"}), name


def test_etcd_members_know_each_other(services: dict[str, Service]) -> None:
    expected = ",".join(f"{name}=http://{name}:2380" for name in ETCD)
    for name in ETCD:
        environment = services[name]["environment"]
        assert environment["ETCD_NAME"] == name
        assert environment["ETCD_INITIAL_CLUSTER"] == expected
        assert environment["ETCD_INITIAL_ADVERTISE_PEER_URLS"] == f"http://{name}:2380"
        assert environment["ETCD_ADVERTISE_CLIENT_URLS"] == f"http://{name}:2379"


def test_minio_spreads_over_four_servers(services: dict[str, Service]) -> None:
    """Four drives are the fewest of which one may be lost without a pause."""
    for name in MINIO:
        assert services[name]["command"] == ["server", "http://minio{1...4}:9000/data"]
