"""The real stores that a node of these tests is given, and what it takes to use them."""

from __future__ import annotations

from tests.services.migrated import migrate as migrate

from .invariants import Stores

LEASE_S = 2


def variables(stores: Stores, etcd_url: str) -> dict[str, str]:
    """A node's environment: these stores, and locks that do not outlive a killed node for long."""
    return {
        "LONGSHORE_DATABASE__URL": stores.database_url,
        "LONGSHORE_BLOBS__URL": stores.blobs_url,
        "LONGSHORE_COORDINATION__URL": etcd_url,
        "LONGSHORE_COORDINATION__LEASE_S": str(LEASE_S),
        "LONGSHORE_POLL_S": "1",
    }
