"""Requests a second: each principal has a bucket of its own, and all buckets together have a bound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from longshore.v1 import catalog_service_pb2 as catalog
from longshore_server.refusal import Reason, Refusal
from longshore_server.rpc.request_rates import RequestRates
from tests.server.calls import refused
from tests.server.running import StartNode, embedded

from .as_caller import as_caller
from .issuer import Issuer
from .policies import write_policy

S = grpc.StatusCode
LIST = catalog.ListProjectsRequest()


@embedded
async def test_each_principal_has_its_own(
    start_node: StartNode, access: dict[str, Any], issuer: Issuer, policy_file: Path
) -> None:
    write_policy(policy_file, {"role": "viewer", "principals": ["alice", "bob"]})
    quotas = {
        "principal": {"requests_a_second": 0.01},
        "rules": [{"principals": ["bob"], "principal": {"requests_a_second": None}}],
    }
    async with start_node(access=access, quotas=quotas) as node:
        alice, bob = (as_caller(node, issuer.token(name)) for name in ("alice", "bob"))
        await alice.catalog.ListProjects(LIST)
        with refused(S.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED") as told:
            await alice.catalog.ListProjects(LIST)
        assert "alice may make 0.01 requests a second" in told.message
        assert told.metadata["quota"] == "principal.requests_a_second"
        assert told.retry_after_s is not None
        assert 50 < told.retry_after_s <= 100
        for _ in range(3):
            await bob.catalog.ListProjects(LIST)


def _taken(rates: RequestRates) -> int:
    for number in range(100):
        try:
            rates.take("alice")
        except Refusal:
            return number
    return 100


def test_a_bucket_fills_again() -> None:
    now_s = 0.0
    rates = RequestRates(lambda name: 4.0, lambda: now_s)
    assert _taken(rates) == 4
    with pytest.raises(Refusal) as caught:
        rates.take("alice")
    assert caught.value.reason is Reason.QUOTA_EXCEEDED
    assert caught.value.retry_after_s == pytest.approx(0.25)
    now_s = 0.5
    assert _taken(rates) == 2
    now_s = 1000
    assert _taken(rates) == 4


def test_less_than_one_a_second() -> None:
    now_s = 0.0
    rates = RequestRates(lambda name: 0.5, lambda: now_s)
    assert _taken(rates) == 1
    now_s = 1.0
    assert _taken(rates) == 0
    now_s = 2.0
    assert _taken(rates) == 1


def test_memory_is_bounded() -> None:
    rates = RequestRates(lambda name: None if name == "free" else 1.0)
    rates.take("free")
    assert len(rates) == 0
    for number in range(12_000):
        rates.take(f"caller {number}")
    assert len(rates) == 10_000
