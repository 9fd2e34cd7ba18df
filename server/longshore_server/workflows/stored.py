"""A stored release looked through once more, for the workflows in it."""

from __future__ import annotations

from longshore_server.deploying.bundle_content import Examined
from longshore_server.deploying.content_check import content_refused
from longshore_server.deploying.examining import Examiner
from longshore_server.refusal import Reason, Refusal
from longshore_storage.catalogue.rows import Release
from longshore_storage.errors import CorruptBlob


async def examine_release(examiner: Examiner, release: Release) -> Examined:
    """What is in a release.

    Raises ``Refusal`` where its payload is gone, there is no room for it, or this node's limits do not let it
    be read to its end; ``CorruptBlob`` where what is stored is not the release; and what the stores raise.
    """
    if release.stored_payload is None:
        raise Refusal(
            Reason.PAYLOAD_RECLAIMED,
            f"the payload of {release.project} {release.version} was reclaimed, so its files cannot be read: "
            "deploy its content again",
        )
    examined = await examiner.examine(
        release.stored_payload,
        release.payload_size_bytes,
        payload_format=release.payload_format,
        file_name=release.file_name,
    )
    if not examined.scan.is_safe:
        # Nothing was read of it, which must not be taken for a release without workflows.
        raise content_refused(Reason.ARCHIVE_INVALID, examined.scan)
    if examined.scan.content_sha256 != release.content_sha256:
        raise CorruptBlob(
            release.stored_payload,
            f"it has content sha256:{examined.scan.content_sha256}, the release has "
            f"sha256:{release.content_sha256}",
        )
    return examined
