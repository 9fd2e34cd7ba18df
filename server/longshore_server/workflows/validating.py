"""Workflows validated: those of a stored release, or files that are sent along. Nothing is changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from longshore_bundles import Finding
from longshore_bundles.findings import FindingLog
from longshore_bundles.workflows import read_all_workflows
from longshore_server.deploying.examining import Examiner
from longshore_server.deploying.queueing import find_release
from longshore_server.unbroken import in_thread
from longshore_storage.catalogue import Catalogue

from .stored import examine_release

MOST_FILES: Final = 10_000
"""How many files may be sent along."""
MOST_FILE_BYTES: Final = 16 << 20
"""How many bytes these may have, with their paths."""


@dataclass(frozen=True, slots=True)
class ValidatedWorkflows:
    """How many workflows were read, and the first of what was found in them, errors first.

    ``error_count`` counts all errors.
    """

    validated: int
    findings: Sequence[Finding]
    error_count: int


class WorkflowValidation:
    """The use case ValidateWorkflows."""

    def __init__(self, catalogue: Catalogue, examiner: Examiner) -> None:
        self._catalogue = catalogue
        self._examiner = examiner

    async def of_release(self, project: str, version: str) -> ValidatedWorkflows:
        """Validate what a release has. Raises ``Refusal`` where there is none, or its payload is gone."""
        async with self._catalogue.reading() as transaction:
            release = await find_release(transaction, project, version)
        scan = (await examine_release(self._examiner, release)).scan
        return ValidatedWorkflows(len(scan.workflows), scan.workflow_findings, scan.workflow_error_count)

    async def of_files(
        self, files: Mapping[str, bytes], pack: str, actions: Collection[str], *, is_stackstorm: bool
    ) -> ValidatedWorkflows:
        """Validate files by their paths in a pack, whose actions' names and spelling are given."""
        return await in_thread(_read, files, pack, actions, is_stackstorm)


def _read(
    files: Mapping[str, bytes], pack: str, actions: Collection[str], is_stackstorm: bool
) -> ValidatedWorkflows:
    log = FindingLog()
    read = read_all_workflows(files, pack, actions, log, is_stackstorm=is_stackstorm)
    return ValidatedWorkflows(len(read), log.findings(), log.error_count)
