"""A push deploys: a real repository, a real request, a real node, and the command line in between."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from longshore.v1 import deployment_pb2
from longshore_server import bounded_http
from longshore_server.access.static_tokens import make_token
from longshore_server.hooks.process import CommandEnd
from longshore_server.pushing import deploying, endpoint, repositories
from longshore_storage.catalogue import access_tokens, tables
from longshore_storage.catalogue.deployments import get_accepted
from longshore_storage.errors import Misconfigured
from tests.server.calls import ended
from tests.server.running import RunningNode, StartNode, count, embedded

from .git import commit, git
from .test_forges import SECRET, body_of, headers_of

pytestmark = embedded
Answer = tuple[int, dict[str, Any]]


def settings(tmp_path: Path, repository: Path, **values: Any) -> dict[str, Any]:
    secret_file = tmp_path / "push-secret"
    secret_file.write_bytes(SECRET)
    web = {
        "name": "web",
        "forge": "github",
        "secret_file": str(secret_file),
        "source": f"file://{repository}",
        "project": "web",
    }
    return {"listen": "127.0.0.1:0", "hooks": [{**web, **values}]}


async def post(node: RunningNode, body: bytes, headers: dict[str, str], path: str = "/hooks/web") -> Answer:
    def send() -> Answer:
        connection = http.client.HTTPConnection(node.node.push_address, timeout=20)
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    return await asyncio.to_thread(send)


async def pushed(node: RunningNode, after: str) -> Answer:
    body = body_of(after=after)
    return await post(node, body, headers_of("github", body))


async def recorded(node: RunningNode, deployment_id: str) -> None:
    async with asyncio.timeout(60):
        while True:
            async with node.catalogue.reading() as transaction:
                if await get_accepted(transaction, deployment_id) is not None:
                    return
            await asyncio.sleep(0.05)


async def audited(node: RunningNode, action: str) -> list[Any]:
    a = tables.audit_entry
    async with node.catalogue.reading() as transaction:
        return list(await transaction.all(select(a).where(a.c.action == action).order_by(a.c.id)))


async def audited_until(node: RunningNode, action: str, entries: int) -> list[Any]:
    async with asyncio.timeout(60):
        while len(found := await audited(node, action)) < entries:
            await asyncio.sleep(0.05)
    return found


async def test_a_push_goes_live_once_however_often_it_is_told(
    start_node: StartNode, repository: Path, tmp_path: Path
) -> None:
    old = git(repository, "rev-parse", "HEAD")
    async with start_node(push=settings(tmp_path, repository)) as node:
        status, told = await pushed(node, old)
        assert (status, told["new"]) == (202, True)
        ident = told["deployment_id"]
        assert await pushed(node, old) == (202, {"deployment_id": ident, "new": False})
        await recorded(node, ident)
        deployment = await ended(node, ident)
        assert deployment.status == deployment_pb2.DEPLOYMENT_STATUS_SUCCEEDED
        assert dict(deployment.labels) == {"hook": "web"}
        assert (node.live("web") / "content.txt").read_text() == "one"
        assert await pushed(node, old) == (202, {"deployment_id": ident, "new": False})
        new = commit(repository, "two")
        status, told = await pushed(node, new)
        await recorded(node, told["deployment_id"])
        await ended(node, told["deployment_id"])
        assert (node.live("web") / "content.txt").read_text() == "two"
        # What is sent again later takes nothing back.
        assert (await pushed(node, old))[1]["new"] is False
        assert await count(node.catalogue, tables.deployment) == 2
        taken = await audited(node, "push.taken")
    assert [entry.principal for entry in taken] == ["hook:web", "hook:web"]
    assert old in taken[0].message
    assert ident in taken[0].message


async def test_what_the_ref_is_not_any_more_goes_live_over_nothing(
    start_node: StartNode, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signed request that never came, or was told to come again, and somebody kept."""
    monkeypatch.setattr(repositories, "_BETWEEN_LOOKS_S", 0.05)
    old = git(repository, "rev-parse", "HEAD")
    new = commit(repository, "two")
    git(repository, "update-ref", "refs/heads/other", old)
    async with start_node(push=settings(tmp_path, repository)) as node:
        answers = await asyncio.gather(*(pushed(node, one) for one in (new, old, "f" * 40)))
        assert {status for status, _ in answers} == {202}
        overtaken = await audited_until(node, "push.overtaken", 2)
        idents = [told["deployment_id"] for _, told in answers]
        await recorded(node, idents[0])
        await ended(node, idents[0])
        assert (node.live("web") / "content.txt").read_text() == "two"
        assert await count(node.catalogue, tables.deployment) == 1
        assert {entry.request_id for entry in overtaken} == set(idents[1:])


async def test_pushes_of_a_hook_are_deployed_one_after_the_other(
    start_node: StartNode, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those that came between the one that is deployed and the last are not."""
    at_once = most = 0
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def looked(source: str, ref: str, commit: str) -> bool:
        return True

    async def deployed(*_: Any, **__: Any) -> CommandEnd:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        begun.set()
        await goes_on.wait()
        at_once -= 1
        return CommandEnd(1, "is not what this is about")

    monkeypatch.setattr(deploying, "is_what_ref_is", looked)
    monkeypatch.setattr(deploying, "run_command", deployed)
    async with start_node(push=settings(tmp_path, repository)) as node:
        await pushed(node, "a" * 40)
        async with asyncio.timeout(20):
            await begun.wait()
        for digit in "bcd":
            await pushed(node, digit * 40)
            await audited_until(node, "push.taken", "abcd".index(digit) + 1)
        overtaken = await audited_until(node, "push.overtaken", 2)
        goes_on.set()
        failed = await audited_until(node, "push.failed", 2)
    assert most == 1
    assert {entry.message[0] for entry in overtaken} == {"b", "c"}
    assert {entry.message[0] for entry in failed} == {"a", "d"}


async def test_the_pushes_of_one_hook_leave_room_for_those_of_others(
    start_node: StartNode, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = asyncio.Event()

    async def looked(source: str, ref: str, commit: str) -> bool:
        await goes_on.wait()
        return False

    monkeypatch.setattr(deploying, "is_what_ref_is", looked)
    push = settings(tmp_path, repository)
    (web,) = push["hooks"]
    async with start_node(push={**push, "hooks": [web, {**web, "name": "other"}]}) as node:
        taken = [(await pushed(node, f"{number:040x}"))[0] for number in range(1, 10)]
        body = body_of(after="f" * 40)
        other = await post(node, body, headers_of("github", body), "/hooks/other")
        goes_on.set()
        await audited_until(node, "push.overtaken", 9)
    assert taken == [202] * 8 + [503]
    assert other[0] == 202


async def test_one_that_fails_is_told_in_the_audit_trail_and_may_come_again(
    start_node: StartNode, repository: Path, tmp_path: Path
) -> None:
    head = git(repository, "rev-parse", "HEAD")
    git(repository, "config", "core.repositoryFormatVersion", "99")
    async with start_node(push=settings(tmp_path, repository)) as node:
        status, told = await pushed(node, head)
        assert status == 202
        failed = await audited_until(node, "push.failed", 1)
        assert head in failed[0].message
        assert "git ls-remote" in failed[0].message
        (repository / ".git" / "config").write_text("")
        assert await pushed(node, head) == (202, {**told, "new": True})
        await recorded(node, told["deployment_id"])


async def test_the_hooks_token_says_who_deploys_and_what_it_may(
    start_node: StartNode, repository: Path, tmp_path: Path
) -> None:
    first = git(repository, "rev-parse", "HEAD")
    token_file = tmp_path / "token"
    push = settings(tmp_path, repository, token_file=str(token_file))
    async with start_node(push=push, access={"enabled": True, "look_again_s": 0.1}) as node:
        token_file.write_text(await new_token(node, "reader", role="viewer"))
        await pushed(node, first)
        failed = await audited_until(node, "push.failed", 1)
        assert "deployment.create" in failed[0].message
        token_file.write_text(await new_token(node, "web-push", role="deployer"))
        second = commit(repository, "two")
        ident = (await pushed(node, second))[1]["deployment_id"]
        await recorded(node, ident)
        async with node.catalogue.reading() as transaction:
            deployment = await get_accepted(transaction, ident)
    assert deployment is not None
    assert deployment.deployed_by == "token:web-push"


async def new_token(node: RunningNode, name: str, *, role: str) -> str:
    token = make_token()
    async with node.catalogue.transaction() as transaction:
        await access_tokens.create(
            transaction,
            token_id=token.id,
            name=name,
            secret_sha256=token.secret_sha256,
            roles=[{"role": role, "projects": "web", "environments": "default"}],
            created_by="tests",
            expire_time=None,
        )
    return token.text


async def test_what_is_not_genuine_or_not_meant_deploys_nothing(
    start_node: StartNode, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "_LARGEST_BODY_BYTES", 1000)
    monkeypatch.setattr(bounded_http, "REQUEST_S", 2)
    body = body_of()
    good = headers_of("github", body)
    async with start_node(push=settings(tmp_path, repository)) as node:

        async def status(sent: bytes = body, path: str = "/hooks/web", **headers: str) -> int:
            given = {**good, **{name.replace("_", "-"): value for name, value in headers.items()}}
            return (await post(node, sent, given, path))[0]

        assert await status(x_hub_signature_256="sha256=" + "0" * 64) == 401
        assert await status(x_hub_signature_256="") == 401
        assert await status(body + b" ") == 401
        assert await status(path="/hooks/other") == 404
        assert await status(path="/") == 404
        assert await status(Content_Type="text/plain") == 415
        assert await status(Content_Length="9" * 30) == 413
        assert await status(b"x" * 1001) == 413
        assert await status(Content_Length="-1") == 411
        assert await status(Transfer_Encoding="chunked") == 411
        elsewhere = body_of(ref="refs/heads/other")
        answer = await post(node, elsewhere, headers_of("github", elsewhere))
        assert answer == (200, {"ignored": "it is not to refs/heads/main"})
        # Bodies that do not come, and heads that do not end, are broken off.
        for sent in (
            b"",
            b"POST /hooks/web HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n",
        ):
            assert not await asyncio.to_thread(trickled, node, sent)
        assert await count(node.catalogue, tables.deployment) == 0
        assert await audited(node, "push.taken") == []


def trickled(node: RunningNode, sent: bytes) -> bytes:
    """What is answered to whoever goes on, byte by byte, without ever coming to an end."""
    host, _, port = node.node.push_address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=0.05) as connection:
        connection.sendall(sent)
        while True:
            try:
                connection.sendall(b"x")
                return connection.recv(1000)
            except TimeoutError:
                continue
            except OSError:
                return b""


async def test_too_many_are_sent_away_and_only_the_genuine_count(
    start_node: StartNode, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploying, "_TAKEN_A_MINUTE", 3)
    elsewhere = body_of(ref="refs/heads/other")
    signed = headers_of("github", elsewhere)

    async def looked(source: str, ref: str, commit: str) -> bool:
        return False

    monkeypatch.setattr(deploying, "is_what_ref_is", looked)
    async with start_node(push=settings(tmp_path, repository)) as node:
        assert [(await post(node, b"{}", {}))[0] for _ in range(20)] == [401] * 20
        assert [(await post(node, elsewhere, signed))[0] for _ in range(20)] == [200] * 20
        statuses = [(await pushed(node, digit * 40))[0] for digit in "abcd"]
        assert (await post(node, b"{}", {}))[0] == 401
    assert statuses == [202, 202, 202, 429]


async def test_what_somebody_kept_and_sends_again_and_again_keeps_nothing_out(
    start_node: StartNode, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploying, "_TAKEN_A_MINUTE", 2)
    old = git(repository, "rev-parse", "HEAD")
    async with start_node(push=settings(tmp_path, repository)) as node:
        deployed = (await pushed(node, old))[1]["deployment_id"]
        again = {"deployment_id": deployed, "new": False}
        assert [await pushed(node, old) for _ in range(10)] == [(202, again)] * 10
        await recorded(node, deployed)
        assert [await pushed(node, old) for _ in range(10)] == [(202, again)] * 10
        new = commit(repository, "two")
        status, told = await pushed(node, new)
        assert (status, told["new"]) == (202, True)
        await recorded(node, told["deployment_id"])
        assert (await pushed(node, "f" * 40))[0] == 429


async def test_what_was_overtaken_is_not_looked_for_again_for_a_while(
    start_node: StartNode, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    async def looked(source: str, ref: str, commit: str) -> bool:
        nonlocal looks
        looks += 1
        return False

    monkeypatch.setattr(deploying, "is_what_ref_is", looked)
    async with start_node(push=settings(tmp_path, repository)) as node:
        assert (await pushed(node, "a" * 40))[1]["new"]
        await audited_until(node, "push.overtaken", 1)
        assert [(await pushed(node, "a" * 40))[1]["new"] for _ in range(10)] == [False] * 10
        assert looks == 1
        monkeypatch.setattr(deploying, "_KNOWN_FOR_S", 0.0)
        assert (await pushed(node, "a" * 40))[1]["new"]
        await audited_until(node, "push.overtaken", 2)


@pytest.mark.parametrize(
    ("push", "more", "says"),
    [
        ({"listen": "0.0.0.0:0"}, {}, "without `tls`"),
        ({"hooks": []}, {}, "`listen` and `hooks` go together"),
        ({}, {"access": {"enabled": True}}, "needs a `token_file`"),
    ],
    ids=["reachable", "no-hooks", "no-token"],
)
async def test_what_would_be_unsafe_does_not_start(
    start_node: StartNode,
    repository: Path,
    tmp_path: Path,
    push: dict[str, Any],
    more: dict[str, Any],
    says: str,
) -> None:
    with pytest.raises(Misconfigured, match=says):
        async with start_node(push={**settings(tmp_path, repository), **push}, **more):
            pass
