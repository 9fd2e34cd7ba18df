"""Deleting one release's payload: its reference goes, the bytes follow with the next runs of collecting.

Refused while the release is live, assigned to a node, or on its way, also with ``force``: a node that joins,
or has lost its disk, must be able to install what is live, and a rollout that cannot fetch its payload would
only fail later and say less. Whoever wants it gone deploys something else first. ``force`` gives up no more
than the way back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import structlog

from longshore_bundles import case_folded
from longshore_server.access import Permission, current_caller
from longshore_server.refusal import Reason, Refusal
from longshore_storage.catalogue import Catalogue, Transaction, projects, releases, retaining
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.retaining import ReleaseUse
from longshore_storage.catalogue.rows import Actor, Release
from longshore_storage.errors import CommitUnknown

_log = structlog.get_logger(__name__)

_WORDS = {
    "LIVE": "is live in",
    "ASSIGNED": "is assigned to nodes of",
    "IN_FLIGHT": "is on its way to",
    "ROLLBACK_TARGET": "can be rolled back to in",
    "PINNED": "is pinned",
}
_GIVEN_UP_BY_FORCE = "ROLLBACK_TARGET"


class Deletion(NamedTuple):
    """Stored bytes that only this payload needed, and that something else needs as well."""

    freed_size_bytes: int
    shared_size_bytes: int


class PayloadDeletion:
    """The use case DeletePayload."""

    def __init__(self, catalogue: Catalogue, *, rollback_targets: int) -> None:
        self._catalogue = catalogue
        self._rollback_targets = rollback_targets

    async def delete(self, project: str, version: str, actor: Actor, *, force: bool) -> Deletion:
        """Drop the release's reference to its payload; one that has none any more answers with zeros.

        Raises ``Refusal``.
        """
        try:
            async with self._catalogue.transaction() as transaction:
                return await self._delete(transaction, project, version, actor, force=force)
        except CommitUnknown:
            # If it took effect, the bytes are told by nobody; that it is gone is what counts.
            async with self._catalogue.transaction() as transaction:
                return await self._delete(transaction, project, version, actor, force=force)

    async def _delete(
        self, transaction: Transaction, project: str, version: str, actor: Actor, *, force: bool
    ) -> Deletion:
        # Everything that makes a release go live holds this lock.
        if await projects.lock_project(transaction, project) is None:
            raise Refusal(Reason.PROJECT_NOT_FOUND, f"there is no project {project!r}")
        release = await releases.find_release(transaction, project, case_folded(version))
        if release is None:
            raise Refusal(Reason.RELEASE_NOT_FOUND, f"{project} has no release {version}")
        if release.stored_payload is None:
            return Deletion(0, 0)
        uses = await retaining.uses_of(transaction, release, rollback_targets=self._rollback_targets)
        against = [use for use in uses if not force or use.kind != _GIVEN_UP_BY_FORCE]
        if against:
            raise _in_use(release, against)
        share = await retaining.share_of(
            transaction, release, scopes=current_caller().rights.scopes(Permission.PAYLOAD_READ)
        )
        await retaining.drop_references(transaction, [release.id])
        await record_audit(
            transaction,
            actor,
            "payload.deleted",
            project=project,
            version=release.version,
            from_status="STORED",
            to_status="DELETED",
            # Not what of it is shared: whoever reads this may not read what it is shared with.
            message=f"a payload of {release.payload_size_bytes} bytes" + (", forced" if force else ""),
        )
        _log.info("payload.deleted", project=project, version=release.version)
        return Deletion(share.own_size_bytes, share.shared_size_bytes)


def _in_use(release: Release, uses: Sequence[ReleaseUse]) -> Refusal:
    told = [
        f"{words} {', '.join(use.environment for use in uses if use.kind == kind)}".rstrip()
        for kind, words in _WORDS.items()
        if any(use.kind == kind for use in uses)
    ]
    kinds = {use.kind for use in uses}
    if kinds == {_GIVEN_UP_BY_FORCE}:
        what_to_do = "it is deleted with `force`"
    elif kinds <= {_GIVEN_UP_BY_FORCE, "PINNED", "IN_FLIGHT"} and "IN_FLIGHT" in kinds:
        what_to_do = "promote or cancel what is on its way first"
    elif kinds <= {_GIVEN_UP_BY_FORCE, "PINNED"}:
        what_to_do = "unpin it first"
    else:
        what_to_do = "deploy something else there first"
    return Refusal(
        Reason.PAYLOAD_IN_USE,
        f"the payload of {release.project} {release.version} is needed: the release {' and '.join(told)}; "
        f"{what_to_do}",
    )
