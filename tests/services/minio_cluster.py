"""Four MinIO servers with a drive each, as local processes: one erasure set with two parity blocks.

With one server away everything goes on, with two away everything can still be read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from .child import Command
from .local_http import ask
from .minio_service import MinioService


class MinioMember(MinioService):
    """One server. It is ready when it sees enough of the others to write."""

    def __init__(self, program: Path, folder: Path) -> None:
        super().__init__(program, folder)
        # What the cluster agrees on; it says this before the first start.
        self.drives: list[str] = []

    def command(self) -> Command:
        command = super().command()
        # Without them MinIO refuses drives on the disk that it runs from, and, in a container, looks for
        # other machines behind the loopback address for ever.
        env = {"MINIO_CI_CD": "1", "_MINIO_SERVER_LOCAL": self.endpoint}
        return dataclasses.replace(
            command, argv=[*command.argv[:-1], *self.drives], env={**command.env, **env}
        )

    def ready(self) -> bool:
        ask(f"http://{self.endpoint}/minio/health/cluster")
        return super().ready()


class MinioCluster:
    """``members`` are killed, paused and started one by one; the cluster keeps its endpoints."""

    def __init__(self, program: Path, folder: Path, *, size: int = 4) -> None:
        self.members = [MinioMember(program, folder / f"minio{number}") for number in range(1, size + 1)]
        first = self.members[0]
        self.access_key, self.secret_key = first.access_key, first.secret_key
        for member in self.members:
            member.drives = [f"http://{each.endpoint}{each.data_dir}" for each in self.members]
            member.access_key, member.secret_key = self.access_key, self.secret_key

    @property
    def endpoint(self) -> str:
        """All of them, as ``blobs.url`` names them."""
        return ",".join(member.endpoint for member in self.members)

    def url(self, bucket: str) -> str:
        """``bucket`` in the form of the setting ``blobs.url``."""
        return f"s3+http://{self.access_key}:{self.secret_key}@{self.endpoint}/{bucket}"

    def ensure_running(self) -> None:
        """Start every member that is down, resume every paused one, and wait until all are ready."""
        for member in self.members:
            if member.running:
                member.resume()
            member.start(wait=False)
        for member in self.members:
            member.start()

    def with_all_of(self, bucket: str) -> list[MinioMember]:
        """The servers that have every object that any of them has.

        MinIO answers a PUT when three of four have it, the fourth a moment later, or when it is healed.
        """
        kept = {
            member: {
                found.relative_to(member.data_dir) for found in (member.data_dir / bucket).rglob("xl.meta")
            }
            for member in self.members
        }
        whole = set().union(*kept.values())
        return [member for member in self.members if kept[member] == whole]

    @contextmanager
    def fresh_bucket(self) -> Iterator[str]:
        """A bucket of its own, emptied and removed at the end, also when members were broken meanwhile."""
        self.ensure_running()
        with ExitStack() as undo:
            bucket = undo.enter_context(self.members[0].fresh_bucket())
            undo.callback(self.ensure_running)
            yield bucket

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.push(self)
            self.ensure_running()
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as undo:
            for member in self.members:
                undo.callback(member.close)
