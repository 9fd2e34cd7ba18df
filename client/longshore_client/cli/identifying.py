"""What people name: deployments by the beginning of their id, as tables show it, and places."""

from __future__ import annotations

import uuid
from contextlib import aclosing
from typing import Final

from longshore_client.catalog_models import ProjectEnvironment
from longshore_client.client import Client
from longshore_client.errors import DeploymentNotFound, EnvironmentNotFound, InvalidRequest

_LEAST_CHARACTERS: Final = 4
_NEWEST: Final = 500


async def whole_id(client: Client, beginning: str) -> str:
    """The id that begins so, among the newest deployments; a whole id is taken as it is.

    Raises ``DeploymentNotFound``, and ``InvalidRequest`` when several begin so.
    """
    try:
        return str(uuid.UUID(beginning))
    except ValueError:
        wanted = beginning.lower()
    found: list[str] = []
    if len(wanted) >= _LEAST_CHARACTERS:
        async with aclosing(client.list(limit=_NEWEST)) as deployments:
            found = [d.deployment_id async for d in deployments if d.deployment_id.startswith(wanted)]
    if not found:
        raise DeploymentNotFound(
            f"none of the newest {_NEWEST} deployments has an id that begins with {beginning!r}"
            if len(wanted) >= _LEAST_CHARACTERS
            else f"{beginning!r} is too short for the beginning of an id: give {_LEAST_CHARACTERS} characters"
        )
    if len(found) > 1:
        raise InvalidRequest(f"{len(found)} deployments have an id that begins with {beginning!r}: give more")
    return found[0]


async def place_of(client: Client, project: str, environment: str) -> ProjectEnvironment:
    """A project in an environment; raises ``EnvironmentNotFound`` where it never was."""
    for each in (await client.project(project)).environments:
        if each.environment == environment:
            return each
    raise EnvironmentNotFound(f"{project} was never in an environment {environment!r}")
