"""Messages to a client that may be gone."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc


async def write(context: Any, response: Any) -> None:
    """Write a message of a stream; cancels where nobody reads it any more."""
    try:
        await context.write(response)
    except grpc.aio.InternalError as error:
        # The call has ended while it was being written to: its client or the connection is gone.
        raise asyncio.CancelledError from error
