"""One commit of a git repository as a plain directory.

The ref is resolved once, its commit alone is fetched, and what the commit holds is counted before any of it
is written. Nothing that the repository names is run or fetched: no hooks, no filters, no submodules.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from longshore_bundles import InvalidName, check_file_name
from longshore_client.contents import content_of
from longshore_client.errors import DestinationUnusable
from longshore_client.source_errors import (
    SourceDamaged,
    SourceInvalid,
    SourceNotFound,
    SourceRefused,
    SourceTooLarge,
    SourceUnavailable,
)

from .checksums import Checksum
from .git_program import GitFailed, GitProgram, authorization, encoded_token
from .git_urls import check_ref, check_repository, refuse_protocol
from .options import Deadline, FetchOptions
from .source import GitSource
from .urls import Origin, checked_url, origin_of, shown_url
from .web import Web

MOST_ENTRIES: Final = 500_000

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PINNED: Final = "http.curloptResolve"
_PINNING_SINCE: Final = (2, 37)
_GIT_VERSION: Final = re.compile(r"\b([0-9]{1,4})\.([0-9]{1,4})")
_LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_LFS_POINTER_BYTES: Final = 1024
_SUBMODULE_MODE: Final = b"160000"
_MOST_PATH_BYTES: Final = 64 * 1024
_ATTRIBUTES: Final = "* -filter -ident -working-tree-encoding\n"
"""No program is to change what the repository holds, so that a commit is the same tree everywhere."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A commit's tree. ``by_commit`` tells whether the commit itself was asked for."""

    path: Path
    commit: str
    by_commit: bool
    content: Checksum
    notes: tuple[str, ...]


def fetch_git(
    source: GitSource,
    into: Path,
    options: FetchOptions,
    deadline: Deadline,
    *,
    expected: Checksum | None,
    web: Web | None = None,
) -> Checkout:
    """Fetch a commit into a new directory below ``into``, and hold its content against ``expected``.

    ``web`` is given where an index named the repository: then its address is held against the same rules as
    every other one. Raises ``SourceError`` and ``DestinationUnusable``.
    """
    check_repository(source.url)
    refuse_protocol(source.url, allow_http=options.allow_http)
    ref = check_ref(source.ref) if source.ref else "HEAD"
    settings = _pinned(source.url, web) if web else {}
    token = options.token() if web is None else ""
    if token and source.url.startswith("http://"):
        raise SourceRefused(f"the token would go to {shown_url(source.url)} over plain HTTP: write https")
    if token and source.url.startswith("https://"):
        settings |= authorization(source.url, token)
    tree = into / _name_of(source.url)
    with _made(tree), tempfile.TemporaryDirectory(prefix=".git-", dir=into) as git_folder:
        git = GitProgram(
            Path(git_folder),
            tree,
            protocols=_protocols(source.url, allow_http=options.allow_http),
            settings=settings,
            secrets=(encoded_token(token), token) if token else (),
            deadline=deadline,
            most_bytes=options.most_bytes,
        )
        if _PINNED in settings and web is not None and web.keeps_out:
            _require_pinning(git)
        commit, notes = _check_out(git, Path(git_folder), source.url, ref, options.most_bytes)
        content = Checksum("sha256", content_of(tree, check=deadline.left_s).content_sha256)
        if expected not in (None, content):
            raise SourceDamaged(
                f"{shown_url(source.url)} at {ref} has another content than it should have: {content}, not "
                f"{expected}"
            )
    return Checkout(tree, commit, commit == ref, content, notes + _lfs_notes(tree, deadline))


def _check_out(
    git: GitProgram, git_folder: Path, url: str, ref: str, most_bytes: int
) -> tuple[str, tuple[str, ...]]:
    try:
        git.run("init", "--quiet", "--template=")
        git.run("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--", url, ref)
        commit = git.run("rev-parse", "--verify", "--quiet", "FETCH_HEAD^{commit}").decode().strip()
        if _COMMIT.fullmatch(commit) is None or (_COMMIT.fullmatch(ref) and commit != ref):
            raise SourceNotFound(f"{ref!r} of {shown_url(url)} is no commit")
        counted = _TreeCount(most_bytes)
        git.run("ls-tree", "-r", "-l", "-z", "--full-tree", commit, take=counted.take)
        attributes = git_folder / "info" / "attributes"
        attributes.parent.mkdir(exist_ok=True)
        attributes.write_text(_ATTRIBUTES)
        git.run("checkout", "--quiet", "--force", "--detach", commit)
    except GitFailed as error:
        raise _failure(error.told, url, ref) from error
    return commit, counted.notes()


class _TreeCount:
    """Counts what a tree holds from git's list of it, which may be longer than any disk."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._rest = b""
        self._entries = 0
        self._total_bytes = 0
        self._submodules: list[str] = []

    def take(self, piece: bytes) -> None:
        """The next piece of the list. Raises ``SourceTooLarge``."""
        *entries, self._rest = (self._rest + piece).split(b"\0")
        for entry in entries:
            facts, _, path = entry.partition(b"\t")
            mode, _, _, size = facts.split()
            if mode == _SUBMODULE_MODE:
                self._submodules.append(path.decode("utf-8", "replace"))
            self._total_bytes += int(size) if size.isdigit() else 0
        if any(len(each) > _MOST_PATH_BYTES for each in (*entries, self._rest)):
            raise SourceTooLarge(f"the commit holds a path of more than {_MOST_PATH_BYTES} bytes")
        self._entries += len(entries)
        if self._entries > MOST_ENTRIES:
            raise SourceTooLarge(f"the commit holds more than {MOST_ENTRIES} files, which is the limit")
        if self._total_bytes > self._most_bytes:
            raise SourceTooLarge(f"the commit holds more than {self._most_bytes} bytes, which is the limit")

    def notes(self) -> tuple[str, ...]:
        """What of the commit is left out."""
        if not self._submodules:
            return ()
        return (f"submodules are left out, as empty directories: {_some(self._submodules)}",)


def _failure(told: str, url: str, ref: str) -> SourceNotFound | SourceUnavailable:
    if any(each in told for each in ("couldn't find remote ref", "not our ref", "no such remote ref")):
        named = "a default branch" if ref == "HEAD" else f"the ref {ref!r}; a commit wants all of its digits"
        return SourceNotFound(f"the repository {shown_url(url)} has not {named}")
    if "does not appear to be a git repository" in told or "not found" in told.lower():
        return SourceNotFound(
            f"there is no git repository at {shown_url(url)}, or it may not be read: {told}"
        )
    return SourceUnavailable(f"git cannot fetch {shown_url(url)}: {told}")


def _protocols(url: str, *, allow_http: bool) -> Sequence[str]:
    """What git may speak. Both of the safe ones: a person's settings may put one for the other."""
    protocols = ["https", "ssh"]
    if allow_http:
        protocols.append("http")
    if url.startswith("file://"):
        protocols.append("file")
    return protocols


def _pinned(url: str, web: Web) -> dict[str, str]:
    """Hold a repository's server against the rules for addresses, and git to what was found."""
    if url.startswith("file:"):
        raise SourceInvalid(f"{shown_url(url)} is a path, which only a person may name")
    if "://" not in url:
        web.addresses(Origin("ssh", url.partition("@")[2].partition(":")[0].lower(), 22))
        return {}
    origin = origin_of(checked_url(url, "https", "http", "ssh"))
    addresses = web.addresses(origin)
    if origin.scheme == "ssh" or not addresses:
        return {}
    bracketed = ",".join(f"[{each}]" if ":" in each else each for each in addresses)
    return {_PINNED: f"{origin.host}:{origin.port}:{bracketed}"}


def _require_pinning(git: GitProgram) -> None:
    """Raises ``SourceUnavailable`` for a git that would ask for the address once more, and not say so."""
    found = _GIT_VERSION.search(git.run("version").decode())
    if found is None or (int(found[1]), int(found[2])) < _PINNING_SINCE:
        raise SourceUnavailable(
            "an index on the internet names this repository, and the git here cannot be held to the address "
            "that was checked: use git 2.37 or later, or allow every address with --allow-private"
        )


def _name_of(url: str) -> str:
    path = urlsplit(url).path if "://" in url else url.partition(":")[2]
    name = path.rstrip("/").rpartition("/")[2].removesuffix(".git")
    try:
        return check_file_name(name)
    except InvalidName:
        return "tree"


def _lfs_notes(tree: Path, deadline: Deadline) -> tuple[str, ...]:
    pointers = []
    for path in tree.rglob("*"):
        deadline.left_s()
        with suppress(OSError):
            if path.is_symlink() or not path.is_file() or path.stat().st_size > _LFS_POINTER_BYTES:
                continue
            with path.open("rb") as file:
                if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
                    pointers.append(str(path.relative_to(tree)))
    if not pointers:
        return ()
    return (
        f"contents kept by Git LFS are not fetched, their pointers are deployed: {_some(sorted(pointers))}",
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(name[:100] for name in names[:3])
    return f"{shown}, and {len(names) - 3} more" if len(names) > 3 else shown


@contextmanager
def _made(path: Path) -> Iterator[None]:
    """Make a directory that goes again when the block fails."""
    try:
        path.mkdir(parents=True)
    except FileExistsError as error:
        raise DestinationUnusable(f"{path} exists already") from error
    except OSError as error:
        raise DestinationUnusable(f"cannot make {path}: {error.strerror}") from error
    try:
        yield
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
