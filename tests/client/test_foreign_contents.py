"""Looking into what a stranger made: nothing outside it is read, nothing waited for, and it can be ended."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Final

import pytest
from blake3 import blake3

from longshore_bundles import UnpackLimits
from longshore_client.contents import content_of, project_named_in
from longshore_client.errors import ProjectUnknown

from .sources.archives import archive_of

MIB: Final = 1 << 20


def test_a_manifest_that_is_a_link_or_a_pipe_is_not_read(tmp_path: Path) -> None:
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    tree.mkdir()
    outside.write_text("ref: secret\n")
    pack_yaml = tree / "pack.yaml"
    # So that nothing refuses the tree for it before.
    (tree / ".longshoreignore").write_text("pack.yaml\n")
    for target in (outside, Path("/dev/zero"), Path("nowhere")):
        pack_yaml.symlink_to(target)
        with pytest.raises(ProjectUnknown, match=r"pack\.yaml is not read: it is a link"):
            project_named_in(tree)
        pack_yaml.unlink()
    os.mkfifo(pack_yaml)
    with pytest.raises(ProjectUnknown, match=r"pack\.yaml is not read: it is no file"):
        project_named_in(tree)
    pack_yaml.unlink()
    # As a server sees it: what is no file is none of the manifests.
    pack_yaml.symlink_to(outside)
    (tree / "package.json").write_text('{"name": "own"}')
    assert project_named_in(tree) == "own"


def test_an_archive_that_unpacks_to_too_much_names_no_project(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(archive_of({"pack.yaml": b"ref: netops\n", "large": bytes(5000)}))
    assert project_named_in(archive) == "netops"
    with pytest.raises(ProjectUnknown, match=r"cannot be looked through: .* unpacks to more than 1000"):
        project_named_in(archive, UnpackLimits(max_total_bytes=1000))


class Over(Exception):
    """The time is up."""


@pytest.mark.parametrize("form", ["tree", "tar.gz", "zip", "bin"])
def test_reading_can_be_ended_in_the_middle(tmp_path: Path, form: str) -> None:
    path, content = tmp_path / form, blake3(b"noise").digest(length=3 * MIB)
    match form:
        case "tree":
            path.mkdir()
            (path / "a").write_bytes(content)
        case "tar.gz":
            path.write_bytes(archive_of({"b": content, "a": b""}))
        case "zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("a", content)
        case _:
            path.write_bytes(content)
    calls, most = 0, 10_000

    def counting() -> None:
        nonlocal calls
        calls += 1
        if calls > most:
            raise Over

    assert content_of(path, check=counting) == content_of(path)
    assert calls > 2
    most, calls = calls // 2, 0
    with pytest.raises(Over):
        content_of(path, check=counting)
    assert calls == most + 1
