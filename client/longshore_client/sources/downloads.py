"""One file of a source, brought to this machine and verified: out of the cache, or over the web."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from urllib.parse import unquote

from longshore_bundles import InvalidName, check_file_name
from longshore_client.contents import FETCHED_LIMITS, content_of
from longshore_client.errors import DestinationUnusable, PayloadRefused
from longshore_client.file_opening import open_file
from longshore_client.payloads import readable
from longshore_client.source_errors import SourceDamaged, SourceRefused

from .cache import Cache
from .checksums import Checksum, Digests
from .options import Deadline, FetchOptions
from .source import Progress
from .urls import checked_url, shown_url
from .web import Answer, Web

_PACKED_NAMES: Final = (".gz", ".tgz")
_UNNAMED: Final = "payload"
_PIECE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A file that is there whole; ``sha256`` is that of its bytes."""

    path: Path
    sha256: Checksum


def download(
    web: Web,
    url: str,
    path: Path,
    *,
    expected: Checksum | None,
    options: FetchOptions,
    on_progress: Progress | None,
) -> Downloaded:
    """Bring what is behind ``url`` to ``path``, which must not exist, and hold it against ``expected``.

    Nothing is left at ``path`` when it fails. Raises ``SourceError`` and ``DestinationUnusable``.
    """
    cache = Cache(options.cache_folder, options.cache_bytes)
    # Also where its content is there already: what is forbidden stays so.
    web.check(url)
    if expected is not None:
        kept = _from_cache(cache, expected, path, web.deadline)
        if kept is not None:
            return kept
    with web.get(url) as answer:
        _refuse_pages_and_encodings(answer)
        digests = Digests(expected)
        with _writable(path):
            with path.open("xb") as file:
                _write(answer, file, digests, options.most_bytes, on_progress)
            if expected is not None:
                _verify(expected, digests, path, answer.url, web.deadline)
    if expected is not None:
        cache.keep(expected, path)
    return Downloaded(path, digests.checksum())


def local_file(path: Path, expected: Checksum) -> Downloaded:
    """Hold a file of this machine against a checksum.

    Raises ``SourceDamaged`` and ``PayloadUnreadable``.
    """
    digests = Digests(expected)
    with readable(path), open_file(path) as file:
        while piece := file.read(_PIECE_BYTES):
            digests.update(piece)
    _verify(expected, digests, path, str(path))
    return Downloaded(path, digests.checksum())


def file_name_of(url: str) -> str:
    """The name under which a URL's file is kept: the last part of its path where that is a file's name."""
    name = unquote(checked_url(url, "http", "https").path).rpartition("/")[2]
    try:
        return check_file_name(name)
    except InvalidName:
        return _UNNAMED


def _from_cache(cache: Cache, expected: Checksum, path: Path, deadline: Deadline) -> Downloaded | None:
    """What is kept under the checksum, brought to ``path``; what is something else is dropped."""
    with _writable(path):
        digests = cache.take(expected, path)
    if digests is None:
        return None
    try:
        with _writable(path):
            _verify(expected, digests, path, str(path), deadline)
    except SourceDamaged:
        cache.drop(expected)
        return None
    return Downloaded(path, digests.checksum())


def _verify(
    expected: Checksum, digests: Digests, path: Path, url: str, deadline: Deadline | None = None
) -> None:
    """Hold a file against a checksum of its bytes or of its content. Raises ``SourceDamaged``.

    What others serve has a deadline, which is ``SourceUnavailable``.
    """
    found = digests.checksum(expected.algorithm)
    if found == expected:
        return
    told = ""
    if expected.algorithm == "sha256":
        try:
            if deadline is None:
                found_in = content_of(path)
            else:
                found_in = content_of(path, FETCHED_LIMITS, deadline.left_s)
            content = f"sha256:{found_in.content_sha256}"
        except PayloadRefused as error:
            content = f"none, {error.findings[0].code}" if error.findings else "none"
        if content == str(expected):
            return
        told = f" (of its content {content})"
    raise SourceDamaged(
        f"{shown_url(url)} has another checksum than it should have: {found}{told}, not {expected}"
    )


def _write(
    answer: Answer, file: IO[bytes], digests: Digests, most_bytes: int, on_progress: Progress | None
) -> None:
    come_bytes = 0
    for piece in answer.pieces(most_bytes):
        digests.update(piece)
        file.write(piece)
        come_bytes += len(piece)
        if on_progress is not None:
            on_progress(come_bytes, answer.length_bytes)


def _refuse_pages_and_encodings(answer: Answer) -> None:
    shown = shown_url(answer.url)
    name = file_name_of(answer.url)
    if answer.content_type in ("text/html", "application/xhtml+xml") and not name.endswith((".html", ".htm")):
        raise SourceRefused(
            f"{shown} is a web page, and no archive: name the archive itself, or write git+{shown}@REF for a "
            "repository"
        )
    # Some servers call the compression of an archive an encoding; the bytes are the archive's all the same.
    is_archive = answer.content_encoding in ("gzip", "x-gzip") and name.lower().endswith(_PACKED_NAMES)
    if answer.content_encoding not in ("identity", "") and not is_archive:
        raise SourceRefused(
            f"{shown} is sent as {answer.content_encoding[:40]!r}, not as it is, which was asked for"
        )


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    """Write ``path`` inside the block; what is not whole goes."""
    try:
        yield
    except FileExistsError as error:
        raise DestinationUnusable(f"{path} exists already") from error
    except OSError as error:
        path.unlink(missing_ok=True)
        raise DestinationUnusable(f"cannot write {path}: {error.strerror or error}") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
