"""Any bytes as the request of any rpc: an answer that is no fault of ours, and the node serves on.

Made from the descriptors, so that what is new is tried by itself.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import grpc
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from longshore_server.access.permissions import BUILT_IN_ROLES
from tests.server.access.as_caller import as_caller
from tests.server.access.issuer import Issuer, bearer
from tests.server.access.policies import write_policy
from tests.server.access.test_rules import SERVICES
from tests.server.calls import deploy_to_end
from tests.server.contents import canonical_tar, small_tree
from tests.server.running import Stubs
from tests.services.processes import ServerProcess

from .standing import MIB, standing
from .wild import Known, Wild

_OTHERS = [
    health_pb2.DESCRIPTOR.services_by_name["Health"],
    reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"],
]
METHODS = [method for service in (*SERVICES, *_OTHERS) for method in service.methods]
_CHANGES_THE_NODE = {"DrainNode", "RemoveNode"}
_AT_ONCE = 16
# A stream that goes on, or a call that waits for what never happens, is left after so long.
_LEFT_AFTER_S = 0.2
_HANGS_AFTER_S = 30.0
_OURS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS}


async def known_of(stubs: Stubs) -> Known:
    content = canonical_tar(small_tree())
    made = await deploy_to_end(stubs, content, version="1.0.0")
    random = Random(1)
    new = [str(UUID(int=random.getrandbits(128), version=4)).encode() for _ in range(300)]
    there = made.deployment_id.encode()
    return {
        "deployment_id": [there] * 100 + new,
        "retry_of": [there],
        "expected_live_deployment_id": [there, b""],
        "session_id": [b""],
        "verification_id": new[:10],
        "gate_id": new,
        "project": [b"netops", b"netops", b"other"],
        "environment": [b"default"],
        "version": [b"1.0.0"],
        "page_token": [b""],
        "payload_sha256": [made.payload_sha256.encode(), b""],
        "data": [content],
        "paths": [b"second_person", b"retention", b"strategy", b"node_selector", b"freeze_reason"],
    }


class Caller:
    """Sends bytes, and keeps what was answered as it must not be."""

    def __init__(self, channel: Any, metadata: Any = ()) -> None:
        self._channel = channel
        self._metadata = metadata
        self._places = asyncio.Semaphore(_AT_ONCE)
        self.wrong: list[str] = []
        self.answered = 0

    async def all(self, method: MethodDescriptor, requests: Iterable[list[bytes]]) -> None:
        await asyncio.gather(*(self._send(method, messages) for messages in requests))

    async def _send(self, method: MethodDescriptor, messages: list[bytes]) -> None:
        path = f"/{method.containing_service.full_name}/{method.name}"
        waits = (
            method.server_streaming
            or method.client_streaming
            or "wait_policy" in method.input_type.fields_by_name
        )
        async with self._places:
            try:
                async with asyncio.timeout(_LEFT_AFTER_S if waits else _HANGS_AFTER_S):
                    await self._answer(path, method, messages)
            except grpc.aio.AioRpcError as error:
                self.answered += 1
                # The client's library says that of a stream which had ended before all of it was sent.
                if error.code() in _OURS and error.details() != "Internal error from Core":
                    sent = [message[:80] for message in messages[:4]]
                    self.wrong.append(f"{method.name} {error.code()} {error.details()} {sent}")
            except TimeoutError:
                if not waits:
                    self.wrong.append(f"{method.name} hangs: {messages[0][:80]!r}")

    async def _answer(self, path: str, method: MethodDescriptor, messages: list[bytes]) -> None:
        match method.client_streaming, method.server_streaming:
            case False, False:
                await self._channel.unary_unary(path)(messages[0], metadata=self._metadata)
            case False, True:
                async for _ in self._channel.unary_stream(path)(messages[0], metadata=self._metadata):
                    pass
            case True, False:
                await self._channel.stream_unary(path)(_one_by_one(messages), metadata=self._metadata)
            case _:
                async for _ in self._channel.stream_stream(path)(
                    _one_by_one(messages), metadata=self._metadata
                ):
                    pass


async def _one_by_one(messages: list[bytes]) -> AsyncIterator[bytes]:
    for message in messages:
        yield message


def _requests(method: MethodDescriptor, wild: Wild, wanted: int, *, whole: bool) -> list[list[bytes]]:
    """What comes as a stream is one wild message, or some in any order."""
    of = method.input_type
    messages = [*(wild.broken(of) if whole else ()), *wild.messages(of, wanted)]
    return [[one] for one in messages] + (wild.streams(of, wanted) if method.client_streaming else [])


async def attack(server: ServerProcess, known: Known, seed: str, wanted: int, metadata: Any = ()) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        caller = Caller(channel, metadata)
        for method in METHODS:
            names = {} if method.name in _CHANGES_THE_NODE else {"node_name": [b"one"]}
            wild = Wild(f"{seed} {method.full_name}", {**known, **names})
            await caller.all(method, _requests(method, wild, wanted, whole=not metadata))
    assert caller.wrong == []
    assert caller.answered > len(METHODS)


async def test_every_rpc(tmp_path: Path) -> None:
    env = {"LONGSHORE_NODE__NAME": "one"}
    async with standing(tmp_path, may_grow_bytes=128 * MIB, env=env) as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            known = await known_of(Stubs(channel))
        await attack(server, known, "open", 5)


async def test_every_rpc_by_every_role(tmp_path: Path) -> None:
    """What a role may not do is refused before the request is understood, and what it may do after."""
    issuer = Issuer(tmp_path)
    policy_file = tmp_path / "policy.yaml"
    write_policy(policy_file, *({"role": role, "principals": [f"a-{role}"]} for role in BUILT_IN_ROLES))
    env = {
        "LONGSHORE_NODE__NAME": "one",
        "LONGSHORE_ACCESS__ENABLED": "true",
        "LONGSHORE_ACCESS__POLICY_FILE": str(policy_file),
        "LONGSHORE_ACCESS__ISSUERS": json.dumps([issuer.settings]),
    }
    async with standing(tmp_path, may_grow_bytes=128 * MIB, env=env) as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            known = await known_of(as_caller(Stubs(channel), issuer.token("a-admin")))
        for role in BUILT_IN_ROLES:
            await attack(server, known, role, 4, bearer(issuer.token(f"a-{role}")))
