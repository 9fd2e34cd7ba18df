"""What the wire is compared with: the .tgz, restic and casync, each measured at its best.

A rival keeps its first state and is then asked for what a second one costs: restic the bytes that went to
MinIO over a relay, casync those that went through its ``ssh``. restic is built from Go's module proxy and
kept, casync must be on the PATH (Debian: ``apt-get install casync``); one that is missing is not measured,
and the table says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.binaries import Program, ServiceMissingError, find

from .relay import relay_to
from .stage import Place, Say

RESTIC = Program(
    name="restic",
    label="restic",
    variable="LONGSHORE_BENCH_RESTIC",
    command="restic",
    package="github.com/restic/restic/cmd/restic",
    version=r"restic (\d+)\.(\d+)",
    at_least=(0, 14),
    build_minutes="2 to 5 minutes",
    version_argument="version",
    modules=Path(__file__).with_name("go"),
)


def make_tgz(tree: Path, path: Path) -> int:
    """``tar czf`` of a tree; returns its size in bytes."""
    subprocess.run(["tar", "czf", str(path), "-C", str(tree), "."], check=True)
    return path.stat().st_size


class Rival(ABC):
    """A program that stores states of a tree by what is new in them."""

    name: str

    @abstractmethod
    def store(self, tree: Path) -> int:
        """Store the tree as it is now; returns the bytes that left this machine for it."""


class Restic(Rival):
    """``restic backup`` into a bucket of its own on the stage's MinIO."""

    name = "restic"

    def __init__(self, program: Path, place: Place, folder: Path) -> None:
        self._program = program
        self._place = place
        self._folder = folder
        self._run("init", to=place.minio.endpoint)

    def store(self, tree: Path) -> int:
        with relay_to(self._place.minio.endpoint) as relay:
            self._run("backup", str(tree), to=relay.address)
            return relay.sent_bytes

    def _run(self, *arguments: str, to: str) -> None:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "RESTIC_REPOSITORY": f"s3:http://{to}/{self._place.bucket}",
            "RESTIC_PASSWORD": "benchmark",
            "AWS_ACCESS_KEY_ID": self._place.minio.access_key,
            "AWS_SECRET_ACCESS_KEY": self._place.minio.secret_key,
        }
        subprocess.run([str(self._program), "--quiet", *arguments], env=env, check=True)


class Casync(Rival):
    """``casync make`` to another machine over ssh, whose place a program takes that counts."""

    name = "casync"

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._states = 0
        self._ssh = folder / "ssh"
        counting = Path(__file__).with_name("counting_ssh.py")
        self._ssh.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{counting}" "{folder}/sent" "$@"\n')
        self._ssh.chmod(0o755)

    def store(self, tree: Path) -> int:
        sent = self._folder / "sent"
        sent.unlink(missing_ok=True)
        self._states += 1
        index = f"elsewhere:{self._folder}/{self._states}.caidx"
        env = {"PATH": os.environ["PATH"], "CASYNC_SSH_PATH": str(self._ssh)}
        command = [str(self._program), "make", index, str(tree)]
        subprocess.run(command, env=env, check=True, capture_output=True)
        return int(sent.read_text())


@contextmanager
def rivals(place: Place, say: Say) -> Iterator[list[Rival]]:
    """The rivals that are there, with nothing stored yet; what is missing is told."""
    found: list[Rival] = []
    for name in ("restic", "casync"):
        folder = place.folder / name
        folder.mkdir()
        if name == "restic":
            try:
                found.append(Restic(find(RESTIC, say).path, place, folder))
            except ServiceMissingError as missing:
                say(f"NOT MEASURED: {missing}")
        elif program := shutil.which("casync"):
            found.append(Casync(Path(program), folder))
        else:
            say("NOT MEASURED: casync is missing: apt-get install casync")
    yield found
