"""What a shape cannot say about an index: constraints, and claims that contradict each other.

Codes: CONSTRAINT_INVALID, PACK_DUPLICATE, VERSION_DUPLICATE, CHECKSUM_CONFLICT, CHECKSUM_MISSING; a warning:
VERSION_NOT_HIGHEST.
"""

from __future__ import annotations

from typing import Any

from longshore_bundles.constraints import check_constraint
from longshore_bundles.documents import Document
from longshore_bundles.errors import InvalidConstraint
from longshore_bundles.findings import Finding, FindingLog, Severity
from longshore_bundles.versions import case_folded, order_key


def check_claims(document: Document, index: Any, log: FindingLog) -> None:
    """Hold an index, which has the shape of one, against the rules; what is wrong goes into ``log``."""
    numbers: dict[str, int] = {}
    for number, pack in enumerate(index["packs"]):
        ref = pack["ref"]
        rules = _PackRules(document, log, number, pack)
        first = numbers.setdefault(ref, number)
        if first != number:
            line = document.line(("packs", first))
            rules.wrong("PACK_DUPLICATE", f"the pack '{ref}' is here already (line {line}): keep one")
        rules.check()


class _PackRules:
    """The rules for one pack, by its number in the index."""

    def __init__(self, document: Document, log: FindingLog, number: int, pack: dict[str, Any]) -> None:
        self._document = document
        self._log = log
        self._number = number
        self._pack = pack

    def check(self) -> None:
        """Hold all of it against the rules."""
        for name, constraint in self._pack.get("runtime_deps", {}).items():
            self._check_constraint(constraint, "runtime_deps", name)
        for number, dependency in enumerate(self._pack.get("dependencies", ())):
            if isinstance(dependency, dict) and "version" in dependency:
                self._check_constraint(dependency["version"], "dependencies", number, "version")
        self._check_version(self._pack["version"], self._checksums())

    def wrong(self, code: str, message: str, *steps: str | int, severity: Severity = Severity.ERROR) -> None:
        """Take down what is wrong at a place in the pack."""
        line = self._document.line(("packs", self._number, *steps))
        self._log.add(Finding(code, severity, message, self._document.path, line))

    def _checksums(self) -> dict[str, str]:
        """The checksum of every release by its version, folded; what is wrong with them is told."""
        ref = self._pack["ref"]
        found: dict[str, str] = {}
        for number, release in enumerate(self._pack.get("releases", ())):
            version, checksum = release["version"], release["checksum"]
            folded = case_folded(version)
            if folded in found:
                told = " with another checksum" if found[folded] != checksum else ""
                self.wrong(
                    "VERSION_DUPLICATE",
                    f"version {version} of '{ref}' is here a second time{told}: keep one",
                    "releases",
                    number,
                )
            found.setdefault(folded, checksum)
            self._check_sources(release, version, checksum, "releases", number)
        return found

    def _check_version(self, version: str, checksums: dict[str, str]) -> None:
        """Hold the version that the pack is described as against its releases."""
        ref = self._pack["ref"]
        checksum = checksums.get(case_folded(version)) or source_checksum(self._pack)
        if not checksum:
            self.wrong(
                "CHECKSUM_MISSING",
                f"nothing tells the checksum of '{ref}' {version}: add it to releases, with the checksum "
                "that `longshore checksum` prints",
            )
        self._check_sources(self._pack, version, checksum)
        higher = max(checksums, key=order_key, default=version)
        if order_key(higher) > order_key(case_folded(version)):
            self.wrong(
                "VERSION_NOT_HIGHEST",
                f"'{ref}' is described as version {version}, but has a higher release, {higher}: describe it "
                "as that one does",
                "version",
                severity=Severity.WARNING,
            )

    def _check_sources(self, holder: dict[str, Any], version: str, checksum: str, *steps: str | int) -> None:
        for number, source in enumerate(holder.get("install_sources", ())):
            if source.get("checksum", checksum) != checksum:
                self.wrong(
                    "CHECKSUM_CONFLICT",
                    f"this source of '{self._pack['ref']}' {version} has another checksum than the release: "
                    "one version is one content; see which of them `longshore checksum` prints",
                    *(*steps, "install_sources", number),
                )

    def _check_constraint(self, text: str, *steps: str | int) -> None:
        try:
            check_constraint(text)
        except InvalidConstraint as error:
            self.wrong(error.reason, f"'{self._pack['ref']}': {error.message}", *steps)


def source_checksum(holder: dict[str, Any]) -> str:
    """The checksum that the first source with one states; empty where none does."""
    return next((each["checksum"] for each in holder.get("install_sources", ()) if "checksum" in each), "")
