"""Whose stored content counts for whom: what a caller may not read is not there.

A digest or a sha256 of somebody's content is often public. If it sufficed to deploy the content, whoever
knows it could deploy a private payload into a project of his own and download it. So the shortcuts that
spare bytes count only what the caller may read, and what his own upload has sent; the rest has to be sent,
and is deduplicated after it has arrived.
"""

from __future__ import annotations

from typing import Protocol

from longshore_storage.catalogue.rows import Actor


class Visibility(Protocol):
    """The rule, asked once a session and once for every question about missing chunks."""

    async def may_read(self, actor: Actor, project: str) -> bool:
        """Whether the caller may read payloads of the project."""
        ...
