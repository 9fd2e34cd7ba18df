"""A node's row: registered at the start, refreshed while it runs, and obeyed.

People decide about a node in its row, on whichever node they ask; the node looks at it when a signal comes,
and now and then. A start that another one has outrun, from a copy of the data folder, ends here, and so does
one that can no longer work with the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from longshore_storage.catalogue import Catalogue, Transaction, nodes
from longshore_storage.catalogue.rows import Node
from longshore_storage.errors import Misconfigured, StorageError
from longshore_storage.ports import Coordination

from . import __version__
from .disk import DataFolder
from .draining import Draining
from .identity import Identity
from .settings import Settings
from .wakeups import Kind, Wakeups, woken

_log = structlog.get_logger(__name__)

SCHEMA: Final = "schema"
"""The attribute with which a node tells others which schema it knows."""

_REPORT_EVERY_S = 30.0
# While it is drained: what it still has to do becomes less, and who else could drive rollouts comes and goes.
_COUNT_EVERY_S: Final = 0.5
_LOOK_FOR_OTHERS_EVERY_S: Final = 5.0
_AGAIN_AFTER_S: Final = 1.0


async def boot(settings: Settings, catalogue: Catalogue, folder: DataFolder) -> Node:
    """Register a node that starts; raises ``Misconfigured`` for a name or data folder used twice."""
    async with catalogue.reading() as transaction:
        boot_number = await nodes.next_boot(transaction, folder.node_id, last=folder.last_boot)
    folder.write_boot(boot_number)
    async with catalogue.transaction() as transaction:
        return await nodes.boot(
            transaction,
            folder.node_id,
            boot_number,
            name=settings.node.name,
            environment=settings.node.environment,
            roles=sorted(settings.node.roles),
            labels=settings.node.labels,
            address=settings.listen,
            server_version=__version__,
            free_disk_bytes=folder.free_bytes(),
        )


class Registration:
    """Runs until cancelled; see the module. ``uploads`` and ``rollouts`` count what is under way here."""

    def __init__(
        self,
        catalogue: Catalogue,
        coordination: Coordination,
        wakeups: Wakeups,
        folder: DataFolder,
        identity: Identity,
        draining: Draining,
        *,
        address: str,
        uploads: Callable[[], int],
        rollouts: Callable[[], int],
    ) -> None:
        self._catalogue = catalogue
        self._coordination = coordination
        self._wakeups = wakeups
        self._folder = folder
        self._identity = identity
        self._draining = draining
        self._address = address
        self._uploads = uploads
        self._rollouts = rollouts
        self._look = asyncio.Event()
        # Whether it is drained, and what was under way, as the row tells.
        self._told: tuple[bool, tuple[int, int]] | None = None

    async def run(self) -> None:
        """Report and obey, again and again; raises ``Misconfigured`` when the row is another start's."""
        async with self._wakeups.listening(Kind.NODES, self._wake):
            while True:
                self._look.clear()
                try:
                    await self._check_schema()
                    await self._report()
                    await self._until_due()
                except StorageError as error:
                    if isinstance(error, Misconfigured):
                        raise
                    _log.warning("node.unreported", error=str(error))
                    await woken(self._look, _AGAIN_AFTER_S)

    async def _check_schema(self) -> None:
        """Somebody may have taken away by force what this version needs."""
        try:
            await self._catalogue.check()
        except Misconfigured as error:
            _log.error("node.shut_out", reason=str(error))
            raise

    def _wake(self, ident: str) -> None:
        if ident in ("", self._identity.node_id):
            self._look.set()

    async def _report(self) -> None:
        async with self._catalogue.transaction() as transaction:
            row, told = await self._write(transaction)
            if row is not None and row.draining and not self._draining.is_drained:
                # What others read of a drain is counted when nothing new is taken any more.
                self._draining.obey(drained=True, others_drive=False)
                _log.info("node.drained", reason=row.cordon_reason)
                row, told = await self._write(transaction)
        if row is None:
            await self._end()
        else:
            if self._draining.is_drained and not row.draining:
                _log.info("node.undrained")
            others_drive = row.draining and await self._others_drive()
            self._draining.obey(drained=row.draining, others_drive=others_drive)
            # Others see it come, one from another copy of its folder, too; and a drain is waited for.
            if (row.draining, told) != self._told and (row.draining or self._told is None):
                self._wakeups.send(Kind.NODES, self._identity.node_id)
            self._told = row.draining, told

    async def _write(self, transaction: Transaction) -> tuple[Node | None, tuple[int, int]]:
        told = (self._uploads(), self._rollouts())
        row = await nodes.report(
            transaction,
            self._identity.node_id,
            self._identity.boot_number,
            free_disk_bytes=self._folder.free_bytes(),
            address=self._address,
            upload_count=told[0],
            rollout_count=told[1],
        )
        return row, told

    async def _until_due(self) -> None:
        """Return when it is time to report, or a signal came, or what a drain waits for has changed."""
        clock = asyncio.get_running_loop().time
        due_at = clock() + _REPORT_EVERY_S
        others_due_at = clock() + _LOOK_FOR_OTHERS_EVERY_S
        while clock() < due_at:
            if await woken(self._look, _COUNT_EVERY_S if self._draining.is_drained else due_at - clock()):
                return
            if not self._draining.is_drained:
                continue
            if (True, (self._uploads(), self._rollouts())) != self._told:
                return
            if clock() >= others_due_at:
                others_due_at = clock() + _LOOK_FOR_OTHERS_EVERY_S
                self._draining.obey(drained=True, others_drive=await self._others_drive())

    async def _others_drive(self) -> bool:
        """Whether another node drives rollouts: without one nobody would end those of this one."""
        try:
            members = await self._coordination.members()
        except StorageError:
            return False
        alive = {member.node_id for member in members} - {self._identity.node_id}
        if not alive:
            return False
        async with self._catalogue.reading() as transaction:
            known = await nodes.all_nodes(transaction)
        return any(one.id in alive and "control" in one.roles and not one.draining for one in known)

    async def _end(self) -> None:
        async with self._catalogue.reading() as transaction:
            row = await nodes.get_node(transaction, self._identity.node_id)
        if row is None:
            reason = f"node {self._identity.name} was taken off the list while it ran: start it again"
        else:
            reason = (
                f"node {self._identity.name} was started a second time elsewhere, at {row.address}: two data "
                "folders have the same node.json, remove it from the copy"
            )
        _log.error("node.outrun", reason=reason, boot=self._identity.boot_number)
        raise Misconfigured(reason)
