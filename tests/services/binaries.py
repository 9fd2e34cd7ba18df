"""Where the services' programs come from: a variable, the PATH, the cache, or a build from Go sources.

``go/`` holds one Go module per program, so that their dependencies do not pull at each other; versions
are pinned by ``go.mod`` and checksummed by ``go.sum``. Builds are kept outside the checkout, under a name
that changes with those two files and with Go itself, and appear there whole or not at all.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

Say = Callable[[str], None]

_MODULES = Path(__file__).with_name("go")
_PROGRESS_S = 15


class ServiceMissingError(Exception):
    """A program is not there and cannot be built; the message is one line that says how to get it."""


@dataclass(frozen=True, slots=True)
class Program:
    """A service's program and how a usable one is recognised.

    ``version`` must match what it prints when asked with ``version_argument``; its groups, if any, are
    compared with ``at_least``. Its Go module is the folder ``name`` in ``modules``.
    """

    name: str
    label: str
    variable: str
    command: str
    package: str
    version: str
    at_least: tuple[int, ...] = ()
    build_minutes: str = "less than a minute"
    version_argument: str = "--version"
    modules: Path = _MODULES


@dataclass(frozen=True, slots=True)
class Found:
    """A usable program and where it was found, in words."""

    path: Path
    origin: str


MINIO = Program(
    name="minio",
    label="MinIO",
    variable="LONGSHORE_TEST_MINIO",
    command="minio",
    package="github.com/minio/minio",
    version=r"minio version ",
    build_minutes="2 to 5 minutes",
)
ETCD = Program(
    name="etcd",
    label="etcd",
    variable="LONGSHORE_TEST_ETCD",
    command="etcd",
    package="go.etcd.io/etcd/server/v3",
    version=r"etcd Version: (\d+)\.(\d+)",
    at_least=(3, 5),
)
TOXIPROXY = Program(
    name="toxiproxy",
    label="toxiproxy",
    variable="LONGSHORE_TEST_TOXIPROXY",
    command="toxiproxy-server",
    package="github.com/Shopify/toxiproxy/v2/cmd/server",
    version=r"toxiproxy-server version ",
)
GRPCURL = Program(
    name="grpcurl",
    label="grpcurl",
    variable="LONGSHORE_TEST_GRPCURL",
    command="grpcurl",
    package="github.com/fullstorydev/grpcurl/cmd/grpcurl",
    version=r"grpcurl ",
)
PROGRAMS = (MINIO, ETCD, TOXIPROXY, GRPCURL)


def find(program: Program, say: Say) -> Found:
    """The first usable one of: the variable, the PATH, the cache, a fresh build. Raises ServiceMissingError.

    ``say`` is told, a line at a time, about a build that a person has to wait for.
    """
    named = os.environ.get(program.variable)
    if named:
        return Found(_explicit(program, named), program.variable)
    on_path = shutil.which(program.command)
    if on_path and usable(program, on_path):
        return Found(Path(on_path), "PATH")
    return _cached_or_built(program, say)


def usable(program: Program, path: str | Path) -> bool:
    """Whether the file runs and says that it is this program in a version that will do."""
    try:
        answer = subprocess.run(
            [path, program.version_argument],
            capture_output=True,
            text=True,
            timeout=30,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    match = re.search(program.version, answer.stdout + answer.stderr)
    return match is not None and tuple(map(int, match.groups())) >= program.at_least


def _explicit(program: Program, named: str) -> Path:
    path = Path(named).expanduser()
    if not usable(program, path):
        raise ServiceMissingError(
            f"{program.variable}={named} is no usable {program.label}: correct or unset it"
        )
    return path


def cache_folder() -> Path:
    """Where builds are kept between runs and between checkouts."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "longshore" / "services"


def _cached_or_built(program: Program, say: Say) -> Found:
    module = program.modules / program.name
    sources = hashlib.sha256((module / "go.mod").read_bytes() + (module / "go.sum").read_bytes())
    stem = f"{program.name}-{sources.hexdigest()[:16]}"
    go = _go()
    if go is None:
        # A cache that was carried here from a machine with Go serves as well.
        for path in sorted(cache_folder().glob(f"{stem}-*/{program.command}")):
            if usable(program, path):
                return Found(path, "built before")
        raise ServiceMissingError(_advice(program, "there is no Go to build it with"))
    toolchain = subprocess.run(
        [go, "env", "GOVERSION", "GOOS", "GOARCH"], capture_output=True, text=True, cwd=module, check=True
    )
    folder = cache_folder() / "-".join([stem, *toolchain.stdout.split()])
    path = folder / program.command
    if path.exists():
        return Found(path, "built before")
    with _only_one(folder.with_name(f"{folder.name}.lock"), program, say):
        if not path.exists():
            _build(program, go, module, path, say)
            return Found(path, "built now")
    return Found(path, "built meanwhile")


def _go() -> str | None:
    return shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")


def _advice(program: Program, reason: str) -> str:
    return (
        f"{program.label} is missing ({reason}): put `{program.command}` on the PATH, name it in"
        f" {program.variable}, or install Go and run `make services`"
    )


@contextmanager
def _only_one(lock_path: Path, program: Program, say: Say) -> Iterator[None]:
    lock_path.parent.mkdir(parents=True, exist_ok=True)
    with lock_path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that builds {program.label}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(program: Program, go: str, module: Path, path: Path, say: Say) -> None:
    """Build beside and rename: nobody ever finds half a program. Only under the lock."""
    beside = f"{path.parent.name}.unfinished-"
    for left_behind in path.parent.parent.glob(f"{beside}*"):
        shutil.rmtree(left_behind)
    env = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-buildvcs=false"}
    # Two at a time: the tests' machine has other work to do.
    flags = ["-mod=readonly", "-p", "2", "-trimpath", "-ldflags=-s -w"]
    with tempfile.TemporaryDirectory(prefix=beside, dir=path.parent.parent) as unfinished:
        built = Path(unfinished) / "build" / program.command
        build = [go, "build", *flags, "-o", str(built), program.package]
        with _telling(program, say):
            done = subprocess.run(build, cwd=module, env=env, capture_output=True, text=True)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
            raise ServiceMissingError(_advice(program, f"its build failed: {lines[-1]}"))
        if not usable(program, built):
            raise ServiceMissingError(_advice(program, "what was built does not run"))
        built.parent.rename(path.parent)


@contextmanager
def _telling(program: Program, say: Say) -> Iterator[None]:
    started = time.monotonic()
    done = threading.Event()

    def keep_telling() -> None:
        while not done.wait(_PROGRESS_S):
            say(f"still building {program.label}, {time.monotonic() - started:.0f} s")

    say(f"building {program.label} from source, once: it takes {program.build_minutes}")
    teller = threading.Thread(target=keep_telling, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()
    say(f"the build of {program.label} took {time.monotonic() - started:.0f} s")
