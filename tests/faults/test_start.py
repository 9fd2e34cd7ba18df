"""What is wrong at the start: exit code 1 and one line that says what happened and what to do."""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.services.minio_service import MinioService
from tests.services.ports import ReservedPort
from tests.services.processes import ServerExitedError, serve
from tests.storage.catalogue.test_revisions import NEXT_VERSION

from .calls import Uploading, connected, deployed
from .nodes import Ended, Nursery
from .stores import migrate
from .trees import PAYLOAD_1, PAYLOAD_2

_NOBODY = 65534
RECEIVER = '[{"name": "chat", "url": "https://chat.example/x", "secret_file": "no-such.secret"}]'


async def error_line(
    nursery: Nursery,
    data_dir: Path,
    *args: str,
    env: Mapping[str, str] | None = None,
    listen: str = "127.0.0.1:0",
    uid: int | None = None,
) -> str:
    """The one line on stderr of a start that must fail."""
    listening = ["--listen", listen] if listen else []
    argv = ["serve", "--data-dir", str(data_dir), *listening, *args]
    return the_line(await nursery.run(*argv, env=env, uid=uid))


def the_line(ended: Ended) -> str:
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, ended
    assert (ended.status, ended.stdout) == (1, ""), ended
    assert lines[0].startswith("error: ")
    return lines[0]


def written(place: Path, text: str) -> Path:
    path = place / "longshore.yaml"
    path.write_text(text)
    return path


async def test_port_in_use(place: Path) -> None:
    """With the installed program itself, for what else it may write to stderr."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ServerExitedError) as caught:
            async with serve(data_dir=place / "node", listen=address):
                pass
    ended = caught.value
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"error: cannot listen on {address}")
    assert "--listen" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"LISTEN": "TAKEN"}, "--listen"),
        ({"METRICS__LISTEN": "TAKEN"}, "metrics.listen"),
        ({"LISTEN": "127.0.0.1:7419", "METRICS__LISTEN": "127.0.0.1:7419"}, "another setting has it, too"),
        ({"NOTIFICATIONS": RECEIVER}, "no-such.secret"),
        ({"TLS__CERT_FILE": "no-such.crt", "TLS__KEY_FILE": "no-such.key"}, "no-such.crt"),
        ({"ACCESS__ENABLED": "true", "ACCESS__POLICY_FILE": "no-such.yaml"}, "no-such.yaml"),
    ],
    ids=["port", "metrics", "twice", "receiver", "certificate", "policy"],
)
async def test_a_start_that_fails_leaves_no_node_to_wait_for(
    nursery: Nursery, place: Path, settings: dict[str, str], told: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        env = {f"LONGSHORE_{key}": value.replace("TAKEN", taken) for key, value in settings.items()}
        listen = "" if "LISTEN" in settings else "127.0.0.1:0"
        line = await error_line(nursery, place / "node", env=env, listen=listen)
    assert told in line
    with closing(sqlite3.connect(place / "node" / "longshore.db")) as database:
        assert database.execute("SELECT count(*) FROM node").fetchone() == (0,)


async def test_address_of_another_machine(nursery: Nursery, place: Path) -> None:
    env = {"LONGSHORE_INSECURE_LISTEN": "true"}
    line = await error_line(nursery, place / "node", listen="192.0.2.1:7420", env=env)
    assert "cannot listen on 192.0.2.1:7420" in line


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "longshore.example:7420"])
async def test_an_address_that_others_can_reach(nursery: Nursery, place: Path, listen: str) -> None:
    line = await error_line(nursery, place / "node", listen=listen)
    assert listen.rpartition(":")[0].strip("[]") in line
    assert "insecure_listen: true" in line
    assert not (place / "node").exists()


async def test_a_data_folder_that_may_not_be_written(nursery: Nursery, place: Path) -> None:
    folder = place / "node"
    folder.mkdir(mode=0o555)
    line = await error_line(nursery, folder, uid=_NOBODY if os.geteuid() == 0 else None)
    assert f"the data folder '{folder}'" in line
    assert "may not write it" in line
    assert list(folder.iterdir()) == []


async def test_a_file_in_the_data_folders_place(nursery: Nursery, place: Path) -> None:
    (place / "node").write_text("not a folder")
    for data_dir in (place / "node", place / "node" / "below"):
        line = await error_line(nursery, data_dir)
        assert str(data_dir) in line
        assert "is no folder" in line
    assert (place / "node").read_text() == "not a folder"


async def test_a_data_folder_in_use(nursery: Nursery, place: Path) -> None:
    async with nursery.serve(place / "node") as node, connected(node) as stub:
        line = await error_line(nursery, place / "node")
        assert f"in use by process {node.pid}" in line
        await deployed(stub, Uploading(PAYLOAD_1))


async def test_migrating_what_cannot_be_used(nursery: Nursery, place: Path) -> None:
    (place / "file").write_text("not a folder")
    assert "is no folder" in the_line(await nursery.run("admin", "migrate", "--data-dir", f"{place}/file"))
    async with nursery.serve(place / "node"):
        line = the_line(await nursery.run("admin", "migrate", "--data-dir", f"{place}/node"))
    assert "in use by process" in line
    ended = await nursery.run("admin", "migrate", "--data-dir", f"{place}/node")
    assert (ended.status, ended.stderr) == (0, "")


async def test_a_damaged_identity(nursery: Nursery, place: Path) -> None:
    (place / "node").mkdir()
    (place / "node" / "node.json").write_text("{")
    line = await error_line(nursery, place / "node")
    assert "node.json is damaged" in line


async def test_a_database_file_that_is_none(nursery: Nursery, place: Path) -> None:
    (place / "node").mkdir()
    (place / "node" / "longshore.db").write_bytes(b"something else " * 100)
    line = await error_line(nursery, place / "node")
    assert "longshore.db" in line


async def test_an_sqlite_database_of_a_later_version(nursery: Nursery, place: Path) -> None:
    async with nursery.serve(place / "node"):
        pass
    with sqlite3.connect(place / "node" / "longshore.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'later'")
    line = await error_line(nursery, place / "node")
    assert "upgrade this server" in line


async def test_an_sqlite_database_from_version_to_version(nursery: Nursery, place: Path) -> None:
    """There and back while it only has more than before; not when something was taken away."""
    data_dir = place / "node"
    async with nursery.serve(data_dir) as node, connected(node) as stub:
        await deployed(stub, Uploading(PAYLOAD_1))
    for revisions in (NEXT_VERSION, None, NEXT_VERSION):
        async with nursery.serve(data_dir, revisions=revisions) as node, connected(node) as stub:
            await deployed(stub, Uploading(PAYLOAD_2 if revisions is None else PAYLOAD_1))
    migrate = ["admin", "migrate", "--data-dir", str(data_dir)]
    assert "has schema 0002\n" in (await nursery.run(*migrate)).stdout
    hint = (await nursery.run(*migrate, revisions=NEXT_VERSION)).stdout
    assert "has schema 0002\n" in hint
    assert "`longshore admin migrate --contract`" in hint
    contracted = await nursery.run(*migrate, "--contract", revisions=NEXT_VERSION)
    assert contracted.stdout.endswith("has schema 0003\n")
    line = await error_line(nursery, data_dir)
    assert "has schema 0003" in line
    assert "this one knows 0001: upgrade this server" in line
    async with nursery.serve(data_dir, revisions=NEXT_VERSION) as node, connected(node) as stub:
        await deployed(stub, Uploading(PAYLOAD_2))


class TestWithServices:
    """Settings that name real services, and something is wrong with them."""

    @pytest.fixture
    def env(self, postgres_database: str, etcd_url: str) -> dict[str, str]:
        """A database without a schema."""
        return {"LONGSHORE_DATABASE__URL": postgres_database, "LONGSHORE_COORDINATION__URL": etcd_url}

    async def test_a_wrong_bucket(self, nursery: Nursery, place: Path, minio_service: MinioService) -> None:
        env = {"LONGSHORE_BLOBS__URL": minio_service.url("no-such-bucket")}
        line = await error_line(nursery, place / "node", env=env)
        assert "no-such-bucket" in line
        assert "blobs.url" in line

    async def test_a_wrong_secret(self, nursery: Nursery, place: Path, s3_url: str) -> None:
        env = {"LONGSHORE_BLOBS__URL": s3_url, "LONGSHORE_BLOBS__SECRET_KEY": "it-is-not-this-one"}
        line = await error_line(nursery, place / "node", env=env)
        assert "the secret key is wrong" in line
        assert "it-is-not-this-one" not in line

    async def test_no_database_there(self, nursery: Nursery, place: Path, etcd_url: str) -> None:
        with ReservedPort() as port:
            env = {
                "LONGSHORE_DATABASE__URL": f"postgresql://longshore:hidden@{port.address}/longshore",
                "LONGSHORE_COORDINATION__URL": etcd_url,
            }
            begun = time.monotonic()
            line = await error_line(nursery, place / "node", env=env)
            assert time.monotonic() - begun < 5
        assert port.address in line
        assert "hidden" not in line

    async def test_a_database_that_does_not_exist(
        self, nursery: Nursery, place: Path, env: dict[str, str]
    ) -> None:
        env["LONGSHORE_DATABASE__URL"] += "_not"
        line = await error_line(nursery, place / "node", env=env)
        assert "does not exist" in line

    async def test_a_wrong_database_password(
        self, nursery: Nursery, place: Path, env: dict[str, str]
    ) -> None:
        before, _, behind = env["LONGSHORE_DATABASE__URL"].partition("@")
        env["LONGSHORE_DATABASE__URL"] = f"{before.rpartition(':')[0]}:wrong-secret@{behind}"
        line = await error_line(nursery, place / "node", env=env)
        assert "database.url" in line
        assert "wrong-secret" not in line

    async def test_no_schema(self, nursery: Nursery, place: Path, env: dict[str, str]) -> None:
        line = await error_line(nursery, place / "node", env=env)
        assert "longshore admin migrate" in line

    async def test_a_schema_of_a_later_version(
        self, nursery: Nursery, place: Path, env: dict[str, str]
    ) -> None:
        url = env["LONGSHORE_DATABASE__URL"]
        await migrate(url)
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            connection.execute("UPDATE alembic_version SET version_num = 'later'")
        line = await error_line(nursery, place / "node", env=env)
        assert "upgrade this server" in line
        assert "migrate" not in line

    async def test_local_coordination(self, nursery: Nursery, place: Path, postgres_database: str) -> None:
        env = {"LONGSHORE_DATABASE__URL": postgres_database}
        line = await error_line(nursery, place / "node", env=env)
        assert "coordination.url" in line
        assert "etcd://" in line

    async def test_a_name_that_another_node_has(
        self, nursery: Nursery, place: Path, env: dict[str, str]
    ) -> None:
        await migrate(env["LONGSHORE_DATABASE__URL"])
        async with nursery.serve(place / "one", env=env):
            line = await error_line(nursery, place / "two", env=env)
        assert "node.name" in line


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("node:\n  kept_releases: -1\n", "node.kept_releases", "greater than or equal to 0"),
        ("node:\n  colour: red\n", "node.colour", "not permitted"),
        ("colour: red\n", "colour", "not permitted"),
        ("node: red\n", "node", "valid dictionary"),
        ("listen: here\n", "listen", "HOST:PORT"),
        ("database:\n  url: mysql://root@db/longshore\n", "database.url", "sqlite or postgresql"),
        ("blobs:\n  url: ftp://there\n", "blobs.url", "s3+http"),
        ("coordination:\n  url: zookeeper://there\n", "coordination.url", "etcd://"),
    ],
)
async def test_a_wrong_setting_in_the_file(
    nursery: Nursery, place: Path, text: str, key: str, words: str
) -> None:
    yaml = written(place, text)
    listen = "" if key == "listen" else "127.0.0.1:0"
    line = await error_line(nursery, place / "node", "--config", str(yaml), listen=listen)
    assert key in line
    assert words in line
    assert str(yaml) in line or key.endswith(".url")


@pytest.mark.parametrize("text", ["node: [\n", "- a list\n", "just text\n"])
async def test_a_file_that_is_no_mapping(nursery: Nursery, place: Path, text: str) -> None:
    yaml = written(place, text)
    line = await error_line(nursery, place / "node", "--config", str(yaml))
    assert str(yaml) in line


async def test_no_file(nursery: Nursery, place: Path) -> None:
    for path in (place / "longshore.yaml", place):
        line = await error_line(nursery, place / "node", "--config", str(path))
        assert str(path) in line
        assert "--config" in line


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LONGSHORE_NODE__KEPT_RELEASES", "-1"),
        ("LONGSHORE_NODE__COLOUR", "red"),
        ("LONGSHORE_NODE__NAME", "with space"),
        ("LONGSHORE_POLL_S", "soon"),
        ("LONGSHORE_NODE__ROLES", "install,cook"),
        ("LONGSHORE_NODE__ROLES", ""),
        ("LONGSHORE_NODE", "red"),
        ("LONGSHORE_DATABASE_URL", "postgresql://longshore@db/longshore"),
        ("LONGSHORE_ACESS__ENABLED", "true"),
        ("LONGSHORE_KITCHEN__COLOUR", "red"),
        ("LONGSHORE_LISTNE", "127.0.0.1:0"),
    ],
)
async def test_a_wrong_variable(nursery: Nursery, place: Path, variable: str, value: str) -> None:
    line = await error_line(nursery, place / "node", env={variable: value})
    assert variable in line
    assert not (place / "node").exists()


async def test_variables_of_others_that_begin_as_ours_do(nursery: Nursery, place: Path) -> None:
    env = {
        # What Kubernetes injects for a service of this name, what clients have, and what nobody knows.
        "LONGSHORE_SERVICE_HOST": "10.0.0.1",
        "LONGSHORE_PORT_7420_TCP": "tcp://10.0.0.1:7420",
        "LONGSHORE_DATABASE_SERVICE_PORT": "5432",
        "LONGSHORE_SERVER": "127.0.0.1:1",
        "LONGSHORE_TOKEN": "secret",
        "LONGSHORE_CA": "ca.crt",
        "LONGSHORE_TLS": "1",
        "LONGSHORE_CONTEXT": "production",
        "LONGSHORE_BRANCH": "main",
    }
    async with nursery.serve(place / "node", env=env) as node, connected(node) as stub:
        await deployed(stub, Uploading(PAYLOAD_1))


async def test_a_secret_is_not_shown(nursery: Nursery, place: Path) -> None:
    env = {"LONGSHORE_DATABASE__URL": "postgresql://longshore:very-secret@:/:/@db/longshore"}
    line = await error_line(nursery, place / "node", env=env)
    assert "very-secret" not in line
