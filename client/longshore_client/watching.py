"""Watching deployments as they change, over breaks, at whichever server answers.

Invariants: the last state of every deployment that matches comes, also of one that ended while the connection
was broken, if it is among the newest or the last so many that were told; the iterator never ends by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from longshore.v1 import deployment_service_pb2

from .connection import Connection
from .conversion import deployment, status_number
from .errors import LongshoreError, Unavailable
from .following import BreakCallback
from .models import Deployment
from .routing import Route
from .streaming import SILENCE_S, Stream

# Each is asked for after a break. Filtered by status, the server does not tell which are through with it.
_MOST_REMEMBERED: Final = 500


async def watch(
    connection: Connection,
    request: deployment_service_pb2.WatchDeploymentsRequest,
    *,
    patience_s: float,
    on_break: BreakCallback | None,
) -> AsyncGenerator[Deployment, None]:
    """Deployments as ``request`` asks, the newest first, then each one that changes.

    After a break it connects again, until nothing was heard for ``patience_s``; ``on_break`` is told.
    Raises ``LongshoreError``.
    """
    route = Route(connection, patience_s=patience_s)
    # Those told before that had not ended, in the order in which they were told last.
    unended: dict[str, None] = {}
    while True:
        untold, up_to_date = dict(unended), False
        stream: Stream[deployment_service_pb2.WatchDeploymentsResponse] = Stream(
            route.server, route.server.deployments.WatchDeployments, request, silence_s=SILENCE_S
        )
        try:
            while (message := await stream.read()) is not None:
                route.answered()
                route.progressed()
                seen = [deployment(one) for one in message.deployments]
                if message.up_to_date and not up_to_date:
                    # What was told before the break and is not among the newest may have changed since.
                    up_to_date = True
                    for one in seen:
                        untold.pop(one.deployment_id, None)
                    seen += [await _get(connection, deployment_id) for deployment_id in untold]
                for one in seen:
                    untold.pop(one.deployment_id, None)
                    unended.pop(one.deployment_id, None)
                    if not one.status.terminal:
                        unended[one.deployment_id] = None
                    if len(unended) > _MOST_REMEMBERED:
                        del unended[next(iter(unended))]
                    if not request.statuses or status_number(one.status) in request.statuses:
                        yield one
            raise Unavailable(f"the server at {route.server.address} ended what has no end")
        except LongshoreError as error:
            pause_s = route.pause_s(error)
            if on_break is not None:
                on_break(error)
        finally:
            stream.close()
        await asyncio.sleep(pause_s)


async def _get(connection: Connection, deployment_id: str) -> Deployment:
    answer = await connection.unary(
        lambda server: server.deployments.GetDeployment,
        deployment_service_pb2.GetDeploymentRequest(deployment_id=deployment_id),
    )
    return deployment(answer.deployment)
