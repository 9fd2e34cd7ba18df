"""What a header may say, and what an id means once it was used."""

from __future__ import annotations

import io
import zipfile
from typing import Any
from uuid import UUID

import grpc
import pytest

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from tests.bundles.trees import File, Tree

from .calls import (
    UploadCall,
    chunk,
    chunks_message,
    data_messages,
    deploy,
    deploy_to_end,
    ended,
    get,
    header,
    new_id,
    refused,
    sha256_of,
)
from .contents import canonical_tar, installed, small_tree
from .running import RunningNode, counts, embedded

S = grpc.StatusCode
TAR = canonical_tar(small_tree())

WRONG: list[tuple[str, Any]] = [
    ("deployment_id", "12"),
    ("session_id", "mine"),
    ("attempt", -1),
    ("project", ""),
    ("project", "NetOps"),
    ("project", "netöps"),
    ("project", "-a"),
    ("project", "n" * 101),
    ("project", "a/b"),
    ("project", "a\n"),
    ("environment", "Staging"),
    ("environment", "a.b"),
    ("environment", "e" * 64),
    ("payload_format", 99),
    ("file_name", "a/b"),
    ("file_name", ".."),
    ("file_name", "a\0b"),
    ("file_name", "é" * 128),
    ("version", "v1.0.0"),
    ("version", "1.0"),
    ("version", "1.0.0+build"),
    ("version", "1.0.0-" + "a" * 100),
    ("bump", 9),
    ("payload_size_bytes", -1),
    ("payload_sha256", "abc"),
    ("payload_sha256", "g" * 64),
    ("payload_sha256", "sha256:" + "0" * 64),
]


@embedded
async def test_every_field_is_looked_at(node: RunningNode) -> None:
    for name, value in WRONG:
        with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
            await deploy(node, TAR, **{"deployment_id": new_id(), name: value})
        assert list(told.violations) == [f"header.{name}"], (name, value)
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
        await deploy(node, TAR, payload_format=d.PAYLOAD_FORMAT_FILE)
    assert list(told.violations) == ["header.file_name"]
    with refused(S.INVALID_ARGUMENT, "INVALID_REQUEST") as told:
        async with UploadCall(node, pb.DeployRequest(header=pb.DeployHeader(project="netops"))):
            pass
    assert list(told.violations) == ["header.deployment_id"]
    assert not (await node.deployments.ListDeployments(pb.ListDeploymentsRequest())).deployments


@embedded
async def test_the_header_comes_first(node: RunningNode) -> None:
    for first in (*data_messages(TAR), chunks_message(0, [chunk(TAR)]), pb.DeployRequest(), None):
        with refused(S.INVALID_ARGUMENT, "UPLOAD_PROTOCOL") as told:
            await node.deployments.Deploy(iter([first] if first is not None else []))
        assert "header" in told.message
    assert not (await node.deployments.ListDeployments(pb.ListDeploymentsRequest())).deployments


async def test_an_environment_without_nodes_does_not_exist(node: RunningNode) -> None:
    deployment_id = new_id()
    with refused(S.NOT_FOUND, "ENVIRONMENT_NOT_FOUND") as told:
        await deploy(node, TAR, deployment_id, environment="nowhere")
    assert "nowhere" in told.message
    with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
        await get(node, deployment_id)
    # Nothing was begun: the id is free.
    assert (await deploy(node, TAR, deployment_id)).deployment_id == deployment_id


async def test_an_id_that_has_ended_gives_the_same_answer(node: RunningNode) -> None:
    deployment_id = new_id()
    first = await deploy(node, TAR, deployment_id)
    done = await ended(node, deployment_id)
    for written in (deployment_id, deployment_id.upper(), f"{{{deployment_id}}}", UUID(deployment_id).hex):
        async with UploadCall(
            node, header(written, session_id=new_id(), attempt=7, environment="default")
        ) as call:
            assert call.durable_offset == len(TAR)
            again = await call.answer()
        assert again == done
    assert again.version == first.version
    assert (await counts(node.catalogue))["release"] == 1


async def test_an_id_means_one_thing(node: RunningNode) -> None:
    deployment_id = new_id()
    await deploy(node, TAR, deployment_id)
    for changed in (
        {"project": "other"},
        {"version": "1.0.0"},
        {"bump": pb.VERSION_BUMP_MAJOR},
        {"payload_sha256": sha256_of(TAR)},
        {"payload_size_bytes": len(TAR)},
        {"payload_format": d.PAYLOAD_FORMAT_TAR},
        {"file_name": "a.tar"},
    ):
        with refused(S.ALREADY_EXISTS, "DEPLOYMENT_ID_REUSED") as told:
            await deploy(node, TAR, deployment_id, **changed)
        assert "new id" in told.message
    with refused(S.ALREADY_EXISTS, "DEPLOYMENT_ID_REUSED"):
        await node.deployments.DeployRelease(
            pb.DeployReleaseRequest(deployment_id=deployment_id, project="netops", version="1.0.0")
        )
    with refused(S.ALREADY_EXISTS, "DEPLOYMENT_ID_REUSED"):
        await node.deployments.Rollback(pb.RollbackRequest(deployment_id=deployment_id, project="netops"))
    release_id = new_id()
    await node.deployments.DeployRelease(
        pb.DeployReleaseRequest(deployment_id=release_id, project="netops", version="1.0.0")
    )
    with refused(S.ALREADY_EXISTS, "DEPLOYMENT_ID_REUSED"):
        await deploy(node, TAR, release_id)


@embedded
async def test_a_single_file(node: RunningNode) -> None:
    content = b"#!/bin/sh\necho hello\n"
    deployment_id = new_id()
    with refused(S.INVALID_ARGUMENT, "VALIDATION_FAILED") as told:
        await deploy(node, content, deployment_id)
    assert list(told.violations) == ["header.file_name"]
    assert (await get(node, deployment_id)).status == d.DEPLOYMENT_STATUS_FAILED
    made = await deploy_to_end(node, content, file_name="hello 名.sh")
    assert made.payload_format == d.PAYLOAD_FORMAT_FILE
    assert made.content_sha256 == made.payload_sha256 == sha256_of(content)
    assert [path.name for path in node.live("netops").iterdir()] == ["hello 名.sh"]
    assert (node.live("netops") / "hello 名.sh").read_bytes() == content
    # The same bytes under another name are other content.
    with refused(S.ALREADY_EXISTS, "VERSION_EXISTS"):
        await deploy(node, content, file_name="other.sh", version=made.version)


def wheel() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("package/__init__.py", "")
    return out.getvalue()


@pytest.mark.parametrize(
    ("values", "payload_format", "names"),
    [
        ({"file_name": "p-1.0-py3-none-any.whl"}, d.PAYLOAD_FORMAT_FILE, ["p-1.0-py3-none-any.whl"]),
        ({"file_name": "p.zip"}, d.PAYLOAD_FORMAT_ZIP, ["package"]),
        ({}, d.PAYLOAD_FORMAT_ZIP, ["package"]),
        (
            {"file_name": "p.zip", "payload_format": d.PAYLOAD_FORMAT_FILE},
            d.PAYLOAD_FORMAT_FILE,
            ["p.zip"],
        ),
        (
            {"file_name": "p.whl", "payload_format": d.PAYLOAD_FORMAT_ZIP},
            d.PAYLOAD_FORMAT_ZIP,
            ["package"],
        ),
    ],
)
@embedded
async def test_what_an_archive_is_taken_for(
    node: RunningNode, values: dict[str, Any], payload_format: d.PayloadFormat.ValueType, names: list[str]
) -> None:
    made = await deploy_to_end(node, wheel(), **values)
    assert made.payload_format == payload_format
    assert [path.name for path in node.live("netops").iterdir()] == names


@embedded
async def test_a_manifest_names_the_version(node: RunningNode) -> None:
    tree: Tree = {"pyproject.toml": File(b'[project]\nname = "Net.Ops"\nversion = "3.1.0"\n')}
    made = await deploy_to_end(node, canonical_tar(tree), project="net.ops")
    assert made.version == "3.1.0"
    assert installed(node.live("net.ops")) == tree
