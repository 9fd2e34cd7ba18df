"""The tests that a release brings along, run on this node before it goes live, where the settings say so.

They run in a copy of the installed tree, because tests write: caches, reports, compiled files. Whatever they
do there, what goes live afterwards is the release; that they left it alone is looked at all the same, because
they may know where it stands. What they put out is told as that of a hook before the switch.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from longshore_server.disk import (
    DataFolder,
    InstalledTree,
    InstalledTrees,
    LiveLinks,
    copy_tree,
    make_room,
    recorded_size_bytes,
)
from longshore_server.hooks import BundleTestSettings, SwitchFacts, hook_environment, run_command
from longshore_server.unbroken import in_executor, in_thread
from longshore_storage.catalogue import Catalogue
from longshore_storage.catalogue.demands import Demands, has_passed
from longshore_storage.catalogue.hook_outputs import HookKind
from longshore_storage.catalogue.rows import Assignment

from .hook_log import HookLog, open_log
from .hook_running import last_line
from .reporting import STILL_HERE_WITH_HOOKS_S, ActivationRefused, Reports

_log = structlog.get_logger(__name__)

_OF_A_SKILL: Final = "test.sh"
_ROOM_FACTOR: Final = 1.1
_ROOM_EXTRA_BYTES: Final = 16 << 20


class BundleTests:
    """Runs the tests of one node's releases; ``threads`` are those that build trees."""

    def __init__(
        self,
        catalogue: Catalogue,
        reports: Reports,
        folder: DataFolder,
        threads: Executor,
        settings: BundleTestSettings,
        node_name: str,
    ) -> None:
        self._catalogue = catalogue
        self._reports = reports
        self._folder = folder
        self._trees = InstalledTrees(folder)
        self._links = LiveLinks(folder)
        self._threads = threads
        self._settings = settings
        self._node_name = node_name

    async def run(self, assignment: Assignment, demands: Demands, tree: InstalledTree) -> None:
        """Run the tests of ``tree``, which is not live yet.

        Not where there are none, nor where it is gone back to, nor where they passed under this deployment
        already. Raises ``ActivationRefused``, ``Superseded``, ``DiskError`` and ``OSError``.
        """
        if not self._settings.run or demands.skip_tests or demands.is_rollback or demands.is_way_back:
            return
        command = _command(demands, tree.path)
        if not command:
            return
        title = f"tests of {tree.project} {tree.version}"
        async with self._catalogue.reading() as transaction:
            if await has_passed(transaction, assignment, title):
                return
        async with (
            self._reports.while_working(assignment, still_here_s=STILL_HERE_WITH_HOOKS_S),
            open_log(self._catalogue, self._reports, assignment, self._node_name) as log,
            self._copied(tree) as copy,
        ):
            failure = await self._run(command, title, await self._facts(assignment, tree, copy), log)
            await log.finish()
        if not failure and not await in_thread(self._trees.check, tree):
            failure = f"the {title} changed the installed tree"
        if failure:
            raise ActivationRefused(f"{failure}; nothing was switched")

    async def _run(self, command: tuple[str, ...], title: str, facts: SwitchFacts, log: HookLog) -> str:
        assert facts.tree is not None
        with log.running(title, HookKind.BEFORE_SWITCH) as record:
            end = await run_command(
                command,
                hook_environment(facts, {}),
                timeout_s=self._settings.timeout_s,
                output=record.output,
                folder=facts.tree,
            )
            record.end(end.how, end.exit_code)
        _log.info("tests.ended", how=end.how)
        return "" if end.well else f"the {title} {end.how}{last_line(record.output)}"

    async def _facts(self, assignment: Assignment, tree: InstalledTree, copy: Path) -> SwitchFacts:
        live = await in_thread(self._links.live, assignment.project)
        return SwitchFacts(
            project=assignment.project,
            environment=assignment.environment,
            deployment_id=assignment.deployment_id,
            version=tree.version,
            tree=copy,
            live=self._folder.live / assignment.project,
            previous_tree=live.target,
        )

    @asynccontextmanager
    async def _copied(self, tree: InstalledTree) -> AsyncIterator[Path]:
        copy = self._folder.unused_staging_path(f"{tree.project}@{tree.version}-tests")
        try:
            await in_executor(self._threads, self._copy, tree, copy)
            yield copy
        finally:
            try:
                await in_executor(self._threads, self._folder.discard_staging, copy)
            except OSError as error:
                # Something that left the group still writes there: it goes at the next start.
                _log.warning("tests.copy_stays", path=str(copy), error=str(error))

    def _copy(self, tree: InstalledTree, copy: Path) -> None:
        needed = int(recorded_size_bytes(tree.record_path) * _ROOM_FACTOR) + _ROOM_EXTRA_BYTES
        what = f"the tests of {tree.project} {tree.version}"
        make_room(self._folder, self._trees, self._links, needed, project=tree.project, what=what)
        copy_tree(tree.path, copy)


def _command(demands: Demands, root: Path) -> tuple[str, ...]:
    """What runs a release's tests, in its tree; empty where it has none."""
    if demands.kind == "SKILL":
        script = root / _OF_A_SKILL
        return (f"./{_OF_A_SKILL}",) if script.is_file() and os.access(script, os.X_OK) else ()
    return tuple(demands.manifest.get("tests") or ())
