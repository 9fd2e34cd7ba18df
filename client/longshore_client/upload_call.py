"""A call that sends a stream and gets one answer, whose true end is known however it ends.

grpc.aio gives a call whose write fails its own INTERNAL ("Internal error from Core"), also over the status
that the server has sent and that made the write fail: measured, a refusal in the middle of an upload was lost
more often than not. Here the first status of a call is kept, and counts. And grpc.aio swallows a cancellation
that meets the end of an operation, seen as a Ctrl-C that did nothing: here it is raised all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, Generic, TypeVar

import grpc
from google.protobuf.message import Message
from grpc import aio

from longshore.v1 import deployment_service_pb2

_ACCEPTED_KEY: Final = "longshore-accepted"
_DURABLE_OFFSET_KEY: Final = "longshore-durable-offset"

_Request = TypeVar("_Request", bound=Message)
_Response = TypeVar("_Response", bound=Message)
_Result = TypeVar("_Result")


class CallEndedError(Exception):
    """The call has ended before everything was written; ``SendingCall.answer`` tells how."""


class SendingCall(Generic[_Request, _Response]):
    """A call that has just been started."""

    def __init__(self, call: aio.StreamUnaryCall[_Request, _Response]) -> None:
        self._call = call
        self._first_end: aio.AioRpcError | None = None
        call.add_done_callback(self._note_end)

    @property
    def ended(self) -> bool:
        """Whether the call has ended."""
        return self._call.done()

    async def write(self, request: _Request) -> None:
        """Send one message. Raises ``CallEndedError``."""
        try:
            with _cancellable():
                await self._call.write(request)
        except (aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise CallEndedError from error

    async def close_writing(self) -> None:
        """Say that everything was sent."""
        with _cancellable():
            await self._call.done_writing()

    async def answer(self) -> _Response:
        """Wait for the answer. Raises ``AioRpcError`` with the status that the call truly ended with."""
        try:
            with _cancellable():
                response: _Response = await self._call
        except aio.AioRpcError as error:
            if self._first_end is not None and self._first_end.code() is not grpc.StatusCode.INTERNAL:
                raise self._first_end from error
            raise
        return response

    def cancel(self) -> None:
        """End the call, if it has not ended."""
        self._call.cancel()

    def _note_end(self, _call: object) -> None:
        code = _at_once(self._call.code())
        if code is None or code is grpc.StatusCode.OK:
            return
        self._first_end = aio.AioRpcError(
            code,
            _at_once(self._call.initial_metadata()) or aio.Metadata(),
            _at_once(self._call.trailing_metadata()) or aio.Metadata(),
            _at_once(self._call.details()),
        )


class UploadCall(SendingCall[deployment_service_pb2.DeployRequest, deployment_service_pb2.DeployResponse]):
    """A Deploy call that has just been started."""

    async def accepted_offset(self, header: deployment_service_pb2.DeployHeader) -> int | None:
        """Send the header and wait; the offset to go on from, None when the call has its answer already."""
        try:
            await self.write(deployment_service_pb2.DeployRequest(header=header))
            with _cancellable():
                metadata = dict(await self._call.initial_metadata())
        except CallEndedError:
            return None
        if metadata.get(_ACCEPTED_KEY) != "1":
            return None
        return int(metadata.get(_DURABLE_OFFSET_KEY, "0"))


@contextmanager
def _cancellable() -> Iterator[None]:
    """Raise ``CancelledError`` behind an operation during which this task was cancelled, however it ended."""
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()
    try:
        yield
    except Exception:
        if task.cancelling() > before:
            raise asyncio.CancelledError from None
        raise
    if task.cancelling() > before:
        raise asyncio.CancelledError


def _at_once(coroutine: Coroutine[Any, Any, _Result]) -> _Result | None:
    """The result of a coroutine that has nothing to wait for: a callback cannot await."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: _Result = done.value
        return result
    coroutine.close()
    return None
