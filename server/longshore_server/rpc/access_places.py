"""Where a request is about: the project and the environment that its caller needs a permission for.

Names are taken as the use cases take them, so that no spelling of one opens what another keeps shut.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

from longshore_server.access.permissions import Permission
from longshore_server.deploying.requests import (
    DEFAULT_ENVIRONMENT,
    check_environment_name,
    check_place,
    check_project_name,
    check_release_name,
    check_uuid,
    version_key,
)
from longshore_server.refusal import Reason, Refusal, deployment_not_found
from longshore_storage.catalogue import (
    Catalogue,
    Transaction,
    deployments,
    nodes,
    projects,
    releases,
    verifications,
)
from longshore_storage.catalogue.lifecycle import DeploymentKind

_MOST_KEPT: Final = 10_000
_Found = TypeVar("_Found")


class Place(NamedTuple):
    """A project, and the environments in which its permission has to hold: in each, or ``in_one`` of them.

    None stands for any, an empty name for what belongs to none, and so for all. ``hidden`` is the refusal
    that somebody gets who may not even read there: as though it did not exist. ``also`` is what the call
    takes on top because of what it is about, each with the reason. Environments that are not ``named`` by the
    request are not told to whoever may not read there. What is ``answered`` goes on all the same, for the
    call itself leaves out what its caller may not read; only that he tried is written down.
    """

    project: str | None
    environments: Sequence[str | None]
    hidden: Refusal | None = None
    also: Mapping[Permission, str] = MappingProxyType({})
    in_one: bool = False
    named: bool = True
    answered: bool = False


class _Belonging(NamedTuple):
    """Where a deployment belongs, what it does, and what it skipped: all of it for good."""

    project: str
    environment: str
    kind: DeploymentKind
    skip_tests: bool


class Places:
    """Looks up what a request only names by its id."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        # Whoever asks for a deployment asks again: a look-up each time would cost as much as the answer.
        self._deployments: OrderedDict[str, _Belonging] = OrderedDict()

    async def of_deployment(self, ident: str) -> _Belonging | None:
        """Where a deployment belongs; None where there is none."""
        found = await self.of_upload(ident)
        return None if found is None or found.kind is DeploymentKind.VALIDATION else found

    async def of_upload(self, ident: str) -> _Belonging | None:
        """Where a deployment belongs, or an upload that is only validated; None where there is neither."""
        known = self._deployments.get(ident)
        if known is not None:
            return known
        async with self._catalogue.reading() as transaction:
            found = await deployments.get_accepted(transaction, ident)
        if found is None:
            return None
        known = _Belonging(found.project, found.environment, found.kind, found.skip_tests)
        if found.kind is DeploymentKind.VALIDATION:
            # It goes when it has ended, and then the id may be one of another project.
            return known
        self._deployments[ident] = known
        if len(self._deployments) > _MOST_KEPT:
            self._deployments.popitem(last=False)
        return known

    async def read(self, look: Callable[[Transaction], Awaitable[_Found]]) -> _Found:
        """Look in the catalogue."""
        async with self._catalogue.reading() as transaction:
            return await look(transaction)


# None where what is named does not exist, which the call itself tells.
Finder = Callable[[Places, Any], Awaitable[Place | None]]
ANYWHERE: Final = Place(None, (None,))
_EVERYWHERE: Final = Place("", ("",))


async def anywhere(places: Places, request: Any) -> Place | None:
    """The permission must hold somewhere; what is told is cut down to where it does."""
    return ANYWHERE


async def everywhere(places: Places, request: Any) -> Place | None:
    """The permission must hold for all there is."""
    return _EVERYWHERE


def in_request(prefix: str = "") -> Finder:
    """The project and the environment that a request names, in the message of ``prefix``."""
    field = prefix.removesuffix(".")

    async def find(places: Places, request: Any) -> Place | None:
        if field and not request.HasField(field):
            # The call refuses this itself.
            return None
        named = getattr(request, field) if field else request
        project, environment = check_place(prefix, named.project, named.environment or DEFAULT_ENVIRONMENT)
        return Place(project, (environment,))

    return find


async def of_release(places: Places, request: Any) -> Place | None:
    """The project that a request names, in any environment; all of them where it names none."""
    if not request.project:
        return _EVERYWHERE
    return Place(check_project_name("project", request.project), (None,))


async def of_payload(places: Places, request: Any) -> Place | None:
    """One of the environments to which the release was deployed that a request names."""
    place = await of_payload_everywhere(places, request)
    return place and place._replace(in_one=True)


async def of_payload_everywhere(places: Places, request: Any) -> Place | None:
    """Each of these environments: what is done to a release is done to it in all of them."""
    project, version = check_release_name(request.project, request.version)

    async def look(transaction: Transaction) -> Place | None:
        release = await releases.find_release(transaction, project, version_key(version))
        if release is None:
            # Which releases there are is told to everybody who may do anything with the project.
            return Place(project, (None,))
        return Place(project, await releases.environments_of(transaction, release) or ("",), named=False)

    return await places.read(look)


async def of_project_everywhere(places: Places, request: Any) -> Place | None:
    """Each of the environments of the project that a request names; all there are where it names none."""
    if not request.project:
        return _EVERYWHERE
    project = check_project_name("project", request.project)

    async def look(transaction: Transaction) -> Place | None:
        return Place(project, await projects.environments_of(transaction, project) or ("",), named=False)

    return await places.read(look)


async def of_listed(places: Places, request: Any) -> Place | None:
    """A project where one is named, else any project in the environment."""
    return await (of_workflows if request.project else of_environment())(places, request)


async def of_workflows(places: Places, request: Any) -> Place | None:
    """A release's project where a version is named, else where it is live."""
    return await (of_release if getattr(request, "version", "") else _IN_REQUEST)(places, request)


async def of_target(places: Places, request: Any) -> Place | None:
    """The project of a stored release that the first message may name."""
    return await (of_release(places, request.target) if request.target.project else anywhere(places, request))


def of_deployment(field: str = "deployment_id") -> Finder:
    """Where the deployment belongs whose id is in ``field``; anywhere where that is empty."""

    async def find(places: Places, request: Any) -> Place | None:
        if not getattr(request, field):
            return ANYWHERE
        ident = check_uuid(field, getattr(request, field))
        found = await places.of_deployment(ident)
        if found is None:
            # Here and now, as for one that is hidden: the call would find fault with other fields before.
            raise deployment_not_found(ident)
        return Place(found.project, (found.environment,), deployment_not_found(ident))

    return find


async def of_followed(places: Places, request: Any) -> Place | None:
    """Where the deployment belongs that a request follows, which need not be there yet."""
    found = await places.of_deployment(check_uuid("deployment_id", request.deployment_id))
    if found is None:
        return ANYWHERE
    return Place(found.project, (found.environment,), answered=True)


async def of_activations(places: Places, request: Any) -> Place | None:
    """Where the deployment belongs, or the node, of which a request asks for the activations."""
    if request.deployment_id or not request.node_name:
        return await _OF_DEPLOYMENT(places, request)

    async def look(transaction: Transaction) -> Place | None:
        node = await nodes.find_node(transaction, request.node_name)
        return ANYWHERE if node is None else Place(None, (node.environment,), answered=True)

    return await places.read(look)


async def of_upload(places: Places, request: Any) -> Place | None:
    """Where the upload belongs, of a deployment or to be validated only, whose id a request names."""
    ident = check_uuid("deployment_id", request.deployment_id)
    found = await places.of_upload(ident)
    if found is None:
        raise deployment_not_found(ident)
    return Place(found.project, (found.environment,), deployment_not_found(ident))


async def of_node(places: Places, request: Any) -> Place | None:
    """All projects in a node's environment: a node has what it has of each.

    That there is no such node is told to whoever may do this with all there are.
    """
    hidden = Refusal(
        Reason.PERMISSION_DENIED,
        f"this takes the permission {Permission.CLUSTER_ADMIN} for all projects in the node's environment, "
        "or there is no such node: `longshore nodes` lists those that you may see",
        metadata={"permission": Permission.CLUSTER_ADMIN},
    )

    async def look(transaction: Transaction) -> Place | None:
        node = await nodes.find_node(transaction, request.node_name)
        place = _EVERYWHERE if node is None else Place("", (node.environment,))
        # Named, it would be written down where the node is there, once a minute, which takes its time.
        return place._replace(hidden=hidden, named=False)

    return await places.read(look)


async def of_nodes(places: Places, request: Any) -> Place | None:
    """Any project in the environment that a request names; all of them where it names none."""
    if not request.environment:
        return Place(None, ("",))
    return Place(None, (check_environment_name("environment", request.environment),))


def of_environment(field: str = "", *, project: str | None = None) -> Finder:
    """The environment that a request names, in the message ``field``: any project there, or all of them."""

    async def find(places: Places, request: Any) -> Place | None:
        named = getattr(request, field) if field else request
        prefix = f"{field}." if field else ""
        return Place(project, (check_environment_name(f"{prefix}environment", named.environment),))

    return find


async def of_verification(places: Places, request: Any) -> Place | None:
    """Where a verification is of."""
    ident = check_uuid("verification_id", request.verification_id)

    hidden = Refusal(
        Reason.VERIFICATION_NOT_FOUND, f"there is no verification {ident}: they are kept for a day"
    )

    async def look(transaction: Transaction) -> Place | None:
        found = await verifications.get_verification(transaction, ident)
        if found is None:
            raise hidden
        return Place(found.project, (found.environment,), hidden)

    return await places.read(look)


_IN_REQUEST: Final = in_request()
_OF_DEPLOYMENT: Final = of_deployment()
