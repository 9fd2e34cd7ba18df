"""What watchers read from SQL: a few at a time, and once where many ask for the same at once.

A watcher may have the page that was read for another: what has changed since a version of its own that is not
newer than the page's is told to it in any case.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Hashable
from typing import Final, NamedTuple

from longshore_server.access.turns import Turns
from longshore_server.views import views
from longshore_storage.catalogue import Catalogue, deployments
from longshore_storage.catalogue.listing import DeploymentFilter, list_deployments
from longshore_storage.catalogue.rows import Deployment
from longshore_storage.catalogue.scopes import covers

from .changes import Changes, EncodeDeployments

# What no event tells of is as old as the page.
_KEPT_S: Final = 1.0
_MOST_KEPT: Final = 32


class Page(NamedTuple):
    """Deployments, serialised; ``below`` is the lowest of their numbers, None where no page comes behind."""

    data: bytes
    below: int | None


class _Kept(NamedTuple):
    page: Page
    version: int
    read_at: float


class Pages:
    """Reads while it has one of the ``readers``, which others read by too.

    Lists of one principal's watchers take one of them at a time, so that they leave the other to who follows.
    """

    def __init__(self, catalogue: Catalogue, encode: EncodeDeployments, readers: asyncio.Semaphore) -> None:
        self._catalogue = catalogue
        self._encode = encode
        self._readers = readers
        self._turns = Turns(1)
        self._kept: dict[Hashable, _Kept] = {}

    def clear(self) -> None:
        """Keep nothing."""
        self._kept.clear()

    async def newest(
        self, changes: Changes, asked: DeploymentFilter, *, version: int, below: int | None, limit: int
    ) -> Page:
        """The newest that match below a number, as they are at ``version`` of the changes or later."""
        key = (_key(asked), below, limit)
        clock = asyncio.get_running_loop().time
        async with self._turns.one(), self._readers:
            kept = self._kept.get(key)
            if kept is not None and kept.version >= version and clock() < kept.read_at + _KEPT_S:
                return kept.page
            read_at, read_version = clock(), changes.version
            async with self._catalogue.reading() as transaction:
                found = await list_deployments(transaction, asked, below=below, limit=limit)
                seen = await views(transaction, found)
            page = Page(self._encode(seen, False), found[-1].number if len(found) == limit else None)
        self._kept.pop(key, None)
        self._kept[key] = _Kept(page, read_version, read_at)
        if len(self._kept) > _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        return page

    async def of(self, deployment_ids: Collection[str], asked: DeploymentFilter) -> bytes:
        """Those of these deployments that match."""
        if not deployment_ids:
            return b""
        async with self._readers, self._catalogue.reading() as transaction:
            found = await deployments.get_deployments(transaction, deployment_ids)
            seen = await views(transaction, [one for one in found if matches(one, asked)])
        return self._encode(seen, False)


def matches(deployment: Deployment, asked: DeploymentFilter) -> bool:
    """Whether a deployment is as a watcher asked; watchers ask for no times."""
    equal = (
        (asked.project, deployment.project),
        (asked.environment, deployment.environment),
        (asked.version, deployment.version),
        (asked.deployed_by, deployment.deployed_by),
    )
    return (
        all(not wanted or wanted == found for wanted, found in equal)
        and covers(asked.scopes, deployment.project, deployment.environment)
        and (not asked.statuses or deployment.status in asked.statuses)
        and asked.labels.items() <= deployment.labels.items()
    )


def _key(asked: DeploymentFilter) -> Hashable:
    return (
        asked.project,
        asked.environment,
        tuple(sorted(asked.statuses)),
        asked.version,
        asked.deployed_by,
        tuple(sorted(asked.labels.items())),
        tuple(asked.scopes),
    )
