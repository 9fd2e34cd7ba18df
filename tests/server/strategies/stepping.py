"""Steps of a rollout over four nodes, and what the nodes report of it."""

from __future__ import annotations

from typing import Any

from longshore_server.rollout.step import Progress, RolloutStep
from longshore_storage.catalogue.lifecycle import ActivationStatus, DeploymentStatus
from tests.server.rollouts import Place

A = ActivationStatus
D = DeploymentStatus
NODES = ("a", "b", "c", "d")


async def settle(step: RolloutStep) -> Progress:
    """Take steps until nothing is due without anybody's doing."""
    while (progress := await step.take()) in (Progress.MOVED, Progress.SOON):
        pass
    return progress


async def due(place: Place) -> list[str]:
    """The nodes that are told to do something."""
    return [name for name in NODES if await place.due(name)]


async def begin(place: Place, version: str = "1.0.0", **terms: Any) -> tuple[str, RolloutStep]:
    deployment_id = await place.queue(version, **terms)
    step = place.step()
    await settle(step)
    return deployment_id, step


async def report(place: Place, step: RolloutStep, status: ActivationStatus, *names: str) -> None:
    for name in names:
        assert await place.report(name, status, "boom" if status is A.FAILED else "")
    await settle(step)
