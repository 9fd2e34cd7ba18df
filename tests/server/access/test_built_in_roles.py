"""Each built-in role against each rpc, and against each field that takes a permission on top."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.access import failures
from longshore_server.access.permissions import BUILT_IN_ROLES
from longshore_server.rpc.access_rules import RULES, SKIPPING
from tests.server.calls import refusal_in
from tests.server.running import RunningNode, StartNode, embedded

from .guarded import METHODS, guarded_by, is_denied
from .issuer import Issuer
from .policies import write_policy

pytestmark = embedded
S = grpc.StatusCode
# Those who may less come first: whoever may can change what there is.
ROLES = sorted(BUILT_IN_ROLES, key=lambda role: len(BUILT_IN_ROLES[role]))


async def test_each_role_against_each_rpc(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, policy_file: Path
) -> None:
    write_policy(
        policy_file,
        {"role": "admin", "principals": ["root"]},
        *({"role": role, "principals": [f"the {role}"]} for role in ROLES),
    )
    wrong = []
    async with start_node(access=access) as node:
        guarded = await guarded_by(node, issuer)
        for role in ROLES:
            has = BUILT_IN_ROLES[role]
            for rpc, (service, method) in METHODS.items():
                fields = pb.DeployHeader.DESCRIPTOR if method.name == "Deploy" else method.input_type
                flags = [flag for flag in SKIPPING if flag in fields.fields_by_name]
                for flag in (None, *flags):
                    needed = {RULES[rpc].permission, SKIPPING[flag] if flag else None} - {None}
                    request = guarded.request(method, **({flag: True} if flag else {}))
                    error = await guarded.call(service, method, request, f"the {role}")
                    if is_denied(error) != (not needed <= has):
                        wrong.append(f"{rpc} {flag} by {role}: {error and (error.code(), error.details())}")
    assert not wrong, "\n".join(wrong)


async def test_without_a_token_nothing_but_health_and_reflection(
    guarded: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "_LONGEST_WAIT_S", 0.0)
    for rpc, (service, method) in METHODS.items():
        rpc_of_bytes: Any = guarded.channel.stream_stream(f"/{service.full_name}/{method.name}")
        call = rpc_of_bytes(iter([b""]), timeout=20)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            assert await call.read() is not grpc.aio.EOF, rpc
            await call.read()
        refusal_in(caught.value, S.UNAUTHENTICATED, "UNAUTHENTICATED")
    health = health_pb2_grpc.HealthStub(guarded.channel)
    answer = await health.Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    watched = health.Watch(health_pb2.HealthCheckRequest())
    assert (await watched.read()).status == health_pb2.HealthCheckResponse.SERVING
    watched.cancel()
    stub = reflection_pb2_grpc.ServerReflectionStub(guarded.channel)
    async with asyncio.timeout(20):
        asked = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        told = await anext(aiter(asked))
    assert len(told.list_services_response.service) == 5
