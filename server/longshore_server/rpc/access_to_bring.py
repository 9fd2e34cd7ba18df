"""What it takes to make live what is there already, or to try once more what was not done to its end.

Whoever may roll back may bring back what was live, and no more; and nobody has done by a retry what he might
not do himself.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from longshore_server.access.permissions import Permission
from longshore_server.deploying.requests import check_uuid, version_key
from longshore_storage.catalogue import Transaction, deployments, releases
from longshore_storage.catalogue.lifecycle import DeploymentKind
from longshore_storage.catalogue.rows import Release

from .access_places import Place, Places, in_request, of_deployment

_IN_REQUEST: Final = in_request()
_RETRIED: Final = of_deployment("retry_of")
_OF_KIND: Final = MappingProxyType(
    {
        DeploymentKind.ROLLBACK: (Permission.DEPLOYMENT_ROLLBACK, "a rollback"),
        DeploymentKind.UNDEPLOY: (Permission.DEPLOYMENT_UNDEPLOY, "an undeploy"),
    }
)
"""What a deployment of a kind takes beside ``deployment.create``, which trying again takes anyway."""


async def of_brought(places: Places, request: Any) -> Place | None:
    """The place to which a request brings a release; see ``_for_the_first_time``."""
    place = await _IN_REQUEST(places, request)
    target = getattr(request, "target_deployment_id", "")
    if place is None or not (target or request.version):
        return place
    project, (environment,) = place.project, place.environments
    assert project is not None
    assert environment is not None

    async def look(transaction: Transaction) -> Place | None:
        if target:
            ident = check_uuid("target_deployment_id", target)
            release = await _release_of(transaction, ident, project, environment)
        else:
            release = await releases.find_release(transaction, project, version_key(request.version))
        return place._replace(also=await _for_the_first_time(transaction, release, environment))

    return await places.read(look)


async def _release_of(
    transaction: Transaction, deployment_id: str, project: str, environment: str
) -> Release | None:
    """What a deployment of that place deployed: of another one nothing is told."""
    found = await deployments.get_deployment(transaction, deployment_id)
    if found is None or (found.project, found.environment) != (project, environment):
        return None
    if found.release_id is None:
        return None
    return await releases.get_release(transaction, found.release_id)


async def _for_the_first_time(
    transaction: Transaction, release: Release | None, environment: str
) -> Mapping[Permission, str]:
    """What it takes to bring a release to where it was never live: a rollback to it is none.

    And where errors in it were let through once, whoever may skip validation in one environment would have
    done so for all.
    """
    if release is None:
        return {}
    if await deployments.last_success(transaction, environment, release.id) is not None:
        return {}
    named = f"{release.project} {release.version}"
    also = {Permission.DEPLOYMENT_CREATE: f"{named} was never live there"}
    if release.validation_skipped:
        also[Permission.VALIDATION_SKIP] = (
            f"{named} has errors that were let through, and was never live there"
        )
    return also


async def of_repeated(places: Places, request: Any) -> Place | None:
    """Where the deployment belongs that a request tries again, with what its call and its skipping took."""
    place = await _RETRIED(places, request)
    if place is None or not request.retry_of:
        return place
    ident = check_uuid("retry_of", request.retry_of)
    found = await places.of_deployment(ident)
    if found is None:
        # A validation, which has gone meanwhile: the call tells.
        return place
    also: dict[Permission, str] = {}
    if found.kind in _OF_KIND:
        permission, what = _OF_KIND[found.kind]
        also[permission] = f"{ident} is {what}"
    if found.skip_tests:
        also[Permission.TESTS_SKIP] = f"{ident} skipped them"

    async def look(transaction: Transaction) -> Place:
        release = await _release_of(transaction, ident, found.project, found.environment)
        taken = await _for_the_first_time(transaction, release, found.environment)
        return place._replace(also={**also, **taken})

    return await places.read(look)
