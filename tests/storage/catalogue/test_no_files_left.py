"""A process that may open no more files: its database is away for a while, and no setting is wrong."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from longshore_storage.catalogue import open_catalogue
from longshore_storage.errors import CatalogueUnavailable, Misconfigured


@contextmanager
def no_file_left() -> Iterator[None]:
    """Let this process open none while the block runs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        first_free = os.dup(0)
        os.close(first_free)
        # The limit is on the number that a descriptor may have.
        resource.setrlimit(resource.RLIMIT_NOFILE, (first_free, hard))
        yield


async def test_it_comes_back(tmp_path: Path) -> None:
    catalogue = open_catalogue(f"sqlite:///{tmp_path}/longshore.db")
    try:
        with no_file_left(), pytest.raises(CatalogueUnavailable, match="no more files"):
            async with catalogue.transaction() as transaction:
                await transaction.now()
        await catalogue.migrate()
    finally:
        await catalogue.close()


async def test_a_file_that_is_none_is_a_setting_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "longshore.db").mkdir()
    catalogue = open_catalogue(f"sqlite:///{tmp_path}/longshore.db")
    with pytest.raises(Misconfigured, match="cannot be opened"):
        await catalogue.migrate()
