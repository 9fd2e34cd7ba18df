"""The files that calls of ValidateWorkflows send: in memory until they are validated, so counted in bytes.

A call has of the room what it has sent and nothing before, so that who opens calls and sends nothing keeps
nobody out; and one caller has a part of the room only, so that who sends and does not end does not either.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from longshore.v1 import catalog_service_pb2 as pb
from longshore.v1 import workflow_pb2
from longshore_server.access.callers import ANONYMOUS
from longshore_server.access.failures import address_of
from longshore_server.refusal import Reason, Refusal, invalid
from longshore_server.workflows import MOST_FILE_BYTES, MOST_FILES
from longshore_storage.catalogue.rows import Actor

_MOST_ACTIONS: Final = 10_000
_SENT_WITHIN_S: Final = 30
_RETRY_AFTER_S: Final = 5.0
# What a file takes beside its bytes.
_FILE_BYTES: Final = 256
_LARGEST_CALL_BYTES: Final = MOST_FILE_BYTES + MOST_FILES * _FILE_BYTES
_MOST_BYTES: Final = 8 * _LARGEST_CALL_BYTES
_MOST_BYTES_OF_ONE: Final = 2 * _LARGEST_CALL_BYTES


class SentFiles:
    """The room for what is sent by all calls of a node."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()

    @asynccontextmanager
    async def received(
        self, requests: AsyncIterator[pb.ValidateWorkflowsRequest], actor: Actor
    ) -> AsyncGenerator[tuple[workflow_pb2.ValidationTarget, Mapping[str, bytes]]]:
        """Hold the target and the files that a call sends for the block; raises ``Refusal``."""
        caller = actor.principal if actor.principal != ANONYMOUS else address_of(actor.peer)
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            if self._held[caller] + size > _MOST_BYTES_OF_ONE:
                raise busy("holds as many files of your other calls as it does of one caller")
            if self._held.total() + size > _MOST_BYTES:
                raise busy("holds as many files to be validated as it can")
            self._held[caller] += size
            taken += size

        try:
            yield await _sent_in_time(requests, take)
        finally:
            self._held[caller] -= taken
            if not self._held[caller]:
                del self._held[caller]


def busy(why: str) -> Refusal:
    """The refusal of a node that validates no more just now."""
    return Refusal(
        Reason.LIMIT_EXCEEDED,
        f"this node {why}: try again in {_RETRY_AFTER_S:g} s, or at another node",
        retry_after_s=_RETRY_AFTER_S,
    )


async def _sent_in_time(
    requests: AsyncIterator[pb.ValidateWorkflowsRequest], take: Callable[[int], None]
) -> tuple[workflow_pb2.ValidationTarget, Mapping[str, bytes]]:
    try:
        async with asyncio.timeout(_SENT_WITHIN_S):
            return await _sent(requests, take)
    except TimeoutError:
        raise Refusal(
            Reason.UPLOAD_IDLE, f"the files did not come within {_SENT_WITHIN_S} s: send fewer at once"
        ) from None


async def _sent(
    requests: AsyncIterator[pb.ValidateWorkflowsRequest], take: Callable[[int], None]
) -> tuple[workflow_pb2.ValidationTarget, Mapping[str, bytes]]:
    first = await anext(aiter(requests), None)
    if first is None or first.WhichOneof("message") != "target":
        raise Refusal(Reason.UPLOAD_PROTOCOL, "the first message must be the target")
    # Before the files come: what refuses them need not be told behind 16 MiB.
    _check_target(first.target)
    take(first.ByteSize())
    files: dict[str, bytes] = {}
    size = 0
    async for request in requests:
        if request.WhichOneof("message") != "file":
            raise Refusal(Reason.UPLOAD_PROTOCOL, "the target comes first and once, then files")
        if first.target.version:
            raise invalid("file", "must not be sent along with a stored release")
        path, content = request.file.path, request.file.content
        if path in files:
            raise invalid("file.path", f"{path[:100]!r} was sent already")
        size += len(content) + len(path)
        if size > MOST_FILE_BYTES or len(files) == MOST_FILES:
            raise Refusal(
                Reason.LIMIT_EXCEEDED,
                f"these are more than {MOST_FILES} files or {MOST_FILE_BYTES} bytes: send fewer at once",
            )
        take(len(content) + len(path) + _FILE_BYTES)
        files[path] = content
    return first.target, files


def _check_target(target: workflow_pb2.ValidationTarget) -> None:
    if len(target.actions) > _MOST_ACTIONS:
        raise invalid("target.actions", f"must be at most {_MOST_ACTIONS}")
    if not target.version and not target.pack:
        raise invalid("target.pack", "is required where files are sent along")
