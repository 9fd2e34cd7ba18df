"""Looks a payload through before it is recorded: is it safe, what is in it, what is its checksum.

A plain tar is looked through while it comes, everything else when it is stored. What was read to its end and
does not have the payload's SHA-256 is not what was sent, whatever its manifest says: nothing of it counts.
"""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar, cast

from longshore_bundles import (
    DETECT_BYTES,
    BundleScan,
    PayloadFormat,
    SecondReadingNeeded,
    UnpackLimits,
    detect_format,
    scan,
    scan_by_unpacking,
)
from longshore_server.access.turns import Turns
from longshore_server.unbroken import in_executor
from longshore_storage.errors import CorruptBlob
from longshore_storage.payloads import PayloadStore, read_in_thread

from .bundle_content import Examined
from .examining_ahead import ExaminationAhead
from .staging import Staging

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BUFFER_BYTES = 1 << 20
# What a file system takes beside a file's bytes, and what stands around a tar's entries.
_ENTRY_BYTES = 4096
_ARCHIVE_BYTES = 1 << 20
R = TypeVar("R")


class Examiner:
    """Reads payloads from the blob store in ``threads`` of its own: as many at once as these are.

    A stream suffices for tars in canonical order. Other payloads take ``staging``. Of ``threads_ahead``
    there are as many as uploads take bytes at once. ``turns`` are of the threads.
    """

    def __init__(
        self,
        payloads: PayloadStore,
        staging: Staging,
        limits: UnpackLimits,
        threads: Executor,
        threads_ahead: Executor,
        turns: Turns,
    ) -> None:
        self._payloads = payloads
        self._staging = staging
        self._limits = limits
        self._threads = threads
        self._threads_ahead = threads_ahead
        self._turns = turns

    def check(self, payload_format: str, size_bytes: int) -> None:
        """Raise ``Refusal`` where it is known before the first byte that there is no room to examine it."""
        if payload_format == PayloadFormat.ZIP.name:
            self._staging.check(size_bytes)

    def ahead(self, payload_format: str) -> ExaminationAhead[Examined] | None:
        """For a payload that comes and can be looked through meanwhile, None for others.

        One that is compressed cannot: its decompressor takes memory that not every upload at once may have.
        """
        if payload_format != PayloadFormat.TAR.name:
            return None
        return ExaminationAhead(partial(self._scan, PayloadFormat.TAR), self._threads_ahead)

    async def found_ahead(self, ahead: ExaminationAhead[Examined] | None) -> Examined | None:
        """What was found while the payload came; None where it is to be read for that."""
        try:
            return await ahead.result() if ahead is not None else None
        except SecondReadingNeeded:
            return None

    async def examine(
        self,
        sha256: str,
        size_bytes: int,
        *,
        payload_format: str,
        file_name: str,
        ahead: ExaminationAhead[Examined] | None = None,
    ) -> Examined:
        """Look through; an empty ``payload_format`` is detected. What is wrong is in the result.

        What ``ahead`` saw is not read again. Raises ``Refusal`` where scratch is needed and cannot be had,
        and ``CorruptBlob`` where what is stored is not the payload.
        """
        if payload_format == PayloadFormat.FILE.name:
            return _single_file(sha256, size_bytes)
        try:
            if ahead is not None and (found := await ahead.result()) is not None:
                return found
        except SecondReadingNeeded as needed:
            async with self._turns.one():
                return await self._read_again(sha256, PayloadFormat.TAR, needed)
        async with self._turns.one():
            form = PayloadFormat[payload_format] if payload_format else await self._detect(sha256, file_name)
            return await self._examine_stored(sha256, size_bytes, form)

    async def _examine_stored(self, sha256: str, size_bytes: int, form: PayloadFormat) -> Examined:
        if form is PayloadFormat.FILE:
            return _single_file(sha256, size_bytes)
        if form is PayloadFormat.ZIP:
            return await self._scan_file(sha256, size_bytes, form)
        try:
            return await self._read(sha256, partial(self._scan, form))
        except SecondReadingNeeded as needed:
            return await self._read_again(sha256, form, needed)

    async def _detect(self, sha256: str, file_name: str) -> PayloadFormat:
        head = await self._read(sha256, lambda source: source.read(DETECT_BYTES))
        return detect_format(head, file_name)

    async def _scan_file(self, sha256: str, size_bytes: int, form: PayloadFormat) -> Examined:
        async with self._staging.room(size_bytes) as folder:
            spooled = folder / "payload"
            await self._read(sha256, partial(lay_down, spooled))
            return await in_executor(self._threads, self._scan_spooled, spooled, form)

    async def _read_again(self, sha256: str, form: PayloadFormat, needed: SecondReadingNeeded) -> Examined:
        tree_bytes = needed.unpacked_bytes + needed.entry_count * _ENTRY_BYTES + _ARCHIVE_BYTES
        found = await self._scan_by_unpacking(sha256, form, tree_bytes)
        if found is None and tree_bytes < self._staging.limit_bytes:
            # What hard links stand for shows only when it is copied.
            tree_bytes = self._staging.limit_bytes
            found = await self._scan_by_unpacking(sha256, form, tree_bytes)
        if found is None:
            raise self._staging.too_large()
        return found

    async def _scan_by_unpacking(self, sha256: str, form: PayloadFormat, tree_bytes: int) -> Examined | None:
        """Unpack into so much scratch; None when that is not enough."""
        limits = replace(self._limits, max_total_bytes=min(self._limits.max_total_bytes, tree_bytes))
        async with self._staging.room(tree_bytes) as folder:
            found = await self._read(
                sha256, lambda source: Examined.of(scan_by_unpacking(source, form, limits, scratch=folder))
            )
        is_tightened = limits.max_total_bytes < self._limits.max_total_bytes
        if is_tightened and any(finding.code == "TOTAL_TOO_LARGE" for finding in found.scan.findings):
            return None
        return found

    async def _read(self, sha256: str, work: Callable[[BinaryIO], R]) -> R:
        """Run ``work`` with a stored payload as its file, which cannot seek.

        Raises ``CorruptBlob`` where it read all of it and that is not the payload. What it leaves unread, it
        has found unsafe, or judges by the head only.
        """
        async with self._payloads.open(sha256, sparing=True) as reader:
            size_bytes = reader.size_bytes

            def work_on(raw: io.RawIOBase) -> R:
                hashed = _HashedReader(raw)
                result = work(cast(BinaryIO, io.BufferedReader(hashed, _BUFFER_BYTES)))
                if hashed.read_bytes == size_bytes and hashed.sha256 != sha256:
                    raise CorruptBlob(sha256, f"what is stored of it has the SHA-256 {hashed.sha256}")
                return result

            return await read_in_thread(reader.stream(), work_on, executor=self._threads)

    def _scan(self, form: PayloadFormat, source: BinaryIO) -> Examined:
        return Examined.of(scan(source, form, self._limits, scratch=self._staging.folder))

    def _scan_spooled(self, path: Path, form: PayloadFormat) -> Examined:
        with path.open("rb") as source:
            return Examined.of(scan(source, form, self._limits, scratch=path.parent))


class _HashedReader(io.RawIOBase):
    """What passes from ``source`` to whoever reads here, hashed."""

    def __init__(self, source: io.RawIOBase) -> None:
        super().__init__()
        self._source = source
        self._hash = hashlib.sha256()
        self.read_bytes = 0

    @property
    def sha256(self) -> str:
        """Of all that was read so far."""
        return self._hash.hexdigest()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        count = self._source.readinto(view) or 0
        self._hash.update(view[:count])
        self.read_bytes += count
        return count


def _single_file(sha256: str, size_bytes: int) -> Examined:
    # A file is what it is: its content checksum is the payload's, which was verified already.
    return Examined.of(BundleScan(PayloadFormat.FILE, sha256, entry_count=1, unpacked_bytes=size_bytes))


def lay_down(path: Path, source: BinaryIO) -> None:
    """Write a payload to a file, for formats that cannot be read as a stream."""
    with path.open("wb") as target:
        shutil.copyfileobj(source, target, _BUFFER_BYTES)
