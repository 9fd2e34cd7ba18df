"""Looks a stored payload through before it is recorded: is it safe, what is in it, what is its checksum."""

from __future__ import annotations

import io
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, TypeVar, cast

from longshore_bundles import DETECT_BYTES, BundleScan, PayloadFormat, UnpackLimits, detect_format, scan
from longshore_server.unbroken import in_thread
from longshore_storage.payloads import PayloadReader, PayloadStore, read_in_thread

_BUFFER_BYTES = 1 << 20
R = TypeVar("R")


class Examiner:
    """Reads payloads from the blob store in a thread; ``scratch`` is a folder on the node's disk."""

    def __init__(self, payloads: PayloadStore, scratch: Path, limits: UnpackLimits) -> None:
        self._payloads = payloads
        self._scratch = scratch
        self._limits = limits

    async def examine(
        self, sha256: str, size_bytes: int, *, payload_format: str, file_name: str
    ) -> BundleScan:
        """Look through; an empty ``payload_format`` is detected. What is wrong is in the result."""
        form = PayloadFormat[payload_format] if payload_format else await self._detect(sha256, file_name)
        if form is PayloadFormat.FILE:
            # A file is what it is: its content checksum is the payload's, which was verified already.
            return BundleScan(form, sha256, entry_count=1, unpacked_bytes=size_bytes)
        if form is not PayloadFormat.ZIP:
            try:
                return await read_payload(self._payloads, sha256, partial(self._scan, form, self._scratch))
            except io.UnsupportedOperation:
                # Its entries do not come in canonical order, so it has to be read twice.
                pass
        with TemporaryDirectory(prefix="scan-", dir=self._scratch) as folder:
            spooled = Path(folder, "payload")
            await spool(self._payloads, sha256, spooled)
            return await in_thread(self._scan_file, form, spooled)

    async def _detect(self, sha256: str, file_name: str) -> PayloadFormat:
        head = await read_payload(self._payloads, sha256, lambda source: source.read(DETECT_BYTES))
        return detect_format(head, file_name)

    def _scan(self, form: PayloadFormat, scratch: Path, source: BinaryIO) -> BundleScan:
        return scan(source, form, self._limits, scratch=scratch)

    def _scan_file(self, form: PayloadFormat, path: Path) -> BundleScan:
        with path.open("rb") as source:
            return self._scan(form, path.parent, source)


async def read_payload(
    payloads: PayloadStore,
    sha256: str,
    work: Callable[[BinaryIO], R],
    counted: Callable[[int], None] | None = None,
) -> R:
    """Run ``work`` in a thread with a stored payload as its file, which cannot seek.

    ``counted`` is told how many bytes the blob store has sent, now and then.
    """

    async def pieces(reader: PayloadReader) -> AsyncGenerator[bytes, None]:
        async with aclosing(reader.stream()) as stream:
            async for piece in stream:
                if counted is not None:
                    counted(reader.fetched_bytes)
                yield piece

    async with payloads.open(sha256) as reader:
        return await read_in_thread(
            pieces(reader), lambda raw: work(cast(BinaryIO, io.BufferedReader(raw, _BUFFER_BYTES)))
        )


async def spool(
    payloads: PayloadStore, sha256: str, path: Path, counted: Callable[[int], None] | None = None
) -> None:
    """Write a payload to a file, for formats that cannot be read as a stream."""

    def copy(source: BinaryIO) -> None:
        with path.open("wb") as target:
            shutil.copyfileobj(source, target, _BUFFER_BYTES)

    await read_payload(payloads, sha256, copy, counted)
