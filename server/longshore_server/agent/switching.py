"""Switching a project to what is assigned, with everything that the node's settings run around it.

Before the link is swapped the intent says what was live and is on trial from then on. When what comes after
the switch fails, the same generation makes live again what was, starts that again, and only then the
failure is reported. So after a crash at any moment intent and activation tell how to go on: with the trial,
or with the way back. What has run already may then be run once more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import structlog

from longshore_server.disk import (
    NOTHING,
    DataFolder,
    DiskError,
    Intent,
    LiveLinks,
    LiveTree,
    StaleGeneration,
    Trial,
)
from longshore_server.hooks import ProjectHooks, SwitchFacts
from longshore_server.unbroken import in_thread
from longshore_storage.catalogue import Catalogue, activations
from longshore_storage.catalogue.lifecycle import ActivationStatus
from longshore_storage.catalogue.rows import Assignment

from .hook_log import HookLog, open_log
from .hook_running import HookRunning
from .patience import patiently
from .reporting import STILL_HERE_WITH_HOOKS_S, Reports

_log = structlog.get_logger(__name__)

_PROVED: Final = (ActivationStatus.LIVE, ActivationStatus.REMOVED)


class Switching:
    """Switches the projects of one node, one assignment of each at a time."""

    def __init__(
        self,
        catalogue: Catalogue,
        reports: Reports,
        folder: DataFolder,
        links: LiveLinks,
        hooks_of: Callable[[str], ProjectHooks],
        node_name: str,
    ) -> None:
        self._catalogue = catalogue
        self._reports = reports
        self._folder = folder
        self._links = links
        self._hooks_of = hooks_of
        self._node_name = node_name

    async def finish_taking_back(self, assignment: Assignment) -> bool:
        """Go on where a crash broke off taking back what is assigned; False where it broke off nothing."""
        own = await in_thread(self._links.intent, assignment.project)
        if own is None or own.generation != assignment.generation:
            return False
        if own.trial is None or not own.trial.failure:
            return False
        async with self._working(assignment) as log:
            await self._start_again(assignment, log, own.trial, failed=NOTHING)
        return True

    async def make_live(self, assignment: Assignment, goal: LiveTree, moved: Mapping[str, int]) -> bool:
        """Make ``goal`` live and report it; False when that failed, was reported, and what was live is so.

        ``moved`` are the activation's last columns about bytes, which go with the next report.
        Raises ``Superseded``, ``DiskError`` and ``OSError``, and what stores raise.
        """
        project = assignment.project
        own, linked = await in_thread(self._stands, project)
        if own is not None and own.generation > assignment.generation:
            raise StaleGeneration(project, own=own.generation, asked=assignment.generation)
        previous, proved = await self._last_proved(assignment, own, linked)
        is_tried = bool(self._hooks_of(project)) and not (proved and previous == linked == goal)
        if not is_tried:
            await self._reports.begin_switch(assignment, **moved)
            await self._point(assignment, goal, None)
        else:
            await self._reports.moved(assignment, **moved)
            async with self._working(assignment) as log:
                resumed = (
                    own is not None
                    and (own.generation, own.tree) == (assignment.generation, goal)
                    and (own.trial is not None and linked == goal)
                )
                if not await self._try(assignment, log, goal, previous, linked, resumed=resumed):
                    return False
        await self._reports.live(assignment, str(goal.target or ""))
        if is_tried:
            await self._settle(assignment)
        return True

    def _stands(self, project: str) -> tuple[Intent | None, LiveTree]:
        """What was last written down for a project, and what is live."""
        return self._links.intent(project), self._links.live(project)

    async def _try(
        self,
        assignment: Assignment,
        log: HookLog,
        goal: LiveTree,
        previous: LiveTree,
        linked: LiveTree,
        *,
        resumed: bool,
    ) -> bool:
        """Switch, with all hooks and checks; ``resumed`` goes on behind a switch that an earlier try made."""
        running = HookRunning(self._hooks_of(assignment.project), log)
        facts = self._facts(assignment, goal, previous if resumed else linked)
        if not resumed and (failure := await running.before(facts)):
            await self._fail(assignment, log, f"{failure}; nothing was switched")
            return False
        await self._reports.begin_switch(assignment)
        if not resumed:
            await self._point(assignment, goal, Trial(previous))
        try:
            failure = await running.after(facts)
        except OSError as error:
            # Nothing more can be started here; what is live was not proved, so it goes back all the same.
            failure = f"a command could not be started: {error}"
        if failure:
            await self._take_back(assignment, log, goal, Trial(previous, failure))
            return False
        await log.finish()
        return True

    async def _take_back(self, assignment: Assignment, log: HookLog, goal: LiveTree, trial: Trial) -> None:
        """Make live again what was, under the same generation, and report the failure.

        The database is not asked: a newer assignment is obeyed after this one, and what does not work must
        not wait for it.
        """
        previous = trial.previous
        _log.warning("activation.taking_back", error=trial.failure, version=str(previous))
        if previous == goal:
            await self._fail(assignment, log, f"{trial.failure}; there is nothing else to go back to")
            return
        try:
            await self._point(assignment, previous, trial)
        except (DiskError, OSError) as error:
            stuck = f"{previous} could not be made live again, so {goal} stays: {error}"
            await self._fail(assignment, log, f"{trial.failure}; {stuck}")
            return
        await self._start_again(assignment, log, trial, failed=goal)

    async def _start_again(
        self, assignment: Assignment, log: HookLog, trial: Trial, *, failed: LiveTree
    ) -> None:
        running = HookRunning(self._hooks_of(assignment.project), log)
        failures = await running.again(self._facts(assignment, trial.previous, failed))
        back = f"{trial.previous} is live again" if trial.previous != NOTHING else "it was taken off again"
        but = f", but {failures}" if failures else ""
        await self._fail(assignment, log, f"{trial.failure}; {back}{but}")
        if not failures:
            await self._settle(assignment)

    async def _fail(self, assignment: Assignment, log: HookLog, message: str) -> None:
        await log.finish()
        async for attempt in patiently():
            with attempt:
                await self._reports.failed(assignment, message)

    async def _last_proved(
        self, assignment: Assignment, own: Intent | None, linked: LiveTree
    ) -> tuple[LiveTree, bool]:
        """What was live and well last, and whether that is what the intent says."""
        if own is None:
            return linked, True
        if own.trial is None:
            return own.tree, True
        place = activations.place_of(assignment)._replace(generation=own.generation)
        async with self._catalogue.reading() as transaction:
            activation = await activations.get_activation(transaction, place)
        # A crash may have come between the report and the end of the trial.
        if not own.trial.failure and (activation is None or activation.status in _PROVED):
            return own.tree, True
        return own.trial.previous, False

    async def _point(self, assignment: Assignment, tree: LiveTree, trial: Trial | None) -> None:
        await in_thread(
            self._links.switch,
            assignment.project,
            generation=assignment.generation,
            version=tree.version,
            target=tree.target,
            deployment_id=assignment.deployment_id or None,
            trial=trial,
        )

    async def _settle(self, assignment: Assignment) -> None:
        try:
            await in_thread(self._links.settle, assignment.project, assignment.generation)
        except (DiskError, OSError) as error:
            # The next assignment learns from the activation what came of the trial.
            _log.warning("intent.unsettled", project=assignment.project, error=str(error))

    def _facts(self, assignment: Assignment, tree: LiveTree, before: LiveTree) -> SwitchFacts:
        return SwitchFacts(
            project=assignment.project,
            environment=assignment.environment,
            deployment_id=assignment.deployment_id,
            version=tree.version,
            tree=tree.target,
            live=self._folder.live / assignment.project,
            previous_tree=before.target,
        )

    @asynccontextmanager
    async def _working(self, assignment: Assignment) -> AsyncIterator[HookLog]:
        async with (
            self._reports.while_working(assignment, still_here_s=STILL_HERE_WITH_HOOKS_S),
            open_log(self._catalogue, self._reports, assignment, self._node_name) as log,
        ):
            yield log
