"""No secret, token, header or label is in what a collector is sent."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import grpc
import pytest

from longshore.v1 import bundle_pb2
from tests.server.access.as_caller import as_caller
from tests.server.access.conftest import access as access
from tests.server.access.conftest import issuer as issuer
from tests.server.access.conftest import policy_file as policy_file
from tests.server.access.issuer import Issuer
from tests.server.calls import deploy, deploy_to_end, ended, status_name
from tests.server.contents import canonical_tar, small_tree
from tests.server.running import StartNode, embedded

from .receiver import Receiver

pytestmark = embedded

DEPLOY = "longshore.v1.DeploymentService/Deploy"


def mark() -> str:
    return f"mark{secrets.token_hex(16)}"


async def test_no_secret_is_in_a_span(
    receiver: Receiver, start_node: StartNode, access: dict[str, Any], issuer: Issuer, tmp_path: Path
) -> None:
    marks = {name: mark() for name in ("header", "hook", "output", "label", "source")}
    (tmp_path / "headers").write_text(f"authorization=Bearer%20{marks['header']}\n")
    hook = {
        "when": "before_switch",
        "command": [
            "sh",
            "-c",
            f'echo {marks["output"]}; test -n "$TOKEN" && test ! -e "$0"',
            str(tmp_path / "fail"),
        ],
        "environment": {"TOKEN": marks["hook"]},
    }
    tracing = {"endpoint": receiver.endpoint, "headers_file": tmp_path / "headers"}
    token = issuer.token("root")
    async with start_node(tracing=tracing, access=access, node={"hooks": [hook]}) as node:
        root = as_caller(node, token)
        first = await deploy_to_end(root, canonical_tar(small_tree()), labels={"team": marks["label"]})
        assert status_name(first.status) == "SUCCEEDED"
        (tmp_path / "fail").touch()
        second = await deploy(root, canonical_tar(small_tree("two")))
        assert status_name((await ended(root, second.deployment_id)).status) == "FAILED"
        with pytest.raises(grpc.aio.AioRpcError):
            source = bundle_pb2.Source(url=f"https://user:{marks['source']}@there/x")
            await deploy(root, canonical_tar(small_tree("three")), source=source)
        spans = await receiver.until_told(
            *[DEPLOY] * 3, "rollout", "rollout", "activation.hook", "activation.hook"
        )
    # What failed is told, by its reason.
    assert {one.facts["error.type"] for one in spans if one.failed} == {"INVALID_REQUEST"}
    assert [one.facts["longshore.outcome"] for one in spans if one.name == "activation.hook"].count(
        "failed"
    ) == 1
    # The header is shown to the collector, and is in nothing that it is told.
    assert {one["authorization"] for one in receiver.metadata} == {f"Bearer {marks['header']}"}
    sent = b"".join(request.SerializeToString() for request in receiver.requests)
    assert [name for name, text in {**marks, "token": token}.items() if text.encode() in sent] == []
