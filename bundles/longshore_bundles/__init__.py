"""Bundles: what a payload holds, pure and without network or database.

Owns the canonical tar and ``content_sha256``, reading and safely unpacking archives, manifests, and the
rules for names and versions. The same code answers on a laptop, in a dry run and in a real deployment.
Everything here blocks and is meant to be called in a thread where that matters.
"""

from __future__ import annotations

from .archive_entry import ArchiveEntry
from .archives import Archive, open_archive
from .bundle_scan import BundleScan
from .canonical_tar import CanonicalTar, FileSpan
from .component import BundleManifest
from .constraints import MAX_CONSTRAINT_CHARACTERS, Constraint, check_constraint, highest
from .content_checksum import directory_checksum, file_checksum
from .dependencies import (
    Dependency,
    cycle_findings,
    dependency_cycles,
    dependency_findings,
    runtime_findings,
    runtime_version,
)
from .entry_rules import EntryKind
from .errors import (
    ArchiveUnreadable,
    BundleError,
    ContentRefused,
    EntryRefused,
    InvalidConstraint,
    InvalidName,
    InvalidVersion,
    LimitExceeded,
    TreeChanged,
    TreeUnreadable,
)
from .file_digests import FileDigests
from .findings import Finding, FindingLog, Severity
from .formats import DETECT_BYTES, PayloadFormat, detect_format
from .kinds import BundleKind
from .limits import DEFAULT_LIMITS, UnpackLimits
from .names import check_environment, check_file_name, check_project, project_from_name
from .scanning import SecondReadingNeeded, scan, scan_by_unpacking
from .tree_walk import IGNORE_FILE, TreeEntry, walk_tree
from .unpacking import UnpackResult, unpack
from .versions import (
    FIRST_VERSION,
    MAX_VERSION_BYTES,
    Bump,
    bump_version,
    case_folded,
    check_version,
    order_key,
)

__all__ = [
    "DEFAULT_LIMITS",
    "DETECT_BYTES",
    "FIRST_VERSION",
    "IGNORE_FILE",
    "MAX_CONSTRAINT_CHARACTERS",
    "MAX_VERSION_BYTES",
    "Archive",
    "ArchiveEntry",
    "ArchiveUnreadable",
    "Bump",
    "BundleError",
    "BundleKind",
    "BundleManifest",
    "BundleScan",
    "CanonicalTar",
    "Constraint",
    "ContentRefused",
    "Dependency",
    "EntryKind",
    "EntryRefused",
    "FileDigests",
    "FileSpan",
    "Finding",
    "FindingLog",
    "InvalidConstraint",
    "InvalidName",
    "InvalidVersion",
    "LimitExceeded",
    "PayloadFormat",
    "SecondReadingNeeded",
    "Severity",
    "TreeChanged",
    "TreeEntry",
    "TreeUnreadable",
    "UnpackLimits",
    "UnpackResult",
    "bump_version",
    "case_folded",
    "check_constraint",
    "check_environment",
    "check_file_name",
    "check_project",
    "check_version",
    "cycle_findings",
    "dependency_cycles",
    "dependency_findings",
    "detect_format",
    "directory_checksum",
    "file_checksum",
    "highest",
    "open_archive",
    "order_key",
    "project_from_name",
    "runtime_findings",
    "runtime_version",
    "scan",
    "scan_by_unpacking",
    "unpack",
    "walk_tree",
]
