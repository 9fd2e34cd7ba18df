"""The program reads and writes the files that the documentation shows."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from pathlib import Path

from longshore_server.disk import DataFolder, InstalledTrees, Intent, LiveLinks

from .places import finalise, new_staging

VECTORS = Path(__file__).parent / "vectors"
DOCUMENTS = Path(__file__).parents[3] / "docs"


def plant(tree: Path) -> Path:
    """The tree whose record is the vector."""
    (tree / "lib").mkdir(parents=True)
    (tree / "empty").mkdir()
    (tree / "run").write_bytes(b"#!/bin/sh\n")
    (tree / "run").chmod(0o755)
    (tree / "lib" / "é.txt").write_bytes(b"Longshore\n")
    (tree / "lib.so").symlink_to("lib/é.txt")
    for path in tree / "run", tree / "lib" / "é.txt":
        os.utime(path, ns=(0, 1_700_000_000_000_000_000))
    return tree


def test_documentation_shows_the_vectors() -> None:
    pages = "".join(page.read_text() for page in DOCUMENTS.glob("formats*.md"))
    for vector in VECTORS.iterdir():
        assert f"```\n{vector.read_text()}```" in pages or f"```json\n{vector.read_text()}```" in pages


def test_record(folder: DataFolder, trees: InstalledTrees) -> None:
    tree = finalise(trees, plant(new_staging(folder, "vector") / "tree"), "1.4.0", project="netops")
    vector = (VECTORS / "record.jsonl").read_bytes()
    expected = [json.loads(line) for line in vector.splitlines()]
    found = [json.loads(line) for line in tree.record_path.read_bytes().splitlines()]
    for line in (*expected[:-1], *found[:-1]):
        for own in ("inode", "ctime_ns"):
            line.pop(own, None)
    assert found[:-1] == expected[:-1]
    assert list(map(list, found)) == list(map(list, expected))
    # Its inodes are those of another disk: every file is read.
    tree.record_path.write_bytes(vector)
    assert trees.check(tree)
    assert trees.find("netops", "1.4.0", "ab" * 32) is not None


def test_intent(folder: DataFolder, trees: InstalledTrees, links: LiveLinks) -> None:
    tree = finalise(trees, plant(new_staging(folder, "vector") / "tree"), "1.4.0", project="netops")
    shutil.copy(VECTORS / "intent.json", folder.intents / "netops.json")
    deployment = "0192e4a0-7c1f-7b53-9f6e-3b1c0d2f4a55"
    assert links.intent("netops") == Intent("netops", 12, "1.4.0", tree.path, deployment)
    (folder.intents / "netops.json").unlink()
    links.switch("netops", generation=12, version="1.4.0", target=tree.path, deployment_id=deployment)
    assert (folder.intents / "netops.json").read_bytes() == (VECTORS / "intent.json").read_bytes()


def test_node(place: Path) -> None:
    place.mkdir()
    shutil.copy(VECTORS / "node.json", place / "node.json")
    node_id = json.loads((VECTORS / "node.json").read_text())["node_id"]
    with DataFolder.open(place) as folder:
        assert folder.node_id == str(uuid.UUID(node_id))
    (place / "node.json").unlink()
    with DataFolder.open(place) as folder:
        written = (place / "node.json").read_text().replace(folder.node_id, node_id)
    assert written == (VECTORS / "node.json").read_text()
