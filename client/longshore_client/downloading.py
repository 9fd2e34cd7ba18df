"""Downloading a release's payload: over breaks, verified, and never half under its final name.

Invariants: what leaves is the payload's bytes in order, each once; the end is reached only when size and
sha256 are those of the release; a file appears under its name whole or not at all, and nothing is left
beside it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from grpc import aio

from longshore.v1 import deployment_service_pb2
from longshore_bundles import InvalidName, check_file_name

from .catalog_conversion import payload_info
from .catalog_models import PayloadInfo
from .connection import Connection, new_request_id, request_metadata
from .errors import DestinationUnusable, DownloadDamaged, LongshoreError
from .routing import Route
from .server import Server
from .statuses import translated

_WRITTEN_BACK_AT_ONCE_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """How far a download is, in bytes."""

    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Download:
    """A payload that was downloaded and verified, and where it is."""

    path: Path
    payload_sha256: str
    size_bytes: int


DownloadCallback = Callable[[DownloadProgress], None]


class PayloadStream:
    """The bytes of one release's payload; ``info`` is known once the first of them came."""

    def __init__(self, connection: Connection, project: str, version: str) -> None:
        self._connection = connection
        self._project = project
        self._version = version
        self._sha256 = hashlib.sha256()
        self._hashing: asyncio.Future[None] | None = None
        self._received_bytes = 0
        self.info: PayloadInfo | None = None

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The payload in pieces of about 1 MiB; the first may be empty.

        Raises ``DownloadDamaged`` at the end when the bytes are not the payload's, and ``LongshoreError``.
        """
        route = Route(self._connection, most_rounds=self._connection.policy.transfer_rounds)
        try:
            while True:
                before = self._received_bytes
                try:
                    async with aclosing(self._one_call(route.server)) as pieces:
                        async for piece in pieces:
                            route.answered()
                            yield piece
                    break
                except LongshoreError as error:
                    if self._received_bytes > before:
                        route.progressed()
                    pause_s = route.pause_s(error)
                await asyncio.sleep(pause_s)
        finally:
            await self._hashed()
        self._check_whole()

    async def _one_call(self, server: Server) -> AsyncGenerator[bytes, None]:
        request_id = new_request_id()
        call: aio.UnaryStreamCall[
            deployment_service_pb2.DownloadPayloadRequest, deployment_service_pb2.DownloadPayloadResponse
        ] = server.deployments.DownloadPayload(
            deployment_service_pb2.DownloadPayloadRequest(
                project=self._project, version=self._version, offset=self._received_bytes
            ),
            metadata=request_metadata(request_id, server),
        )
        try:
            while True:
                async with translated(server, request_id):
                    message = await call.read()
                if not isinstance(message, deployment_service_pb2.DownloadPayloadResponse):
                    return
                # Each look at the field copies it.
                data = message.data
                self._take(message, len(data))
                await self._hashed()
                self._hashing = asyncio.ensure_future(asyncio.to_thread(self._sha256.update, data))
                yield data
        finally:
            call.cancel()

    def _take(self, message: deployment_service_pb2.DownloadPayloadResponse, data_bytes: int) -> None:
        if message.HasField("info"):
            info = payload_info(message.info)
            if self.info is not None and self.info != info:
                raise DownloadDamaged("another payload came after a break than before it")
            self.info = info
        if data_bytes and self.info is None:
            raise DownloadDamaged("the server sent bytes before it described the payload")
        if data_bytes and message.offset != self._received_bytes:
            raise DownloadDamaged(
                f"the server sent bytes from {message.offset} on where {self._received_bytes} was next"
            )
        self._received_bytes += data_bytes

    async def _hashed(self) -> None:
        """Wait for the last piece's hash, which is made beside receiving the next one."""
        hashing, self._hashing = self._hashing, None
        if hashing is not None:
            await hashing

    def _check_whole(self) -> None:
        received = f"{self._received_bytes} bytes with sha256 {self._sha256.hexdigest()}"
        if self.info is None:
            raise DownloadDamaged(f"the server described no payload; {received} came")
        if (self._received_bytes, self._sha256.hexdigest()) != (
            self.info.size_bytes,
            self.info.payload_sha256,
        ):
            raise DownloadDamaged(
                f"{received} came, but the release has {self.info.size_bytes} bytes with sha256 "
                f"{self.info.payload_sha256}"
            )


async def download_file(
    stream: PayloadStream,
    destination: Path,
    *,
    default_name: str,
    overwrite: bool,
    on_progress: DownloadCallback | None,
) -> Download:
    """Write a payload to ``destination``, or under its own name when that is a directory.

    Raises ``DestinationUnusable`` and what ``PayloadStream`` raises.
    """
    file: _FileBeside | None = None
    done_bytes = 0
    try:
        async with aclosing(stream.pieces()) as pieces:
            async for piece in pieces:
                assert stream.info is not None or not piece
                if file is None:
                    path = _final_path(destination, stream.info, default_name)
                    file = await asyncio.to_thread(_FileBeside, path, overwrite=overwrite)
                await asyncio.to_thread(file.write, piece)
                done_bytes += len(piece)
                if on_progress is not None and stream.info is not None:
                    on_progress(DownloadProgress(done_bytes, stream.info.size_bytes))
        assert file is not None
        assert stream.info is not None
        await asyncio.to_thread(file.finish)
    finally:
        if file is not None:
            file.discard()
    return Download(file.path, stream.info.payload_sha256, stream.info.size_bytes)


def _final_path(destination: Path, info: PayloadInfo | None, default_name: str) -> Path:
    if not destination.is_dir():
        return destination
    # A server's word about a name is not trusted: one path component, or ours.
    try:
        name = check_file_name(info.file_name if info else "")
    except InvalidName:
        name = default_name
    return destination / name


class _FileBeside:
    """A file that gets its name when it is whole."""

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self.path = path
        self._overwrite = overwrite
        self._beside = path.with_name(f".{path.name[:200]}.{uuid.uuid4().hex[:8]}.part")
        self._written_bytes = self._written_back_bytes = 0
        self._check_free()
        try:
            self._file: IO[bytes] = self._beside.open("xb")
        except OSError as error:
            raise self._unusable(error) from error

    def write(self, piece: bytes) -> None:
        """Append bytes."""
        try:
            self._file.write(piece)
            self._written_bytes += len(piece)
            if self._written_bytes - self._written_back_bytes >= _WRITTEN_BACK_AT_ONCE_BYTES:
                self._begin_to_write_back()
        except OSError as error:
            raise self._unusable(error) from error

    def finish(self) -> None:
        """Make the file durable and give it its name."""
        self._check_free()
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._beside.replace(self.path)
        except OSError as error:
            raise self._unusable(error) from error

    def discard(self) -> None:
        """Remove what is left, if it was not finished."""
        self._file.close()
        self._beside.unlink(missing_ok=True)

    def _begin_to_write_back(self) -> None:
        # Linux starts to bring what is "not needed" to the disk at once, and does not wait for it: the sync
        # at the end, for which everything else is done, has little left to do.
        if sys.platform == "linux":
            self._file.flush()
            length = self._written_bytes - self._written_back_bytes
            os.posix_fadvise(self._file.fileno(), self._written_back_bytes, length, os.POSIX_FADV_DONTNEED)
        self._written_back_bytes = self._written_bytes

    def _check_free(self) -> None:
        if not self._overwrite and os.path.lexists(self.path):
            raise DestinationUnusable(f"{self.path} exists already")

    def _unusable(self, error: OSError) -> DestinationUnusable:
        return DestinationUnusable(f"cannot write {self.path}: {error.strerror or error}")
