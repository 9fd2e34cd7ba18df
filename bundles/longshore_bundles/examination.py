"""One pass over an archive that holds every entry against the rules, and writes it down where asked to.

Scanning and unpacking are the same pass, without and with a ``TreeWriter``, so they cannot disagree. What
is wrong with an entry is noted and the next one looked at; after the first error nothing more is written
or digested. Damage and limits end the pass.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from functools import cached_property

from blake3 import blake3

from .archive_entry import ArchiveEntry
from .archives import Archive
from .bundle_files import FileKeeper
from .bundle_reading import Bundle, read_bundle
from .content_checksum import CanonicalDigest
from .documents import MAX_DOCUMENT_BYTES
from .entry_rules import EntryKind, SeenPaths, check_link, clean_path
from .errors import ArchiveUnreadable, EntryRefused, LimitExceeded
from .file_digests import FileDigests
from .findings import Finding, FindingLog, Severity, quoted
from .sole_top import SoleTop
from .tree_writer import TreeWriter

_READ_BYTES = 1 << 20


class Examination:
    """The pass over one archive, and what it brought to light. Call ``run`` once, then read the rest.

    ``log`` says what is unsafe or damaged, ``content_log`` (once ``bundle`` was asked for) what the bundle's
    own files say wrongly. ``file_digests`` takes up what whoever installs the tree keeps. A hard link
    is written as a copy of the file it names, which must have come before it: a canonical tree has none.
    """

    def __init__(
        self,
        archive: Archive,
        writer: TreeWriter | None = None,
        file_digests: FileDigests | None = None,
        *,
        reads_bundle: bool = True,
    ) -> None:
        self._archive = archive
        self._writer = writer
        self._file_digests = file_digests
        self._seen = SeenPaths()
        self._top = SoleTop()
        self._digest = CanonicalDigest()
        # The same without the top-level directory, for as long as it may come to be stripped.
        self._stripped_digest: CanonicalDigest | None = CanonicalDigest()
        self._stripped_log = FindingLog()
        self._keeper = FileKeeper() if reads_bundle else None
        self.log = FindingLog()
        self.content_log = FindingLog()
        self.entry_count = 0
        self.unpacked_bytes = 0

    def run(self) -> None:
        """Read the archive to its end. Raises only what the source or the disk raises."""
        try:
            for entry in self._archive.entries():
                self.entry_count += 1
                try:
                    self._take(entry)
                except EntryRefused as error:
                    self.log.add_error(error)
            self._conclude()
        except (ArchiveUnreadable, LimitExceeded) as error:
            self.log.add_error(error)

    @property
    def stripped_directory(self) -> str:
        """The top-level directory that is left out; empty if there is none."""
        return self._top.stripped

    @property
    def content_sha256(self) -> str | None:
        """content_sha256; None if something is wrong, or if the order of the entries did not allow it."""
        if self.log.has_errors:
            return None
        if self.stripped_directory and self._stripped_digest is not None:
            return self._stripped_digest.hexdigest()
        return self._digest.hexdigest()

    @cached_property
    def bundle(self) -> Bundle:
        """What the archive is, read from its files when it is first asked for.

        Nothing where it is unsafe, or where nobody wants to know (``reads_bundle``).
        """
        if self._keeper is None or self.log.has_errors:
            return Bundle()
        return read_bundle(self._keeper.kept(inside_top=bool(self.stripped_directory)), self.content_log)

    def _take(self, entry: ArchiveEntry) -> None:
        if entry.problem is not None:
            raise entry.problem
        path = clean_path(entry.name)
        if not path and entry.kind is EntryKind.DIRECTORY:
            return
        if not path:
            raise EntryRefused("PATH_EMPTY", f"{quoted(entry.name)} is the root and no directory")
        self._check_target(path, entry)
        kind = EntryKind.FILE if entry.kind is EntryKind.HARD_LINK else entry.kind
        for _ in range(self._seen.add(path, kind)):
            # A directory that no entry names is made, and remembered, all the same.
            self._archive.meter.count_entry()
        self._top.note(path, entry.kind)
        if not self._top.candidate:
            self._stripped_digest = None
            if self._keeper is not None:
                self._keeper.has_several_tops()
        if self.log.has_errors:
            return
        match entry.kind:
            case EntryKind.FILE:
                blocks = self._file(path, entry.size_bytes, entry.executable, entry.blocks())
                self._write_file(path, blocks, executable=entry.executable)
            case EntryKind.HARD_LINK:
                self._copy_file(path, clean_path(entry.target))
            case EntryKind.LINK:
                self._link(path, entry.target)
            case _:
                self._directory(path)

    def _check_target(self, path: str, entry: ArchiveEntry) -> None:
        if entry.kind is EntryKind.LINK:
            if check_link(path, entry.target) == 0 and "/" in path:
                self._stripped_log.add_error(
                    EntryRefused(
                        "LINK_ESCAPES",
                        f"the link {quoted(path)} leads out of the top-level directory, which is not "
                        "installed: link to something inside it",
                        path=path,
                    )
                )
        elif entry.kind is EntryKind.HARD_LINK and not self._seen.is_file(clean_path(entry.target)):
            raise EntryRefused(
                "HARD_LINK_INVALID",
                f"{quoted(path)} is a hard link to {quoted(entry.target)}, which is no file before "
                "it in the archive: pack files instead of links",
                path=path,
            )

    def _file(self, path: str, size: int, executable: bool, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """A file's content as it passes, digested on its way."""
        digests = list(self._digests(path))
        for digest, name in digests:
            digest.begin_file(name, size, executable=executable)
        file_digest = blake3() if self._file_digests is not None else None
        is_kept = self._keeper is not None and self._keeper.wants(path)
        content = bytearray()
        seen_bytes = 0
        for block in blocks:
            seen_bytes += len(block)
            self._archive.meter.check_file(path, seen_bytes)
            if file_digest is not None:
                file_digest.update(block)
            for digest, _ in digests:
                digest.update(block)
            if is_kept and len(content) <= MAX_DOCUMENT_BYTES:
                content += block
            yield block
        for digest, _ in digests:
            digest.end_file()
        if self._keeper is not None:
            self._keeper.add(path, bytes(content), executable=executable)
        self.unpacked_bytes += seen_bytes
        if self._file_digests is not None and file_digest is not None:
            self._file_digests.add(path, file_digest.digest())

    def _write_file(self, path: str, blocks: Iterator[bytes], *, executable: bool) -> None:
        if self._writer is not None:
            self._writer.write_file(path, blocks, executable=executable)
        else:
            for _ in blocks:
                pass

    def _copy_file(self, path: str, target: str) -> None:
        for digest, _ in self._digests(path):
            digest.give_up()
        if self._writer is None:
            return
        descriptor = self._writer.open_file(target)
        try:
            status = os.fstat(descriptor)
            executable = bool(status.st_mode & stat.S_IXUSR)
            blocks = self._file(path, status.st_size, executable, self._copied_blocks(descriptor))
            self._write_file(path, blocks, executable=executable)
        finally:
            os.close(descriptor)

    def _copied_blocks(self, descriptor: int) -> Iterator[bytes]:
        while data := os.read(descriptor, _READ_BYTES):
            self._archive.meter.count_bytes(len(data))
            yield data

    def _link(self, path: str, target: str) -> None:
        if self._keeper is not None:
            self._keeper.add_link(path)
        for digest, name in self._digests(path):
            digest.add_link(name, target)
        if self._writer is not None:
            self._writer.make_link(path, target)

    def _directory(self, path: str) -> None:
        for digest, name in self._digests(path):
            digest.add_directory(name)
        if self._writer is not None:
            self._writer.make_directory(path)

    def _digests(self, path: str) -> Iterator[tuple[CanonicalDigest, str]]:
        """The digests that an entry belongs to, with its path in each."""
        yield self._digest, path
        name = path.partition("/")[2]
        if self._stripped_digest is not None and name:
            yield self._stripped_digest, name

    def _conclude(self) -> None:
        if not self.entry_count:
            self.log.add(
                Finding("ARCHIVE_EMPTY", Severity.ERROR, "the archive holds nothing: check what was packed")
            )
        top = self.stripped_directory
        if top:
            self.log.add_all(self._stripped_log)
            if self._file_digests is not None:
                self._file_digests.move_root(top)
