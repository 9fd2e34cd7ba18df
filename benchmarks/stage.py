"""The stage of every row: a real MinIO and real server processes, as a user runs them, in temporary folders.

Owns what is started and removes what is left. Nothing on it is a stand-in: the node is ``longshore serve``
with SQLite and MinIO, rivals use the SDK as it comes.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from minio import Minio
from minio.deleteobjects import DeleteObject

from tests.services.binaries import MINIO, find
from tests.services.folders import session_folder
from tests.services.minio_service import MinioService
from tests.services.processes import ServerProcess, serve

from .sizes import Sizes

Say = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """A bucket and a folder of its own, for one comparison."""

    minio: MinioService
    bucket: str
    folder: Path

    @property
    def settings(self) -> dict[str, str]:
        """A node's variables: it takes uploads into this bucket, and installs nothing."""
        return {
            "LONGSHORE_BLOBS__URL": self.minio.url(self.bucket),
            "LONGSHORE_LOG__LEVEL": "warning",
            "LONGSHORE_NODE__ROLES": "receive,control",
        }

    @asynccontextmanager
    async def server(
        self,
        name: str = "node",
        *,
        program: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> AsyncIterator[ServerProcess]:
        """A node over this place's bucket, with the data folder ``name``."""
        variables = {**self.settings, **(env or {})}
        async with serve(data_dir=self.folder / name, env=variables, program=program) as server:
            yield server

    def sdk(self) -> Minio:
        """The SDK as its users make it."""
        return Minio(
            self.minio.endpoint,
            access_key=self.minio.access_key,
            secret_key=self.minio.secret_key,
            secure=False,
        )

    def stored_bytes(self) -> int:
        """Bytes of all objects in the bucket."""
        return sum(each.size or 0 for each in self.sdk().list_objects(self.bucket, recursive=True))

    def drop_objects(self) -> None:
        """Make room: what was measured is not needed again."""
        sdk = self.sdk()
        objects = sdk.list_objects(self.bucket, recursive=True)
        for error in sdk.remove_objects(self.bucket, (DeleteObject(each.object_name) for each in objects)):
            raise RuntimeError(f"{error.name} cannot be removed: {error.message}")


@dataclass(frozen=True)
class Bench:
    """What a row is given: how much to measure, where, and whom to tell how far it is."""

    sizes: Sizes
    minio: MinioService
    folder: Path
    say: Say

    @contextmanager
    def place(self) -> Iterator[Place]:
        """A new place, gone at the end of the block."""
        folder = Path(tempfile.mkdtemp(prefix="place-", dir=self.folder))
        try:
            with self.minio.fresh_bucket() as bucket:
                yield Place(self.minio, bucket, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def bench(sizes: Sizes, say: Say) -> Iterator[Bench]:
    """Set the stage, and take it down."""
    # Swept by the next run where this one is killed.
    with session_folder() as folder, MinioService(find(MINIO, say).path, folder / "minio") as minio:
        yield Bench(sizes, minio, folder, say)
