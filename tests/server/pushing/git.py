"""Repositories for tests to push from, by the program ``git`` itself."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    """Run git there; what it prints."""
    who = ["-c", "user.name=tests", "-c", "user.email=tests@example.org"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True, timeout=20
    )
    return done.stdout.strip()


def commit(folder: Path, content: str) -> str:
    """Commit a file with this content; the commit."""
    (folder / "content.txt").write_text(content)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", content)
    return git(folder, "rev-parse", "HEAD")
