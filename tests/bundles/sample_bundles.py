"""Bundles for the tests: small trees, scanned in every way that there is."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from longshore_bundles import BundleScan, CanonicalTar, Finding, PayloadFormat, scan
from tests.bundles.trees import File, Tree, make_tar, make_zip, write_tree

SKILL_MD = b"---\nname: Log-Rotate\nversion: 1.2.0\ndescription: Rotates logs\ntags: [ops]\n---\n# How\n"
SKILL: Tree = {
    "SKILL.md": File(SKILL_MD),
    "execute.sh": File(b"#!/bin/sh\n", executable=True),
    "test.sh": File(b"#!/bin/sh\n", executable=True),
}
PACK_YAML = b"ref: netops\nlabel: Net Ops\ndescription: Network tools\nversion: 1.4.0\n"
WORKFLOW = b"label: Roll\nversion: 1.0.0\ntasks:\n  - {name: a, action: netops.restart}\n"
PACK: Tree = {
    "actions/restart.yaml": File(b"name: restart\ndescription: Restarts\nentry_point: restart.sh\n"),
    "actions/restart.sh": File(b"#!/bin/sh\n", executable=True),
    "pack.yaml": File(PACK_YAML),
    "sensors/link.yaml": File(b"class_name: LinkSensor\ndescription: Watches\nentry_point: link.py\n"),
    "sensors/link.py": File(b"pass\n"),
    "workflows/roll.yaml": File(WORKFLOW),
}


def scanned(tree: Tree, *, prefix: str = "") -> BundleScan:
    return scan_bytes(make_tar(tree, prefix=prefix), PayloadFormat.TAR)


def scan_bytes(data: bytes, payload_format: PayloadFormat) -> BundleScan:
    with tempfile.TemporaryDirectory() as scratch:
        return scan(io.BytesIO(data), payload_format, scratch=Path(scratch))


def scanned_every_way(tree: Tree) -> list[BundleScan]:
    """As a directory, as archives with and without a top folder, in order and out of it."""
    with tempfile.TemporaryDirectory() as folder:
        canonical = b"".join(CanonicalTar(write_tree(Path(folder, "tree"), tree)))
    backwards = sorted(tree, reverse=True)
    return [
        scan_bytes(canonical, PayloadFormat.TAR),
        scanned(tree),
        scanned(tree, prefix="some-folder-1.0/"),
        scan_bytes(make_tar(tree, order=backwards, prefix="./"), PayloadFormat.TAR),
        scan_bytes(make_zip(tree), PayloadFormat.ZIP),
        scan_bytes(make_zip(tree, order=backwards, prefix="x/"), PayloadFormat.ZIP),
    ]


def said(found: BundleScan | list[Finding]) -> list[tuple[str, str, str, int | None]]:
    """Findings as code, severity, path and line."""
    findings = found.findings if isinstance(found, BundleScan) else found
    return [(each.code, each.severity.value, each.path, each.line) for each in findings]
