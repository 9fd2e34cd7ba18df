"""The stage of every benchmark: a real MinIO and a real server process, stopped at the end."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services.binaries import MINIO, find
from tests.services.minio_service import MinioService
from tests.services.processes import ServerProcess, serve


@dataclass(frozen=True)
class Stage:
    """A MinIO with a bucket, and a folder for whatever is made."""

    minio: MinioService
    bucket: str
    folder: Path

    @property
    def settings(self) -> dict[str, str]:
        """A server's variables: SQLite for the rows, this MinIO for the blobs."""
        return {"LONGSHORE_BLOBS__URL": self.minio.url(self.bucket), "LONGSHORE_LOG__LEVEL": "warning"}

    @asynccontextmanager
    async def server(self, name: str = "server", **settings: str) -> AsyncIterator[ServerProcess]:
        """A server process over this stage's stores."""
        async with serve(data_dir=self.folder / name, env={**self.settings, **settings}) as server:
            yield server

    def stored_bytes(self) -> int:
        """Bytes of all objects in the bucket."""
        return sum(item.size or 0 for item in self.minio.client().list_objects(self.bucket, recursive=True))


@contextmanager
def stage() -> Iterator[Stage]:
    """Set the stage, and take it down."""
    with tempfile.TemporaryDirectory(prefix="longshore-bench-") as name:
        folder = Path(name)
        found = find(MINIO, lambda line: print(line, file=sys.stderr))
        with MinioService(found.path, folder / "minio") as minio, minio.fresh_bucket() as bucket:
            yield Stage(minio, bucket, folder)
