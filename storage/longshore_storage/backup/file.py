"""The file of a backup, as ``docs/formats.md`` tells it: lines of JSON in one zstd frame.

It is read and written line by line, so that memory does not grow with it. Nothing of it counts before its
last line was read, which tells how many rows there are and the digest of all lines before.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import zstandard

from longshore_storage.errors import BackupUnusable
from longshore_storage.private_files import open_private

FORMAT: Final = 1
_MAGIC: Final = zstandard.FRAME_HEADER
_LARGEST_WINDOW_BYTES: Final = 1 << 23
_LONGEST_LINE_BYTES: Final = 1 << 28
_LONGEST_HEADER_BYTES: Final = 1 << 16
_ROWS_AT_ONCE: Final = 500
_BATCH_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class BackupHeader:
    """What a backup is of. ``catalogue`` is its UUID, empty of one that never collected."""

    schema: str
    catalogue: str
    time: datetime
    server_version: str
    database: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of a table, each with a value for each of the columns."""

    table: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(slots=True)
class _Lines:
    """What the last line tells of those before it."""

    digest: Any = field(default_factory=hashlib.sha256)
    rows: dict[str, int] = field(default_factory=dict)


class BackupWriter:
    """Writes a backup. Made by ``writing``."""

    def __init__(self, stream: zstandard.ZstdCompressionWriter) -> None:
        self._stream = stream
        self._lines = _Lines()
        self._table = ""

    @property
    def rows(self) -> Mapping[str, int]:
        """How many rows were written, by table."""
        return self._lines.rows

    def header(self, header: BackupHeader) -> None:
        """Write the first line."""
        self._write({"longshore_backup": FORMAT, **asdict(header), "time": header.time.isoformat()})

    def table(self, name: str, columns: Sequence[str]) -> None:
        """Begin a table."""
        self._table = name
        self._lines.rows[name] = 0
        self._write({"table": name, "columns": list(columns)})

    def row(self, values: Sequence[Any]) -> int:
        """Write a row of the table that was begun; tells how many bytes it took."""
        self._lines.rows[self._table] += 1
        return self._write(values)

    def end(self) -> None:
        """Write the last line."""
        self._write({"rows": self._lines.rows, "sha256": self._lines.digest.hexdigest()})

    def _write(self, value: Any) -> int:
        line = json.dumps(value, separators=(",", ":")).encode() + b"\n"
        self._lines.digest.update(line)
        self._stream.write(line)
        return len(line)


@contextmanager
def writing(path: Path) -> Iterator[BackupWriter]:
    """Write a backup that stands at ``path``, durably, when the block has ended well; else nothing does.

    Raises ``OSError``, also where there is such a file already.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    # For its owner only: rows tell who deployed what, and from where.
    with os.fdopen(open_private(unfinished), "wb") as file:
        # Held until it has its name: two at once must not write the same file.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            if path.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
            # What one that was killed has left.
            file.truncate(0)
            with zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False) as stream:
                writer = BackupWriter(stream)
                yield writer
                writer.end()
            file.flush()
            os.fsync(file.fileno())
            unfinished.rename(path)
        finally:
            unfinished.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class BackupReader:
    """Reads a backup, once from its begin to its end. Made by ``reading``."""

    def __init__(self, path: Path, stream: io.BufferedReader) -> None:
        self._path = path
        self._stream = stream
        self._lines = _Lines()
        self.header = self._header()

    @property
    def rows(self) -> Mapping[str, int]:
        """How many rows were read by now, by table."""
        return self._lines.rows

    def batches(self) -> Iterator[Batch]:
        """All rows, some at a time, in the order in which they can be written.

        Raises ``BackupUnusable``, perhaps only at the end: what was taken before does not count then.
        """
        table = ""
        columns: Sequence[str] = ()
        rows: list[Sequence[Any]] = []
        size_bytes = 0
        while True:
            line = self._line(_LONGEST_LINE_BYTES)
            value = self._parsed(line)
            if rows and (
                not isinstance(value, list) or len(rows) == _ROWS_AT_ONCE or size_bytes > _BATCH_BYTES
            ):
                yield Batch(table, columns, rows)
                rows, size_bytes = [], 0
            match value:
                case [*_] if table and len(value) == len(columns):
                    rows.append(value)
                    size_bytes += len(line)
                    self._lines.rows[table] += 1
                case {"table": str(table), "columns": [*columns]} if table not in self._lines.rows:
                    self._lines.rows[table] = 0
                case {"rows": told, "sha256": digest}:
                    if told != self._lines.rows or digest != self._lines.digest.hexdigest():
                        raise self._damaged("its content is not what was written")
                    return
                case _:
                    raise self._damaged("a line in it is none of a backup's")
            self._lines.digest.update(line)

    def _header(self) -> BackupHeader:
        line = self._line(_LONGEST_HEADER_BYTES)
        match self._parsed(line):
            case {"longshore_backup": int(written)} if written > FORMAT:
                raise BackupUnusable(
                    f"{self._path} has format {written}, this version knows {FORMAT}: use the version of "
                    "Longshore that wrote it, or a later one"
                )
            case {
                "longshore_backup": int(written),
                "schema": str(schema),
                "catalogue": str(catalogue),
                "time": str(time),
                "server_version": str(server_version),
                "database": str(database),
            } if written == FORMAT:
                self._lines.digest.update(line)
                try:
                    when = datetime.fromisoformat(time)
                except ValueError:
                    when = datetime.min
                if when.tzinfo is not None:
                    return BackupHeader(schema, catalogue, when, server_version, database)
            case {"longshore_backup": _}:
                pass
            case _:
                raise BackupUnusable(
                    f"{self._path} is no backup of a catalogue: `longshore admin backup` makes one"
                )
        raise self._damaged("its first line is not whole")

    def _line(self, longest: int) -> bytes:
        line = self._stream.readline(longest)
        if not line.endswith(b"\n"):
            raise self._damaged(
                "it ends in the middle" if len(line) < longest else "a line of it is too long"
            )
        return line

    def _parsed(self, line: bytes) -> Any:
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            raise self._damaged("a line in it is no JSON") from None

    def _damaged(self, how: str) -> BackupUnusable:
        return BackupUnusable(f"{self._path} is damaged: {how}. Take another backup; nothing was changed")


@contextmanager
def reading(path: Path) -> Iterator[BackupReader]:
    """Read the backup at ``path``. Raises ``BackupUnusable``, here and wherever it is read on."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise BackupUnusable(f"{path} cannot be read: {error.strerror}") from error
    with file:
        try:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise BackupUnusable(
                    f"{path} is no backup of a catalogue: `longshore admin backup` makes one"
                )
            file.seek(0)
            stream = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW_BYTES).stream_reader(file)
            yield BackupReader(path, io.BufferedReader(stream, 1 << 20))
        except zstandard.ZstdError as error:
            raise BackupUnusable(
                f"{path} is damaged: {error}. Take another one; nothing was changed"
            ) from error
        except OSError as error:
            raise BackupUnusable(f"{path} cannot be read: {error}") from error
