"""What a caller's `traceparent` may do: join its trace, and nothing else; and nothing at all by strangers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from longshore.v1 import catalog_service_pb2 as catalog
from tests.server.access.conftest import access as access
from tests.server.access.conftest import issuer as issuer
from tests.server.access.conftest import policy_file as policy_file
from tests.server.access.issuer import Issuer, bearer
from tests.server.running import StartNode, Stubs, embedded

from .receiver import Receiver

pytestmark = embedded

LIST = "longshore.v1.CatalogService/ListProjects"
SPAN = "b7ad6b7169203331"
HOSTILE = {
    "empty": "",
    "zeros": f"00-{'0' * 32}-{SPAN}-01",
    "no span": f"00-{'5' * 32}-{'0' * 16}-01",
    "upper case": f"00-{'A' * 32}-{SPAN}-01",
    "no hexadecimal": f"00-{'x' * 32}-{SPAN}-01",
    "more than its version has": f"00-{'6' * 32}-{SPAN}-01-more",
    "no version": f"ff-{'7' * 32}-{SPAN}-01",
    "very long": f"01-{'8' * 32}-{SPAN}-01-{'9' * 4000}",
    "words": "'; DROP TABLE deployment; --",
}


def _trace(digit: str, *, sampled: bool = True) -> tuple[str, str]:
    return ("traceparent", f"00-{digit * 32}-{SPAN}-{'01' if sampled else '00'}")


async def _list(stubs: Stubs, *metadata: tuple[str, str]) -> None:
    await stubs.catalog.ListProjects(catalog.ListProjectsRequest(), metadata=metadata)


async def test_what_is_no_context_begins_a_trace(receiver: Receiver, start_node: StartNode) -> None:
    async with start_node(tracing={"endpoint": receiver.endpoint}) as node:
        await _list(node, _trace("1"), ("tracestate", "vendor=secret"))
        for text in HOSTILE.values():
            await _list(node, ("traceparent", text))
        spans = await receiver.until_told(*[LIST] * (len(HOSTILE) + 1))
    joined = [one for one in spans if one.parent_id]
    assert [(one.trace_id, one.parent_id) for one in joined] == [("1" * 32, SPAN)]
    assert len({one.trace_id for one in spans}) == len(spans) == len(HOSTILE) + 1
    assert b"vendor" not in b"".join(request.SerializeToString() for request in receiver.requests)


async def test_a_trace_is_kept_as_its_caller_says_and_others_by_the_ratio(
    receiver: Receiver, start_node: StartNode
) -> None:
    async with start_node(tracing={"endpoint": receiver.endpoint, "sample_ratio": 0}) as node:
        await _list(node)
        await _list(node, _trace("1", sampled=False))
        await _list(node, _trace("2"))
        await receiver.until_told(LIST)
    async with start_node(tracing={"endpoint": receiver.endpoint}) as node:
        await _list(node, _trace("3", sampled=False))
        await _list(node, _trace("4"))
        spans = await receiver.until_told(LIST, LIST)
    assert [one.trace_id for one in spans] == ["2" * 32, "4" * 32]


async def test_strangers_make_no_spans(
    receiver: Receiver, start_node: StartNode, access: dict[str, Any], issuer: Issuer, tmp_path: Path
) -> None:
    async with start_node(tracing={"endpoint": receiver.endpoint}, access=access) as node:
        for stranger in ((), *(bearer(token) for token in ("none", issuer.token("root", exp=1)))):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await _list(node, _trace("1"), *stranger)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        await _list(node, _trace("2"), *bearer(issuer.token("root")))
        spans = await receiver.until_told(LIST)
    assert [one.trace_id for one in spans] == ["2" * 32]
