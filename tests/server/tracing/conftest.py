from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.faults.conftest import nursery as nursery

from .receiver import Receiver, receiving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made
