"""What an S3 store tells of how it spreads what it keeps. MinIO does, to everybody; others tell nothing.

From MinIO's health checks, https://docs.min.io/community/minio-object-store/operations/monitoring/healthcheck-probe.html
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import urllib3
from urllib3.exceptions import HTTPError

from .urls import S3Location

_TIMEOUT_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Quorums:
    """How many drives of a set must be there to read and to write."""

    to_read: int
    to_write: int

    @property
    def single_drive(self) -> bool:
        """Whether nothing is kept twice."""
        return self.to_read == self.to_write == 1

    @property
    def half_are_parity(self) -> bool:
        """Whether half of the drives may be lost; else the store does not tell how many may."""
        return self.to_write > self.to_read


async def ask_quorums(place: S3Location) -> Quorums | None:
    """What the first of the store's servers that tells it tells; None when none does."""
    return await asyncio.to_thread(_ask_all, place)


def _ask_all(place: S3Location) -> Quorums | None:
    with urllib3.PoolManager(timeout=_TIMEOUT_S, retries=False) as pool:
        for endpoint in place.endpoints:
            url = f"{'https' if place.secure else 'http'}://{endpoint}/minio/health/cluster"
            to_write = _number(pool, url, "x-minio-write-quorum")
            to_read = _number(pool, f"{url}/read", "x-minio-read-quorum")
            if to_read and to_write:
                return Quorums(to_read, to_write)
    return None


def _number(pool: urllib3.PoolManager, url: str, header: str) -> int:
    """A header's number, also of an answer that says that the quorum is not there; 0 when it has none."""
    try:
        told = pool.request("HEAD", url).headers.get(header, "")
    except HTTPError:
        return 0
    return int(told) if told.isdecimal() else 0
