"""Secrets stay where they were given: none is in logs, errors, metrics, the database or the blob store.

Each is unlike anything else, and is searched for in all that real nodes, and commands beside them, write.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
from psycopg import sql

from longshore.v1 import bundle_pb2
from longshore.v1 import catalog_service_pb2 as catalog
from longshore_storage.catalogue import open_catalogue
from tests.services.accounts import minio_account, postgres, postgres_account
from tests.services.etcd_tls_cluster import EtcdTlsCluster
from tests.services.minio_service import MinioService
from tests.services.processes import ServerProcess, serve

from .access.as_caller import as_caller
from .access.issuer import AUDIENCE, ISSUER, bearer
from .access.policies import write_policy
from .calls import channel_to, deploy, deploy_to_end, ended, status_name
from .contents import canonical_tar, small_tree
from .running import Stubs

TAR = canonical_tar(small_tree())
PROGRAM = str(Path(sys.executable).with_name("longshore"))
NOWHERE = "127.0.0.1:1"
LIST = catalog.ListProjectsRequest()


@dataclass
class Marks:
    """Secrets by what they are, and what was written where."""

    secrets: dict[str, str] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)

    def new(self, what: str) -> str:
        return self.take(what, f"mark{secrets.token_hex(16)}")

    def take(self, what: str, secret: str) -> str:
        assert len(secret) > 20
        self.secrets[what] = secret
        return secret

    def found(self) -> list[tuple[str, str]]:
        """What was found where."""
        return [
            (what, where)
            for what, secret in self.secrets.items()
            for where, text in self.written.items()
            if secret in text
        ]


@dataclass
class Given:
    """What a node is given, and the policy and the secret by which it knows its callers."""

    env: dict[str, str]
    database_url: str
    secret: str

    def token(self, **more: Any) -> str:
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": time.time() + 600, **more}
        return jwt.encode(claims, self.secret, algorithm="HS256")


@pytest.fixture
def marks() -> Marks:
    return Marks()


@pytest.fixture
def given(
    marks: Marks,
    tmp_path: Path,
    postgres_database: str,
    minio_service: MinioService,
    bucket: str,
    etcd_tls_cluster: EtcdTlsCluster,
) -> Iterator[Given]:
    secret_file = tmp_path / "secret"
    secret_file.write_text(marks.new("the secret of tokens"))
    policy_file = tmp_path / "policy.yaml"
    write_policy(policy_file, {"role": "admin", "principals": ["alice", "token:ci"]})
    issuer = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "algorithms": ["HS256"],
        "secret_file": str(secret_file),
    }
    hook = {
        "when": "before_switch",
        "command": ["sh", "-c", 'test -n "$TOKEN" && test ! -e "$0"', str(tmp_path / "failing")],
        "environment": {"TOKEN": marks.new("a hook's environment")},
    }
    config = tmp_path / "longshore.yaml"
    config.write_text(
        json.dumps(
            {
                "access": {"enabled": True, "policy_file": str(policy_file), "issuers": [issuer]},
                "node": {"hooks": [hook]},
            }
        )
    )
    etcd = etcd_tls_cluster
    etcd.start()
    with (
        postgres_account(postgres_database, marks.new("the database's password")) as (role, database_url),
        minio_account(minio_service, bucket, marks.new("the store's secret key"), ["s3:*"]) as blobs_url,
        etcd.fresh_prefix() as prefix,
    ):
        with postgres(postgres_database) as connection:
            connection.execute(sql.SQL("GRANT ALL ON SCHEMA public TO {}").format(sql.Identifier(role)))
        yield Given(
            {
                "CONFIG": str(config),
                "DATABASE__URL": database_url,
                "BLOBS__URL": blobs_url,
                "BLOBS__RETRY_FOR_S": "0",
                "COORDINATION__URL": f"etcds://{','.join(etcd.endpoints)}/{prefix}",
                "COORDINATION__USER": etcd.user,
                "COORDINATION__PASSWORD": marks.take("etcd's password", etcd.password),
                "COORDINATION__CA_FILE": str(etcd.ca_file),
                "COORDINATION__CERT_FILE": str(etcd.cert_file),
                "COORDINATION__KEY_FILE": str(etcd.key_file),
                "METRICS__LISTEN": "127.0.0.1:0",
                "LOG__LEVEL": "debug",
                "DEBUG": "1",
                "NODE__NAME": "one",
                "POLL_S": "0.5",
            },
            database_url,
            secret_file.read_text(),
        )


def variables(given: Mapping[str, str]) -> dict[str, str]:
    return {f"LONGSHORE_{name}": value for name, value in given.items() if name != "CONFIG"}


def wrong_settings(given: Given, marks: Marks, folder: Path) -> dict[str, dict[str, str]]:
    """What is changed of good settings, by what is wrong with them."""
    database = given.database_url.replace(marks.secrets["the database's password"], "{}")
    blobs = given.env["BLOBS__URL"].replace(marks.secrets["the store's secret key"], "{}")
    new = marks.new
    changed = {
        "wrong database password": {"DATABASE__URL": database.format(new("a wrong database password"))},
        "database away": {"DATABASE__URL": f"postgresql://longshore:{new('of a database away')}@{NOWHERE}/x"},
        "no database URL": {"DATABASE__URL": f"postgresql//longshore:{new('of no database')}@there"},
        "database's port": {"DATABASE__URL": f"postgresql://longshore:{new('before a port')}@there:port/x"},
        "no user of a database": {"DATABASE__URL": f"postgresql://longshore:{new('without its host')}/x"},
        "slash in a password": {"DATABASE__URL": f"postgresql://longshore:a/{new('behind a slash')}@there/x"},
        "other database": {"DATABASE__URL": f"mysql://longshore:{new('of MySQL')}@there/x"},
        "wrong store secret": {"BLOBS__URL": blobs.format(new("a wrong store secret"))},
        "wrong secret in settings": {"BLOBS__SECRET_KEY": new("a wrong secret in the settings")},
        "no store URL": {"BLOBS__URL": f"s3://key:{new('of no store')}@there/bucket"},
        "slash in a store secret": {"BLOBS__URL": f"s3+http://key:a/{new('of the store')}@there/bucket"},
        "store's port": {"BLOBS__URL": f"s3+http://key:{new('before a store port')}@there:port/bucket"},
        "a replica's URL": {"BLOBS__READ_URLS": f"s3+http://key:{new('of a replica')}@there:port/bucket"},
        "wrong etcd password": {"COORDINATION__PASSWORD": new("a wrong etcd password")},
        "a secret in etcd's URL": {"COORDINATION__URL": f"etcds://root:{new('in the URL of etcd')}@there/x"},
    }
    files = {
        "an alias": "database: {{url: *{}}}",
        "a tag": "blobs: {{secret_key: !{} x}}",
        "a brace": "blobs: {{secret_key: {{{}}}}}",
        "no end of a text": 'blobs: {{secret_key: "{}',
        "a key that is none": "blobs: {{secret_key: x}}\ndatabase: {{urll: {}}}",
        "a list": "database: [{}]",
    }
    for what, text in files.items():
        path = folder / f"wrong-{len(changed)}.yaml"
        path.write_text(text.format(new(f"in a file with {what}")))
        changed[f"file with {what}"] = {"CONFIG": str(path)}
    return changed


async def output_of(*argv: str, env: Mapping[str, str], given: str = "") -> str:
    """All that a program writes."""
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        *argv, env={**os.environ, **env}, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(60):
        return (await child.communicate(given.encode()))[0].decode()


async def refused_call(stubs: Stubs, token: str) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stubs.catalog.ListProjects(LIST, metadata=bearer(token))
    return repr(caught.value) + repr(caught.value.trailing_metadata())


def dump(database_url: str) -> str:
    """Every row of every table as text."""
    with postgres(database_url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        rows = [
            row[0]
            for (name,) in names
            for row in connection.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(name)))
        ]
    return "\n".join(rows)


def objects(service: MinioService, bucket: str) -> str:
    """Every key with what is under it."""
    client = service.client()
    told = []
    for found in client.list_objects(bucket, recursive=True):
        with client.get_object(bucket, str(found.object_name)) as answer:
            told.append(f"{found.object_name} {answer.read()!r}")
    return "\n".join(told)


def metrics_of(server: ServerProcess) -> str:
    lines = [json.loads(line) for line in server.stderr.splitlines() if line.startswith("{")]
    address = next(line["address"] for line in lines if line["event"] == "metrics.told")
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


async def test_wrong_settings_are_told_without_their_secrets(
    given: Given, marks: Marks, tmp_path: Path
) -> None:
    catalogue = open_catalogue(given.database_url)
    await catalogue.migrate()
    await catalogue.close()
    wrong = wrong_settings(given, marks, tmp_path)
    starts = {}
    for number, (what, changed) in enumerate(wrong.items()):
        # A file alone, where it is the file that is wrong.
        others = {} if "CONFIG" in changed else given.env
        arguments = ["--config", changed.get("CONFIG", given.env["CONFIG"])]
        arguments += ["--data-dir", str(tmp_path / f"node{number}"), "--listen", "127.0.0.1:0"]
        starts[what] = variables({**others, **changed}), arguments
    told = await output_of(
        sys.executable, "-m", "tests.server.wrong_starts", env={}, given=json.dumps(starts)
    )
    marks.written["starts"] = told
    assert "refuses the user or password" in told
    assert [line for line in told.splitlines() if ": ended " in line] == [
        f"{what}: ended 1" for what in wrong
    ]
    assert marks.found() == []


async def test_a_node_keeps_its_secrets(
    given: Given, marks: Marks, tmp_path: Path, minio_service: MinioService, bucket: str
) -> None:
    catalogue = open_catalogue(given.database_url)
    await catalogue.migrate()
    await catalogue.close()
    env = variables(given.env)
    arguments = ["--config", given.env["CONFIG"]]
    made = await output_of(PROGRAM, "admin", "token", "create", "ci", "--role", "admin", *arguments, env=env)
    static = marks.take("a token of the server's", made.split()[-1])
    good, expired = (
        marks.take("a good token", given.token()),
        marks.take("an expired token", given.token(exp=1)),
    )
    forged = marks.take("a forged token", jwt.encode({"sub": "alice"}, "x" * 40, algorithm="HS256"))
    bad = [expired, forged, marks.new("no token at all"), f"{static[:-20]}{marks.new('a wrong secret')[:20]}"]

    async with serve(data_dir=tmp_path / "one", env=env, args=arguments) as server:
        async with channel_to(server.address) as channel:
            alice, ci = (as_caller(channel, token) for token in (good, static))
            first = await deploy_to_end(alice, TAR)
            assert first.deployed_by == "alice"
            (tmp_path / "failing").touch()
            failed = await ended(ci, (await deploy(ci, canonical_tar(small_tree("two")))).deployment_id)
            assert status_name(failed.status) == "FAILED"
            errors = [await refused_call(channel, token) for token in bad]
            for url in (
                f"https://user:{marks.new('a password of a source')}@there/x",
                f"https://there/x?token={marks.new('a token of a source')}",
            ):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await deploy(alice, TAR, source=bundle_pb2.Source(url=url))
                errors.append(repr(caught.value))
            marks.written["errors"] = "\n".join(errors)
        source = f"https://user:{marks.new('a password on the command line')}@{NOWHERE}/x.tar"
        caller = {"LONGSHORE_TOKEN": good, "LONGSHORE_SERVER": server.address}
        marks.written["command line"] = await output_of(
            PROGRAM, "deploy", source, "--project", "x", env=caller
        )
        marks.written["doctor"] = await output_of(PROGRAM, "doctor", *arguments, env=env)
        marks.written["metrics"] = metrics_of(server)
        server.terminate()
        await server.wait()
        marks.written["log"] = server.stdout + server.stderr
    marks.written["database"] = dump(given.database_url)
    marks.written["objects"] = objects(minio_service, bucket)

    # What is searched is there.
    for where, told in {
        "errors": "UNAUTHENTICATED",
        "command line": "error:",
        "doctor": "blob store",
        "metrics": "longshore_",
        "log": "alice",
        "database": "alice",
        "objects": "manifests/",
    }.items():
        assert told in marks.written[where], where
    assert marks.found() == []
