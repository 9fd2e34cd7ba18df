"""Looks at every node's disk and at the rows of what is live, past every proxy, and notes what changed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from longshore_storage.catalogue import Catalogue, open_catalogue, tables
from longshore_storage.errors import StorageError
from tests.cluster.history.records import IntentSeen, PlaceSeen, Record, TreeSeen, TroubleSeen

from .bundles import content_of
from .nodes import Node, version_of
from .recording import Recorder
from .world import PROJECTS, World

_EVERY_S: Final = 0.4
_ROLLING: Final = ("ROLLING_OUT", "PAUSED", "REVERTING")
MISSING: Final = "missing"

_d, _e, _r = tables.deployment, tables.project_environment, tables.release


class Observer:
    """Runs until cancelled; ``look`` is one look at everything."""

    def __init__(self, world: World, recorder: Recorder) -> None:
        self._world = world
        self._recorder = recorder
        self._last: dict[tuple[Any, ...], dict[str, Any]] = {}

    async def run(self) -> None:
        """Look again and again."""
        catalogue = open_catalogue(self._world.database_url)
        try:
            while True:
                await self.look(catalogue)
                await asyncio.sleep(_EVERY_S)
        finally:
            await catalogue.close()

    async def look(self, catalogue: Catalogue) -> None:
        for node in self._world.nodes:
            await self._look_at_node(node)
        try:
            await self._look_at_places(catalogue)
        except StorageError:
            return

    async def _look_at_node(self, node: Node) -> None:
        if what := node.ended_by_itself():
            self._note(TroubleSeen, ("node",), node=node.name, what=what)
        where = {"node": node.name, "environment": node.environment}
        for project, (generation, version) in (await asyncio.to_thread(node.intents)).items():
            self._note(
                IntentSeen,
                ("node", "project"),
                **where,
                project=project,
                generation=generation,
                version=version,
            )
        for project in PROJECTS:
            tree, content = await asyncio.to_thread(_served, node, project)
            if tree is not None:
                self._note(
                    TreeSeen,
                    ("node", "project"),
                    **where,
                    project=project,
                    version=version_of(tree),
                    content=content,
                )

    async def _look_at_places(self, catalogue: Catalogue) -> None:
        async with catalogue.reading() as transaction:
            rolling = await transaction.all(
                select(_d.c.project, _d.c.environment, _d.c.id).where(_d.c.status.in_(_ROLLING))
            )
            live = await transaction.all(
                select(_e, _r.c.version).outerjoin(_r, _r.c.id == _e.c.live_release_id)
            )
        at: dict[tuple[str, str], list[str]] = defaultdict(list)
        for row in rolling:
            at[row.project, row.environment].append(row.id)
        for row in live:
            self._note(
                PlaceSeen,
                ("project", "environment"),
                project=row.project,
                environment=row.environment,
                generation=row.live_generation,
                deployment_id=row.live_deployment_id or "",
                version=row.version or "",
                rolling=tuple(sorted(at[row.project, row.environment])),
            )

    def _note(self, kind: type[Record], key: tuple[str, ...], **fields: Any) -> None:
        """Write it down unless it is as it was at the last look."""
        place = (kind, *(fields[name] for name in key))
        if self._last.get(place) != fields:
            self._last[place] = fields
            self._recorder.add(kind, **fields)


def _served(node: Node, project: str) -> tuple[Path | None, str]:
    """The live tree and its digest, as they were at one moment; no tree while that cannot be told."""
    tree = node.live_tree(project)
    if tree is None:
        return None, ""
    try:
        content = content_of(tree)
    except FileNotFoundError:
        content = MISSING
    # One that went live meanwhile may have taken the other's place while it was read.
    return (tree, content) if node.live_tree(project) == tree else (None, "")
