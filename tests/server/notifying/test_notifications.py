"""What receivers are told of deployments, by a node with real stores and receivers on real ports."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import validator_for
from sqlalchemy import select, update

from longshore.v1 import deployment_pb2
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.notifying import delivery
from longshore_server.notifying.delivery import AT_ONCE, GIVEN_UP_AFTER
from longshore_server.notifying.posting import NotDelivered, Posting
from longshore_storage.catalogue import tables
from longshore_storage.errors import Misconfigured
from tests.docs.pages import page
from tests.server.calls import deploy, deploy_to_end
from tests.server.contents import canonical_tar, small_tree
from tests.server.running import RunningNode, StartNode, count, embedded
from tests.server.test_metrics import ANYWHERE, read, value
from tests.services.certificates import Authority

from .receiver import SECRET, Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


async def told(receiver: Receiver, events: list[str]) -> None:
    """Wait until it was told of these, in whatever order."""
    await asyncio.to_thread(receiver.wait_for, lambda seen: sorted(seen.events()) == sorted(events))


async def nothing_waits(node: RunningNode) -> None:
    async with asyncio.timeout(20):
        while await count(node.catalogue, tables.notification):
            await asyncio.sleep(0.02)


async def test_an_end_is_told_signed_and_as_the_schema_says(
    start_node: StartNode, receiver: Receiver, tmp_path: Path
) -> None:
    async with start_node(notifications=[receiver.settings(tmp_path)], metrics=ANYWHERE) as node:
        deployment = await deploy_to_end(node, canonical_tar(small_tree("one")), labels={"team": "net"})
        await told(receiver, ["succeeded"])
        await nothing_waits(node)
        samples = await read(node)
    (come,) = receiver.come
    assert come.path == "/hooks?who=us"
    assert come.headers["Content-Type"] == "application/json"
    assert come.headers["Longshore-Id"] == come.told["id"]
    assert come.headers["Longshore-Event"] == "succeeded"
    assert come.headers["Longshore-Attempt"] == "1"
    about = come.told["deployment"]
    assert about["id"] == deployment.deployment_id
    assert (about["project"], about["environment"], about["kind"]) == ("netops", "default", "upload")
    assert (about["version"], about["labels"]) == (deployment.version, {"team": "net"})
    schema().validate(come.told)
    is_genuine, signature = verifier(), come.headers["Longshore-Signature"]
    assert is_genuine(SECRET, signature, come.body)
    assert not is_genuine(SECRET, signature, come.body + b" ")
    assert not is_genuine(b"another", signature, come.body)
    assert not is_genuine(SECRET, signature.replace("t=", "t=1"), come.body)
    assert value(samples, "longshore_notifications_total", receiver="chat", outcome="delivered") == 1


@embedded
async def test_waits_for_a_person_are_told_with_their_gates(
    start_node: StartNode, receiver: Receiver, tmp_path: Path
) -> None:
    async with start_node(notifications=[receiver.settings(tmp_path)]) as node:
        strategy = deployment_pb2.RolloutStrategy(canary_steps=[deployment_pb2.CanaryStep(nodes=1)])
        staged = await deploy(node, canonical_tar(small_tree("one")), stage_only=True, strategy=strategy)
        await told(receiver, ["staged"])
        gate = receiver.come[0].told["gate"]
        ident = staged.deployment_id
        await node.deployments.PromoteDeployment(
            pb.PromoteDeploymentRequest(deployment_id=ident, gate_id=gate["id"])
        )
        await told(receiver, ["staged", "canary_gate"])
        standing = receiver.come[1].told["gate"]
        assert (standing["step"], standing["total_steps"], standing["due_time"]) == (1, 1, None)
        await node.deployments.PauseDeployment(pb.PauseDeploymentRequest(deployment_id=ident, reason="lunch"))
        await told(receiver, ["staged", "canary_gate", "paused"])
        assert "lunch" in receiver.come[2].told["message"]
        await node.deployments.ResumeDeployment(pb.ResumeDeploymentRequest(deployment_id=ident))
        await node.deployments.PromoteDeployment(
            pb.PromoteDeploymentRequest(deployment_id=ident, gate_id=standing["id"])
        )
        await told(receiver, ["staged", "canary_gate", "paused", "succeeded"])
    shape = schema()
    for come in receiver.come:
        shape.validate(come.told)
    sequences = [come.told["sequence"] for come in receiver.come]
    assert sequences == sorted(set(sequences))


@embedded
async def test_who_wants_less_gets_less(start_node: StartNode, receiver: Receiver, tmp_path: Path) -> None:
    with receiving() as failures, receiving() as elsewhere:
        receivers = [
            failures.settings(tmp_path, "failures", events=["failed", "cancelled"]),
            elsewhere.settings(tmp_path, "elsewhere", environments=["prod*"]),
            receiver.settings(tmp_path, "mine", projects=["net*"], environments=["default"]),
        ]
        async with start_node(notifications=receivers) as node:
            await deploy_to_end(node, canonical_tar(small_tree("one")))
            staged = await deploy(node, canonical_tar(small_tree("two")), stage_only=True)
            await node.deployments.CancelDeployment(
                pb.CancelDeploymentRequest(deployment_id=staged.deployment_id)
            )
            await told(receiver, ["succeeded", "staged", "cancelled"])
            await told(failures, ["cancelled"])
        assert elsewhere.come == []
        assert failures.come[0].told["id"] not in [come.told["id"] for come in receiver.come]


@embedded
async def test_what_fails_is_tried_again_and_redirects_are_not_followed(
    start_node: StartNode, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing here is about how long the pauses are.
    monkeypatch.setattr(delivery, "_FIRST_PAUSE_S", 0.2)
    receiver.answers = [503, 302]
    async with start_node(notifications=[receiver.settings(tmp_path)], metrics=ANYWHERE) as node:
        await deploy_to_end(node, canonical_tar(small_tree("one")))
        await told(receiver, ["succeeded"] * 3)
        await nothing_waits(node)
        samples = await read(node)
    assert [come.headers["Longshore-Attempt"] for come in receiver.come] == ["1", "2", "3"]
    assert {come.path for come in receiver.come} == {"/hooks?who=us"}
    assert len({come.body for come in receiver.come}) == 1
    assert value(samples, "longshore_notifications_total", receiver="chat", outcome="failed") == 2


@embedded
async def test_one_that_never_answers_holds_up_nobody(
    start_node: StartNode, receiver: Receiver, tmp_path: Path
) -> None:
    with receiving() as silent:
        tested = threading.Event()
        silent.before_answer = lambda _: (tested.wait(), None)[1]
        receivers = [silent.settings(tmp_path, "silent"), receiver.settings(tmp_path)]
        try:
            async with start_node(notifications=receivers) as node:
                for number in range(6):
                    await deploy_to_end(node, canonical_tar(small_tree(str(number))))
                await told(receiver, ["succeeded"] * 6)
                # It has as many as it takes at a time, and the others wait.
                assert await count(node.catalogue, tables.notification) >= 6
        finally:
            tested.set()
        assert len(silent.come) <= AT_ONCE


def test_an_answer_that_never_ends_is_broken_off(receiver: Receiver) -> None:
    receiver.before_answer = drip
    with pytest.raises(NotDelivered, match=r"no answer within 0\.5 s"):
        Posting(receiver.url, None, 0.5).post(b"{}", {})


def test_a_receiver_shows_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with receiving(pair=authority.issue("receiver", hosts=["localhost"])) as receiver:
        url = f"https://localhost:{receiver.port}/hooks"
        Posting(url, authority.ca_file, 20).post(b"{}", {})
        with pytest.raises(NotDelivered, match="certificate that is not trusted"):
            Posting(url, None, 20).post(b"{}", {})
        with pytest.raises(NotDelivered, match="certificate that is not trusted"):
            Posting(url.replace("localhost", "127.0.0.1"), authority.ca_file, 20).post(b"{}", {})
    assert [come.path for come in receiver.come] == ["/hooks"]


@embedded
async def test_what_nobody_takes_for_a_day_is_given_up_and_told(
    start_node: StartNode, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.answers = [500] * 1000
    async with start_node(notifications=[receiver.settings(tmp_path)], metrics=ANYWHERE) as node:
        deployment = await deploy_to_end(node, canonical_tar(small_tree("one")))
        await asyncio.to_thread(receiver.wait_for, lambda seen: seen.come)
        n, a = tables.notification, tables.audit_entry
        async with node.catalogue.transaction() as transaction:
            day_ago = await transaction.now() - GIVEN_UP_AFTER
            await transaction.execute(update(n).values(create_time=day_ago))
        await nothing_waits(node)
        async with node.catalogue.reading() as transaction:
            (told,) = await transaction.all(select(a).where(a.c.action == "notification.given_up"))
        samples = await read(node)
    assert (told.project, told.environment, told.version) == ("netops", "default", deployment.version)
    assert f"chat was not told succeeded of {deployment.deployment_id}" in told.message
    assert "answered 500" in told.message
    assert value(samples, "longshore_notifications_total", receiver="chat", outcome="given_up") == 1


def drip(connection: socket.socket) -> None:
    """Byte by byte: no read of it ever times out."""
    with suppress(OSError):
        for byte in b"HTTP/1.1 200 OK\r\nX-Endless: " + b"a" * 300:
            connection.sendall(bytes([byte]))
            time.sleep(0.1)


async def test_validations_and_uploads_are_no_news(
    start_node: StartNode, receiver: Receiver, tmp_path: Path
) -> None:
    async with start_node(notifications=[receiver.settings(tmp_path)]) as node:
        await deploy(node, canonical_tar(small_tree("zero")), validate_only=True)
        await deploy_to_end(node, canonical_tar(small_tree("one")))
        await told(receiver, ["succeeded"])


@embedded
@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"url": "http://chat.example/hooks"}, "`insecure: true`"),
        ({"url": "https://user:password@chat.example/"}, "must be without a user"),
        ({"url": "ftp://chat.example/"}, "must be like https://HOST/PATH"),
        ({"url": "https://chat.example/a b"}, "must be like https://HOST/PATH"),
        ({"events": ["exploded"]}, "should be 'staged'"),
        ({"secret_file": "/nowhere/at/all"}, "cannot be read"),
    ],
)
async def test_a_wrong_receiver_is_told_without_its_url(
    start_node: StartNode, receiver: Receiver, tmp_path: Path, values: dict[str, Any], says: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        async with start_node(notifications=[receiver.settings(tmp_path, **values)]):
            pass
    assert says in str(refused.value)
    assert "chat.example/" not in str(refused.value)


@embedded
async def test_two_of_one_name_are_refused(start_node: StartNode, receiver: Receiver, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="chat: named twice"):
        async with start_node(notifications=[receiver.settings(tmp_path)] * 2):
            pass


def schema() -> Any:
    """The one that the documentation shows."""
    (shown,) = [block.text for block in page("docs/formats.md").blocks if "notification.schema" in block.text]
    return validator_for(json.loads(shown))


def verifier() -> Any:
    """The function that the documentation shows to receivers."""
    (shown,) = [block.text for block in page("docs/operations.md").blocks if "def is_genuine(" in block.text]
    names: dict[str, Any] = {}
    exec(shown, names)
    return names["is_genuine"]
