"""A pack, and what an index of packs is made of."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client.command_line import Run

MakePack = Callable[..., Path]
MakeRegistry = Callable[..., Path]


@pytest.fixture
def make_pack(tmp_path: Path) -> MakePack:
    """Write a pack that has an action and a workflow."""

    def make(ref: str = "netops", version: str = "1.4.0", *, label: str = "Net Ops", more: str = "") -> Path:
        root = tmp_path / f"{ref}-{version}"
        (root / "actions").mkdir(parents=True)
        (root / "workflows").mkdir()
        (root / "pack.yaml").write_text(
            f"ref: {ref}\nlabel: {label}\ndescription: Tools of {ref}\nversion: {version}\n{more}"
        )
        (root / "actions" / "restart.sh").write_text("#!/bin/sh\n")
        (root / "actions" / "restart.sh").chmod(0o755)
        (root / "workflows" / "roll.yaml").write_text(
            f"label: Roll\nversion: 1.0.0\ntasks: [{{name: a, action: {ref}.restart}}]\n"
        )
        return root

    return make


@pytest.fixture
def make_registry(run_alone: Run, make_pack: MakePack, tmp_path: Path) -> MakeRegistry:
    """Make a folder with a pack's archive and an index that names it by its path."""

    def make(folder: str, ref: str = "netops", version: str = "1.4.0") -> Path:
        archives = tmp_path / folder / "archives"
        archives.mkdir(parents=True, exist_ok=True)
        root = make_pack(ref, version)
        with tarfile.open(archives / f"{ref}.tar.gz", "w:gz") as tar:
            tar.add(root, ref)
        index = tmp_path / folder / "index.json"
        made = run_alone(
            *("index", "update", "--index", index, root, "--name", folder),
            *("--url", f"archives/{ref}.tar.gz"),
        )
        assert made.code == 0, made.err
        return index

    return make
