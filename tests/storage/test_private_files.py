"""Files for their owner only: what somebody else has put in their place is not written to."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from longshore_storage.backup.file import writing
from longshore_storage.catalogue import open_catalogue
from longshore_storage.private_files import open_private

Trap = Callable[[Path, Path], object]
TRAPS: dict[str, Trap] = {
    "link": lambda place, other: place.symlink_to(other),
    "second-name": lambda place, other: place.hardlink_to(other),
    "pipe": lambda place, _: os.mkfifo(place),
}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: mode(path) for path in folder.iterdir()}


@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS)
def test_what_is_no_file_of_ones_own_is_refused(trap: Trap, tmp_path: Path) -> None:
    place, other = tmp_path / "place", tmp_path / "other"
    other.write_text("as it was")
    trap(place, other)
    with pytest.raises(OSError, match=r"symbolic|somebody|No such device"):
        open_private(place)
    assert other.read_text() == "as it was"
    assert place in tmp_path.iterdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_another_users_file_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.touch()
    os.chown(place, 65534, 65534)
    with pytest.raises(PermissionError, match="somebody else has made what is there"):
        open_private(place)


def test_what_was_left_is_taken_and_kept_from_others(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.touch(0o644)
    with os.fdopen(open_private(place), "wb") as file:
        file.write(b"mine")
    assert (place.read_bytes(), mode(place)) == (b"mine", 0o600)


def test_a_backup_goes_into_no_trap(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("as it was")
    (tmp_path / ".monday.backup.unfinished").symlink_to(other)
    with pytest.raises(OSError, match="symbolic"), writing(tmp_path / "monday.backup"):
        pass
    assert other.read_text() == "as it was"


async def test_a_database_in_a_file_is_its_owners(tmp_path: Path) -> None:
    catalogue = open_catalogue(f"sqlite:///{tmp_path}/longshore.db")
    try:
        await catalogue.migrate()
        async with catalogue.transaction():
            found = modes(tmp_path)
    finally:
        await catalogue.close()
    assert found == {"longshore.db": 0o600, "longshore.db-wal": 0o600, "longshore.db-shm": 0o600}
