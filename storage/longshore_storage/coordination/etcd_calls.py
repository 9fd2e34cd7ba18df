"""Awaiting calls of ``grpc.aio`` so that cancelling means what it means everywhere else.

Owns two corrections. A cancellation that meets the end of a call is swallowed by ``grpc.aio`` (1.85: the
task inside that drives the call takes it, and the call ends with its answer or error): a task that was
told to end then goes on for ever. And closing a channel raises ``CancelledError`` in tasks that nobody
cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from .etcd_errors import FAULTS, StreamEnded

_T = TypeVar("_T")


async def outcome(call: Awaitable[_T]) -> _T:
    """What ``call`` ends with; ``CancelledError`` if, and only if, this task was cancelled meanwhile."""
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()
    try:
        answer = await call
    except FAULTS:
        if task.cancelling() > before:
            raise asyncio.CancelledError from None
        raise
    except asyncio.CancelledError:
        if task.cancelling():
            raise
        raise StreamEnded("the channel was closed") from None
    if task.cancelling() > before:
        raise asyncio.CancelledError
    return answer
