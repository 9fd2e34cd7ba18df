"""Pins: releases whose payload is kept whatever retention says."""

from __future__ import annotations

from longshore_server.refusal import Reason, Refusal, invalid
from longshore_storage.catalogue import Catalogue, Transaction, projects, releases
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.rows import Actor, Release
from longshore_storage.errors import CommitUnknown

from .queueing import check_payload_present, find_release

_LONGEST_REASON_BYTES = 500


class Pins:
    """The use case PinRelease."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def pin(self, project: str, version: str, reason: str, actor: Actor) -> Release:
        """Pin a release for ``reason``, or unpin it with an empty one; again, it changes nothing."""
        if len(reason.encode()) > _LONGEST_REASON_BYTES or not reason.isprintable():
            raise invalid("reason", f"must be one line of at most {_LONGEST_REASON_BYTES} bytes of UTF-8")
        reason = reason.strip()
        try:
            async with self._catalogue.transaction() as transaction:
                return await self._pin(transaction, project, version, reason, actor)
        except CommitUnknown:
            # If it took effect, nothing is left to be done.
            async with self._catalogue.transaction() as transaction:
                return await self._pin(transaction, project, version, reason, actor)

    async def _pin(
        self, transaction: Transaction, project: str, version: str, reason: str, actor: Actor
    ) -> Release:
        # Under this lock retention decides what goes.
        if await projects.lock_project(transaction, project) is None:
            raise Refusal(Reason.PROJECT_NOT_FOUND, f"there is no project {project!r}")
        release = await find_release(transaction, project, version)
        if release.pin_reason == reason:
            return release
        if reason:
            check_payload_present(release)
        pinned = await releases.pin_release(transaction, release.id, reason, actor.principal)
        await record_audit(
            transaction,
            actor,
            "release.pinned" if reason else "release.unpinned",
            project=project,
            version=release.version,
            from_status="PINNED" if release.pin_reason else "UNPINNED",
            to_status="PINNED" if reason else "UNPINNED",
            message=reason or f"was pinned by {release.pinned_by}: {release.pin_reason}",
        )
        return pinned
