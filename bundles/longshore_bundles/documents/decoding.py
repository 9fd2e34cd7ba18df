"""From a file's bytes to text: bounded, UTF-8, with or without a byte order mark."""

from __future__ import annotations

import re

from longshore_bundles.findings import Finding, FindingLog, Severity

MAX_DOCUMENT_BYTES = 1 << 20
"""How large a file may be that is read as a document; an index may be larger."""
_UNWRITABLE = re.compile("[\\0\ud800-\udfff]")


class DocumentRefused(Exception):
    """A document cannot be read any further."""

    def __init__(self, code: str, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.line = line

    def note(self, path: str, log: FindingLog) -> None:
        """Take it down as a finding about the file at ``path``."""
        log.add(Finding(self.code, Severity.ERROR, self.message, path, self.line))


def decoded(data: bytes, max_bytes: int) -> str:
    """The text of a file without its byte order mark. Raises ``DocumentRefused``."""
    if len(data) > max_bytes:
        raise DocumentRefused(
            "DOCUMENT_TOO_LARGE", f"the file is larger than {max_bytes} bytes, which is the limit: split it"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DocumentRefused(
            "DOCUMENT_NOT_UTF8", "the file is not UTF-8: save it in this encoding", line
        ) from None


def writable(text: str, line: int | None = None) -> str:
    """The text itself. Raises ``DocumentRefused`` for what UTF-8 or a database cannot hold."""
    if not text.isprintable() and _UNWRITABLE.search(text):
        raise DocumentRefused(
            "TEXT_UNSUPPORTED", "a text holds a NUL or half of a surrogate pair: remove it", line
        )
    return text
