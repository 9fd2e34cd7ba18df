"""What a pack on this machine needs and is not live, planned and fetched with one set of options."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from longshore_bundles.packs import PackManifest

from .contents import scanned
from .planning import PlannedPack, plan_dependencies
from .sources import Deadline, Fetched, FetchOptions, IndexSource, fetch

if TYPE_CHECKING:
    from .client import Client


async def fetch_dependencies(
    client: Client, payload: Path, into: Path, environment: str, options: FetchOptions
) -> Sequence[PlannedPack]:
    """See ``Client.plan_dependencies``."""
    manifest = (await asyncio.to_thread(scanned, payload)).manifest
    if not isinstance(manifest, PackManifest):
        return ()

    def fetched(source: IndexSource, deadline: Deadline) -> Fetched:
        # A checksum is that of the payload, not of what it needs.
        left = replace(options, checksum=None, timeout_s=min(options.timeout_s, deadline.left_s()))
        return fetch(source, Path(tempfile.mkdtemp(dir=into)), left)

    return await plan_dependencies(client, manifest, environment, fetched)
