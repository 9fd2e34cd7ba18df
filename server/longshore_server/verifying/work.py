"""A node's share of verifications: looking for what it is to compare, comparing, having it built again.

Building again is no other work than making live: the bad tree is taken out of what is found, and the
assignment that the node has obeyed is due once more. So hooks and checks come around that switch as around
any, a crash at any moment is gone on from, and no rollout is met half-way: while one is under way, nothing is
begun again. What is not done yet stays PENDING, and is looked at again.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from time import monotonic
from typing import Any, Final

import structlog

from longshore_bundles import case_folded
from longshore_server.agent import PASSING, NodeAgent
from longshore_server.disk import DataFolder, DiskError, InstalledTrees, LiveLinks
from longshore_server.identity import Identity
from longshore_server.translation import refusal_of
from longshore_server.unbroken import in_thread
from longshore_server.wakeups import Kind, Wakeups, woken
from longshore_storage.catalogue import Catalogue, Transaction, releases, verifications
from longshore_storage.catalogue.activations import Place
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.lifecycle import ActivationStatus
from longshore_storage.catalogue.rows import Actor, Release
from longshore_storage.catalogue.verifications import (
    Assigned,
    NodeVerification,
    Verification,
    VerificationStatus,
)
from longshore_storage.errors import StorageError

from .comparing import Comparing, Found, Incomparable

_log = structlog.get_logger(__name__)

# Nodes are many, and a signal that is lost may be made up for late.
_POLLS_A_LOOK: Final = 6
_FIRST_PAUSE_S: Final = 0.5
_DROP_EVERY_S: Final = 3600.0
_LONGEST_MESSAGE: Final = 1000
_WAITS: Final = "it differs, and is built again when the rollout that is under way has ended"


class Verifying:
    """Runs until cancelled; ``threads`` are for reading trees."""

    def __init__(
        self,
        catalogue: Catalogue,
        wakeups: Wakeups,
        folder: DataFolder,
        identity: Identity,
        agent: NodeAgent,
        threads: Executor,
        *,
        poll_s: float,
    ) -> None:
        self._catalogue = catalogue
        self._wakeups = wakeups
        self._identity = identity
        self._actor = Actor(f"node:{identity.name}")
        self._trees = InstalledTrees(folder)
        self._links = LiveLinks(folder)
        self._comparing = Comparing(folder, threads, agent.build)
        self._poll_s = poll_s
        self._pause_s = _FIRST_PAUSE_S
        self._woken = asyncio.Event()
        self._drop_at = monotonic()

    async def run(self) -> None:
        """Look for what is asked of this node, again and again."""
        async with self._wakeups.listening(Kind.VERIFICATIONS, self._wake):
            while True:
                self._woken.clear()
                all_done = False
                try:
                    all_done = await self._look()
                except StorageError as error:
                    _log.warning("verifications.unseen", error=str(error))
                await self._rest(all_done=all_done)

    async def _rest(self, *, all_done: bool) -> None:
        """Wait for a signal: long, or where something has to wait shortly, and then ever longer."""
        pause_s = self._poll_s * _POLLS_A_LOOK if all_done else min(self._pause_s, self._poll_s)
        was_woken = await woken(self._woken, pause_s)
        self._pause_s = _FIRST_PAUSE_S if was_woken or all_done else 2 * pause_s

    def _wake(self, ident: str) -> None:
        if ident in ("", self._identity.environment):
            self._woken.set()

    async def _look(self) -> bool:
        """See to everything that is asked; False where something has to wait."""
        if monotonic() >= self._drop_at:
            async with self._catalogue.transaction() as transaction:
                await verifications.drop_old(transaction)
            self._drop_at = monotonic() + _DROP_EVERY_S
        async with self._catalogue.reading() as transaction:
            due = await verifications.pending_of(transaction, self._identity.node_id)
        done = [await self._see_to(asked, own) for asked, own in due]
        return all(done)

    async def _see_to(self, asked: Verification, own: NodeVerification) -> bool:
        """Compare, and tell or have it built again; False where that has to wait."""
        try:
            return await self._compare(asked, own)
        except PASSING as error:
            _log.warning("verification.waits", error=str(error))
            return False
        except (Incomparable, DiskError) as error:
            message = str(error)
        except Exception as error:
            refusal = refusal_of(error)
            if refusal is None and not isinstance(error, OSError):
                _log.exception("verification.failed")
                message = f"a fault of the node's own ({type(error).__name__}); its log tells more"
            else:
                message = str(refusal or error)
        return await self._end(own, VerificationStatus.FAILED, message=message)

    async def _compare(self, asked: Verification, own: NodeVerification) -> bool:
        async with self._catalogue.reading() as transaction:
            assigned = await self._assigned(transaction, asked)
            if assigned is not None and assigned.is_open:
                return False
            if own.message == _WAITS and await verifications.is_rolling(
                transaction, asked.project, asked.environment
            ):
                return False
            release = await self._expected(transaction, asked, assigned)
        if assigned is not None and assigned.status is ActivationStatus.FAILED and own.repair_generation:
            return await self._end(own, VerificationStatus.FAILED, message=assigned.message)
        found = await self._comparing.compare(asked.project, release)
        async with self._catalogue.reading() as transaction:
            if await self._assigned(transaction, asked) != assigned:
                return False
        values = {
            "version": release.version if release else "",
            "compared_entries": found.compared.compared_entries,
        }
        if found.is_intact:
            status = VerificationStatus.REPAIRED if own.repair_generation else VerificationStatus.INTACT
            return await self._end(own, status, message="", **values)
        values |= _differences(found)
        if not asked.repair:
            return await self._end(own, VerificationStatus.DIFFERS, message=found.message, **values)
        return await self._repair(asked, own, assigned, found, values)

    async def _repair(
        self,
        asked: Verification,
        own: NodeVerification,
        assigned: Assigned | None,
        found: Found,
        values: dict[str, Any],
    ) -> bool:
        """Have it built again, or say why not; False while that has to be waited for."""
        if assigned is None:
            message = f"{found.message}; nothing of it is assigned to this node, so nothing is built again"
            return await self._end(own, VerificationStatus.FAILED, message=message, **values)
        if assigned.status is ActivationStatus.FAILED:
            message = f"what this node is assigned failed here, so mend that first: {assigned.message}"
            return await self._end(own, VerificationStatus.FAILED, message=message, **values)
        if own.repair_generation == assigned.generation:
            message = f"it was built again, and differs still. {found.message}".strip()
            return await self._end(own, VerificationStatus.FAILED, message=message, **values)
        if found.damaged is not None:
            # Before the agent looks for a tree that it need not build.
            await in_thread(self._trees.distrust, found.damaged)
        async with self._catalogue.transaction() as transaction:
            place = Place(own.node_id, asked.environment, asked.project, assigned.generation)
            if not await verifications.begin_again(transaction, place):
                await verifications.tell(transaction, own, message=_WAITS, **values)
                return False
            await verifications.tell(
                transaction, own, message=found.message, repair_generation=assigned.generation, **values
            )
            await record_audit(
                transaction,
                self._actor,
                "node.repaired",
                project=asked.project,
                environment=asked.environment,
                version=values["version"],
                from_status="DIFFERS",
                to_status="REPAIRED",
                message=f"{own.node_name}: {_summary(found)}; {asked.asked_by} asked to repair it",
            )
        self._wakeups.send(Kind.ASSIGNMENTS, asked.environment)
        return False

    async def _assigned(self, transaction: Transaction, asked: Verification) -> Assigned | None:
        return await verifications.assigned_to(
            transaction, self._identity.node_id, asked.environment, asked.project
        )

    async def _expected(
        self, transaction: Transaction, asked: Verification, assigned: Assigned | None
    ) -> Release | None:
        """The release that should be live here: what is assigned, or where that failed what stayed."""
        if assigned is None:
            return None
        if assigned.status is not ActivationStatus.FAILED:
            return (
                await releases.get_release(transaction, assigned.release_id) if assigned.release_id else None
            )
        intent = await in_thread(self._links.intent, asked.project)
        if intent is None or intent.version is None:
            return None
        return await releases.find_release(transaction, asked.project, case_folded(intent.version))

    async def _end(
        self, own: NodeVerification, status: VerificationStatus, *, message: str, **values: Any
    ) -> bool:
        async with self._catalogue.transaction() as transaction:
            values |= {"message": message[:_LONGEST_MESSAGE], "end_time": await transaction.now()}
            await verifications.tell(transaction, own, status=status, **values)
        _log.info("verification.ended", verification_id=own.verification_id, status=status, message=message)
        return True


def _differences(found: Found) -> dict[str, Any]:
    """The columns that tell what differs."""
    compared = found.compared
    return {
        "differences": [[one.path, one.kind.value] for one in compared.differences],
        "total_differences": compared.total_differences,
    }


def _summary(found: Found) -> str:
    return found.message or f"{found.compared.total_differences} entries were not as in its release"
