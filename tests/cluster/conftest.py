"""What the named cases ask for: real services, and a fleet of nodes that start in an instant."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.conftest import env as env
from tests.faults.conftest import nursery as nursery
from tests.faults.conftest import place as place
from tests.faults.conftest import stores as stores
from tests.faults.invariants import Stores
from tests.faults.nodes import Nursery

from .fleet import Fleet, fleet_of


@pytest.fixture
async def fleet(nursery: Nursery, place: Path, stores: Stores, env: dict[str, str]) -> AsyncIterator[Fleet]:
    """No node yet, on PostgreSQL, MinIO and three members of etcd."""
    async with fleet_of(nursery, place, stores, env) as fleet:
        yield fleet
