"""A place with three releases and four nodes, of which nothing is live."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from longshore_storage.catalogue import Catalogue
from tests.server.rollouts import Place, open_place

from .stepping import NODES


@pytest.fixture
async def place(catalogue: Catalogue) -> AsyncIterator[Place]:
    async with open_place(catalogue, nodes=NODES) as place:
        yield place
