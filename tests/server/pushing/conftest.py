"""What the tests of pushes share."""

from __future__ import annotations

from pathlib import Path

import pytest

from .git import commit, git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit on ``main``."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "one")
    return folder
