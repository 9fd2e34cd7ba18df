"""Following a deployment until it is live."""

from __future__ import annotations

from contextlib import aclosing

from longshore_client import Client, DeploymentStatus, Event, StatusChanged


async def until_live(client: Client, deployment_id: str) -> None:
    """Return with the event that says so; raises ``RuntimeError`` when it ends otherwise."""
    ended = None
    async with aclosing(client.follow(deployment_id)) as updates:
        async for update in updates:
            if isinstance(update, Event) and isinstance(update.detail, StatusChanged):
                ended = update.detail.to_status
                if ended is DeploymentStatus.SUCCEEDED:
                    return
    raise RuntimeError(f"deployment {deployment_id} ended {ended}")
