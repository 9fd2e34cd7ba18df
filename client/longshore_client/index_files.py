"""Registry indexes as files on this machine: read with all that is wrong in them, and changed whole.

Invariants: an index's file is there whole or not at all; of two processes that change it at once one waits,
and what another program wrote meanwhile is not overwritten.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from longshore_bundles.findings import FindingLog
from longshore_bundles.registry import MAX_INDEX_BYTES, Index, index_text, read_index

from .contents import findings_of
from .errors import DestinationUnusable, IndexChanged, IndexRefused, PayloadUnreadable
from .file_opening import open_file
from .file_replacing import replace_file
from .sources.index_limits import check_index


def read_index_file(path: Path) -> Index:
    """Read an index.

    Raises ``PayloadUnreadable``, ``SourceTooLarge``, and ``IndexRefused`` with all that is wrong in it.
    """
    return _index(path, _bytes(path))


def index_if_any(path: Path, log: FindingLog) -> Index | None:
    """Read an index; None where it is none. ``log`` gets all findings.

    Raises ``PayloadUnreadable``, and ``SourceTooLarge`` for one that nobody would read.
    """
    index = read_index(_bytes(path), str(path), log)
    if index is not None:
        check_index(index, str(path))
    return index


def change_index_file(path: Path, change: Callable[[Index | None], Index]) -> Index:
    """Replace an index's file by what ``change`` makes of it, of None where there is no file yet.

    Raises what ``read_index_file`` and ``write_index_file`` raise.
    """
    return write_index_file(path, lambda before: change(None if before is None else _index(path, before)))


def write_index_file(path: Path, make: Callable[[bytes | None], Index]) -> Index:
    """Put an index into a file, made by ``make`` from the bytes that the file has, None where there is none.

    Raises what ``make`` raises, ``IndexRefused`` or ``SourceTooLarge`` when what it made is no index that can
    be read, ``IndexChanged`` when somebody wrote to the file meanwhile, and ``DestinationUnusable``. Then the
    file is as it was.
    """
    # A link to the index, from where it is served say, stays one.
    target = Path(os.path.realpath(path))
    with _only_one(target.parent, path):
        before = _bytes_if_any(target, path)
        made = make(before)
        text = index_text(made).encode()
        # What cannot be read any more must not take the place of what can.
        _index(path, text, shown=f"the new {path}")
        if _bytes_if_any(target, path) != before:
            raise IndexChanged(f"somebody else wrote to {path} meanwhile: it is left as it is")
        try:
            replace_file(target, text)
        except OSError as error:
            raise _unwritable(path, error) from error
    return made


@contextmanager
def _only_one(folder: Path, path: Path) -> Iterator[None]:
    with ExitStack() as opened:
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            opened.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            raise _unwritable(path, error) from error
        yield


def _index(path: Path, data: bytes, *, shown: str = "") -> Index:
    log = FindingLog()
    shown = shown or str(path)
    index = read_index(data, shown, log)
    if index is None:
        raise IndexRefused(
            f"{shown} is no index that can be used",
            findings=findings_of(log.findings()),
            total_findings=log.total,
        )
    check_index(index, shown)
    return index


def _bytes(path: Path) -> bytes:
    found = _bytes_if_any(path, path)
    if found is None:
        raise PayloadUnreadable(f"there is no index at {path}")
    return found


def _bytes_if_any(path: Path, shown: Path) -> bytes | None:
    try:
        with open_file(path) as file:
            return file.read(MAX_INDEX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PayloadUnreadable(f"cannot read the index {shown}: {error.strerror}") from error


def _unwritable(path: Path, error: OSError) -> DestinationUnusable:
    return DestinationUnusable(f"cannot write the index {path}: {error.strerror}")
