"""Takes findings about one document down, with their lines."""

from __future__ import annotations

from dataclasses import dataclass

from longshore_bundles.findings import Finding, FindingLog, Severity

from .document import Document
from .fields import Pointer


@dataclass(frozen=True, slots=True)
class FindingsAbout:
    """The log of one document; a pointer says where in it something is."""

    document: Document
    log: FindingLog

    def error(self, code: str, message: str, pointer: Pointer = ()) -> None:
        """Something that stops a deployment."""
        self._add(code, Severity.ERROR, message, pointer)

    def warning(self, code: str, message: str, pointer: Pointer = ()) -> None:
        """Something that is likely to be a mistake."""
        self._add(code, Severity.WARNING, message, pointer)

    def info(self, code: str, message: str, pointer: Pointer = ()) -> None:
        """Something worth knowing."""
        self._add(code, Severity.INFO, message, pointer)

    def _add(self, code: str, severity: Severity, message: str, pointer: Pointer) -> None:
        line = self.document.line(pointer)
        self.log.add(Finding(code, severity, message, self.document.path, line))
