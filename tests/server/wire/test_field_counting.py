"""How many fields a message has is known before it is parsed, whatever bytes it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from longshore.v1 import deployment_pb2 as d
from longshore.v1 import deployment_service_pb2 as pb
from longshore_server.rpc.field_counting import has_more_fields

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor


def _has_more(message: Message, most: int) -> bool:
    return has_more_fields(message.SerializeToString(), cast("Descriptor", message.DESCRIPTOR), most)


def _chunks(number: int) -> pb.DeployRequest:
    chunk = pb.PayloadChunk(digest=bytes(32), raw_size_bytes=3, raw=b"abc")
    return pb.DeployRequest(chunks=pb.PayloadChunks(chunks=[chunk] * number))


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (pb.DeployRequest(), 0),
        # The place, and nothing of what is in it: nothing there is repeated.
        (pb.DeployRequest(data=pb.PayloadData(offset=1, data=b"x" * 100)), 1),
        (_chunks(0), 1),
        (_chunks(1_000), 1_001),
        (pb.DeployRequest(header=pb.DeployHeader(project="netops", labels={"a": "1", "b": "2"})), 4),
        # Steps of a strategy stand two messages deep.
        (
            pb.DeployRequest(
                header=pb.DeployHeader(
                    strategy=d.RolloutStrategy(canary_steps=[d.CanaryStep(nodes=1)] * 7, max_failed_nodes=1)
                )
            ),
            1 + 1 + 7 + 1,
        ),
    ],
)
def test_what_a_message_has(message: Message, fields: int) -> None:
    assert not _has_more(message, fields)
    if fields:
        assert _has_more(message, fields - 1)


def test_a_group_hides_nothing() -> None:
    # Field 15 as a group that holds a thousand empty chunks' messages, and one of which only the end comes.
    inside = b"\x1a\x00" * 1_000
    kind = pb.DeployRequest.DESCRIPTOR
    assert has_more_fields(b"\x7b" + inside + b"\x7c", kind, 1_000)
    assert has_more_fields(b"\x7c" * 11, kind, 10)


@given(st.binary(max_size=300), st.integers(0, 50))
def test_any_bytes_have_an_answer(content: bytes, most: int) -> None:
    assert has_more_fields(content, pb.DeployRequest.DESCRIPTOR, most) in (True, False)
    # Not even with a field for each byte, however deep it stands.
    assert not has_more_fields(content, pb.DeployRequest.DESCRIPTOR, 8 * len(content))


@pytest.mark.parametrize(
    "content",
    [
        b"\x80" * (4 << 20),
        b"\x08" + b"\xff" * (4 << 20),
        b"\x1a\x80\x80\x80\x02" + b"\x0a\x00" * (2 << 20),
        b"\x1a\x00" * (2 << 20),
    ],
    ids=["no end of a tag", "no end of a number", "chunks", "fields"],
)
def test_of_no_bytes_much_is_looked_at(content: bytes) -> None:
    class Looked(bytes):
        looks = 0

        def __getitem__(self, place: Any) -> Any:
            Looked.looks += 1
            return super().__getitem__(place)

    assert has_more_fields(Looked(content), pb.DeployRequest.DESCRIPTOR, 10_100)
    # Two numbers of at most ten bytes for each field.
    assert Looked.looks <= 10_101 * 2 * 10
