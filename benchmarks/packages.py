"""Real trees: pinned releases from the package registries, fetched once by their own clients.

Owns the archives in the cache (``$XDG_CACHE_HOME/longshore/benchmarks``), each checked against the sha256
that is pinned here, and how they are unpacked: without their top folder, with the same time on every entry,
so that no rival is charged for times that only unpacking made.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.services.binaries import cache_folder

_TIME_S = 1_700_000_000


class PackageMissingError(Exception):
    """An archive cannot be fetched, or is not the pinned one."""


@dataclass(frozen=True, slots=True)
class Package:
    """One release of a library, and the sha256 of its archive, a gzipped tar."""

    registry: Literal["npm", "pypi"]
    name: str
    version: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def archive(package: Package) -> Path:
    """The package's archive, from the cache or fetched into it. Raises ``PackageMissingError``."""
    folder = cache_folder().parent / "benchmarks"
    path = folder / f"{package.sha256}.tgz"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetching-", dir=folder) as name:
        print(f"fetching {package}, once", file=sys.stderr, flush=True)
        done = subprocess.run(_command(package, name), cwd=name, capture_output=True, text=True)
        found = next((each for each in Path(name).iterdir() if each.name.endswith((".tgz", ".tar.gz"))), None)
        if done.returncode != 0 or found is None:
            raise PackageMissingError(f"{package} was not fetched: {done.stderr.strip()[-500:]}")
        sha256 = hashlib.sha256(found.read_bytes()).hexdigest()
        if sha256 != package.sha256:
            raise PackageMissingError(
                f"{package} is not what was measured before: sha256 {sha256}, pinned {package.sha256}"
            )
        found.rename(path)
    return path


def _command(package: Package, folder: str) -> list[str]:
    if package.registry == "npm":
        return ["npm", "pack", f"{package.name}@{package.version}", "--silent"]
    pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--quiet"]
    return [*pip, "--no-deps", "--no-binary", ":all:", f"{package.name}=={package.version}"]


def unpack(package: Package, folder: Path) -> None:
    """Unpack the package's tree into ``folder``, which must be new."""
    folder.mkdir(parents=True)
    with tarfile.open(archive(package), "r:gz") as tar:
        for member in tar:
            _, _, member.name = member.name.partition("/")
            if member.name:
                tar.extract(member, folder, filter="data")
    settle_times(folder)


def update(folder: Path, newer: Path) -> None:
    """Make ``folder`` the tree ``newer``, touching only what differs, as a build in place would."""
    for path in sorted(folder.rglob("*"), reverse=True):
        other = newer / path.relative_to(folder)
        if not other.exists():
            path.rmdir() if path.is_dir() else path.unlink()
    for other in sorted(newer.rglob("*")):
        path = folder / other.relative_to(newer)
        if other.is_dir():
            path.mkdir(exist_ok=True)
        elif not path.exists() or path.read_bytes() != other.read_bytes():
            path.write_bytes(other.read_bytes())
            path.chmod(other.stat().st_mode)
    settle_times(folder)


def settle_times(folder: Path) -> None:
    """Give every entry the same time, and touch none that has it."""
    for path in (folder, *folder.rglob("*")):
        if path.lstat().st_mtime != _TIME_S:
            os.utime(path, (_TIME_S, _TIME_S), follow_symlinks=False)
