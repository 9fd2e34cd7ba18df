"""The version in a copy's manifest, wherever and however it is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore_bundles import walk_tree
from longshore_bundles.tree_walk import TreeEntry
from longshore_client.cli import snapshots
from longshore_client.cli.snapshots import take_snapshot
from longshore_client.contents import scanned
from longshore_client.errors import PayloadChanged, PayloadUnreadable

PACK = "ref: a\nlabel: A\ndescription: d\n"
SKILL = "---\nname: a\ndescription: d\n"
MANIFESTS = {
    "plain": {"pack.yaml": f"{PACK}version: 1.0.0\n"},
    "remark": {"pack.yaml": f"{PACK}version: 1.0.0 # and version: 3.0.0\n"},
    "flow": {"pack.yaml": "{version: 1.0.0, ref: a, label: A, description: d}"},
    "key in quotes": {"pack.yaml": f"{PACK}\"version\": '1.0.0'\r\n"},
    "others before": {
        "pack.yaml": f'dependencies: [{{ref: b, version: "1.0.0"}}]\n{PACK}meta: {{version: 1.0.0}}\n'
        "version: 1.0.0\n"
    },
    "stackstorm": {"pack.yaml": 'name: a\ndescription: d\nversion: "1.0"\n'},
    "skill": {"SKILL.md": f"\ufeff{SKILL}version: 1.0.0\n---\nversion: 1.0.0\n"},
    "npm": {
        "package.json": '{"config": {"version": "1.0.0"}, "name": "a",\n "version"  : "1.0.0", "x": [1]}'
    },
    "python": {
        "pyproject.toml": '[tool.x]\nversion = "1.0.0"\n[project]\nname = "a"\nversion="1.0.0"\n[tool.y]\n'
    },
    "both": {
        "package.json": '{"name": "a", "version": "1.0.0"}',
        "pyproject.toml": '[project]\nname = "a"\nversion = "1.0.0"\n',
    },
}


def written(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_bytes(text.encode())
    return folder


def test_what_becomes_a_link_while_it_is_copied_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def becoming(*arguments: Any, **options: Any) -> Iterator[TreeEntry]:
        for entry in walk_tree(*arguments, **options):
            Path(entry.location).unlink()
            Path(entry.location).symlink_to(outside)
            yield entry

    tree, copy, outside = written(tmp_path / "tree", {"a": "own"}), tmp_path / "copy", tmp_path / "outside"
    outside.write_text("secret")
    copy.mkdir()
    monkeypatch.setattr(snapshots, "walk_tree", becoming)
    with pytest.raises(PayloadChanged):
        take_snapshot(tree, copy)
    assert list(copy.iterdir()) == []


@pytest.mark.parametrize("name", MANIFESTS)
def test_only_the_version_is_another(name: str, tmp_path: Path) -> None:
    tree, copy = written(tmp_path / "tree", MANIFESTS[name]), tmp_path / "copy"
    copy.mkdir()
    taken = take_snapshot(tree, copy)
    before = scanned(copy).manifest
    assert before is not None
    assert (before.project, before.version) == ("a", "1.0.0")
    taken.set_version(before, "1.0.0-dev.7")
    after = scanned(copy).manifest
    assert after is not None
    assert (after.project, after.version) == ("a", "1.0.0-dev.7")
    for file in MANIFESTS[name]:
        old, new = (tree / file).read_bytes(), (copy / file).read_bytes()
        begin = next(i for i, (x, y) in enumerate(zip(old, new, strict=False)) if x != y)
        end = new.index(b"-dev.7") + len(b"-dev.7")
        # What stands before and behind it is as it was, but for quotes.
        assert old.startswith(new[:begin])
        assert old.endswith(new[end:].removeprefix(b'"'))


def test_a_version_that_is_nowhere_to_be_found(tmp_path: Path) -> None:
    tree = written(tmp_path / "tree", {"pack.yaml": f"{PACK}version:\n  1.0.0\n"})
    (tmp_path / "copy").mkdir()
    taken = take_snapshot(tree, tmp_path / "copy")
    manifest = scanned(tree).manifest
    assert manifest is not None
    with pytest.raises(PayloadUnreadable, match=r"where pack\.yaml says its version"):
        taken.set_version(manifest, "1.0.0-dev.1")


def test_the_copy_is_what_would_be_deployed(tree: Path, tmp_path: Path) -> None:
    (tree / ".git").mkdir()
    (tree / ".git" / "HEAD").write_text("x")
    (tree / "empty").mkdir()
    (tree / ".longshoreignore").write_text("large.*\n")
    (tmp_path / "copy").mkdir()
    taken = take_snapshot(tree, tmp_path / "copy")
    assert taken.content_sha256 == scanned(tree).content_sha256 == scanned(taken.path).content_sha256
    assert not (taken.path / "large.bin").exists()
