"""Steps of a node's work that leave something behind, and kill -9 just before or just after one of them.

Four kinds of steps are counted, from the first upload or rollback on that the node is asked for, and in a
command of ``longshore admin`` from its begin:

``commit``  a writing transaction of the catalogue ends
``put``     an object goes into the blob store
``disk``    something in the data folder is renamed, linked or removed: intents, trees and live links go
            this way (only ``before``: between two steps nothing changes there)

``statement``  one in a transaction of the catalogue (only ``before``)

A schedule is ``before-commit-3``: the process kills itself when it is about to commit the third time.
Of commits those of one function may be meant: ``after-commit-begin_switch`` is the first of that one.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import longshore_server.node
from longshore_server.deploying.opening import payload_settings
from longshore_server.deploying.rollbacks import Rollbacks
from longshore_server.deploying.uploads import Uploads
from longshore_server.settings import UploadSettings
from longshore_storage.blobs import FileBlobStore, S3BlobStore
from longshore_storage.catalogue import Catalogue, Transaction
from longshore_storage.payloads import PayloadSettings

# So small that a payload of some hundred kB becomes several pack files, each with steps of its own.
PACK_BYTES = 256 * 1024

_DISK_EVENTS = frozenset({"os.rename", "os.symlink", "os.remove", "os.rmdir"})


def install(schedule: str, data_dir: Path, *, at_once: bool) -> None:
    """Arm this process, which is about to become a node with ``data_dir``; a command counts ``at_once``."""
    moment, kind, which = schedule.split("-")
    crash = _Crash(moment, kind, int(which)) if which.isdigit() else _Crash(moment, kind, 1, of=which)
    crash.counting = at_once
    make_packs_small()
    _begin_counting_at(crash, Uploads, "accept")
    _begin_counting_at(crash, Rollbacks, "roll_back")
    _count_commits(crash)
    _count_statements(crash)
    for store in (FileBlobStore, S3BlobStore):
        _count_puts(crash, store)
    _count_disk(crash, data_dir)


def make_packs_small() -> None:
    """Let this process, which is about to become a node, make pack files of ``PACK_BYTES``."""
    setattr(longshore_server.node, "payload_settings", _with_small_packs)  # noqa: B010


def _with_small_packs(uploads: UploadSettings) -> PayloadSettings:
    return replace(payload_settings(uploads), pack_bytes=PACK_BYTES)


class _Crash:
    def __init__(self, moment: str, kind: str, number: int, *, of: str = "") -> None:
        self._at = (moment, kind)
        self._of = of
        self._number = number
        self._count = itertools.count(1)
        self.counting = False

    def pass_by(self, moment: str, kind: str, function: str = "") -> None:
        """Die here, if this is the place."""
        if not self.counting or (moment, kind) != self._at or self._of not in ("", function):
            return
        if next(self._count) == self._number:
            os.kill(os.getpid(), signal.SIGKILL)


def _begin_counting_at(crash: _Crash, owner: type, name: str) -> None:
    original = getattr(owner, name)

    async def counting(*arguments: Any) -> Any:
        crash.counting = True
        return await original(*arguments)

    setattr(owner, name, counting)


def _count_commits(crash: _Crash) -> None:
    original = Catalogue.transaction

    @asynccontextmanager
    async def transaction(catalogue: Catalogue) -> AsyncIterator[Transaction]:
        async with original(catalogue) as opened:
            yield opened
            crash.pass_by("before", "commit", _who_leaves())
        crash.pass_by("after", "commit", _who_leaves())

    Catalogue.transaction = transaction  # type: ignore[method-assign,assignment]


def _who_leaves() -> str:
    """The function whose ``async with`` ends: above it are this one, the generator and its ``__aexit__``."""
    return sys._getframe(3).f_code.co_name


def _count_statements(crash: _Crash) -> None:
    original = Transaction.execute

    async def execute(transaction: Transaction, *arguments: Any) -> Any:
        crash.pass_by("before", "statement")
        return await original(transaction, *arguments)

    setattr(Transaction, "execute", execute)  # noqa: B010


def _count_puts(crash: _Crash, store: type[FileBlobStore | S3BlobStore]) -> None:
    original: Callable[..., Any] = store.put

    async def put(blobs: Any, key: str, parts: Sequence[bytes | memoryview], *, crc32c: int) -> None:
        crash.pass_by("before", "put")
        await original(blobs, key, parts, crc32c=crc32c)
        crash.pass_by("after", "put")

    setattr(store, "put", put)  # noqa: B010


def _count_disk(crash: _Crash, data_dir: Path) -> None:
    folder, blobs = f"{data_dir}/", f"{data_dir}/blobs/"

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _DISK_EVENTS or not crash.counting:
            return
        # Of a rename and of a link it is the second path that appears.
        path = os.fsdecode(arguments[1] if event in ("os.rename", "os.symlink") else arguments[0])
        if path.startswith(folder) and not path.startswith(blobs):
            crash.pass_by("before", "disk")

    sys.addaudithook(audit)
