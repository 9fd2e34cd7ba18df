"""A directory as a stream is its canonical tar, however it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore_bundles import CanonicalTar, EntryRefused, directory_checksum
from longshore_client.contents import scanned
from longshore_client.directory_stream import DirectoryStream


@pytest.mark.parametrize("size", [7, 512, 1 << 22])
def test_the_stream_is_the_canonical_tar(tree: Path, size: int) -> None:
    stream = DirectoryStream(tree)
    pieces = list(iter(lambda: stream.read(size), b""))
    assert b"".join(pieces) == b"".join(CanonicalTar(tree))
    assert max(map(len, pieces)) <= size


def test_a_directory_is_looked_through_as_an_archive_is(tree: Path) -> None:
    found = scanned(tree)
    assert (found.accepted, found.content_sha256) == (True, directory_checksum(tree))


def test_what_cannot_be_in_a_tar_is_told_while_it_is_read(tree: Path) -> None:
    (tree / "out").symlink_to("/etc")
    with pytest.raises(EntryRefused):
        DirectoryStream(tree).read()
