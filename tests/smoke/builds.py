"""Builds the smoke clients: each with its language's own tools, from pinned versions and the contract.

A build is kept outside the checkout under a name that changes with everything that goes into it, and appears
there whole or not at all. Nothing that is generated comes into the checkout.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROTOS = Path(__file__).parents[2] / "protos"
_BUILT_BY_TOOLS = shutil.ignore_patterns("node_modules", "target")
_STEP_S = 900


class ClientMissingError(Exception):
    """A client cannot be built here; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Client:
    """One language's client.

    ``build`` makes a runnable client of a copy of its sources, in place. ``command`` starts it from there,
    and wants the server's address and the name of a project behind it.
    """

    name: str
    tools: Sequence[str]
    advice: str
    build: Callable[[Path], None]
    command: Callable[[Path], list[str]]


def built(client: Client, say: Callable[[str], None]) -> list[str]:
    """The command that starts the client, built now if need be. Raises ClientMissingError."""
    for tool in client.tools:
        if shutil.which(tool) is None:
            raise ClientMissingError(f"the {client.name} client needs `{tool}`: install {client.advice}")
    sources = Path(__file__).parent / client.name
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "longshore" / "smoke"
    folder = cache / f"{client.name}-{_fingerprint(sources)}"
    with _only_one(cache / f"{client.name}.lock"):
        if not folder.exists():
            say(f"building the {client.name} client, once: it takes about a minute")
            _build(client, sources, folder)
    return client.command(folder)


def _fingerprint(sources: Path) -> str:
    """Changes with the sources, the contract, the way they are built, and the kind of machine."""
    files = [path for path in sources.rglob("*") if path.is_file() and not _generated(path)]
    digest = hashlib.sha256(f"{sys.platform} {platform.machine()}".encode())
    for path in (Path(__file__), *sorted(PROTOS.glob("longshore/**/*.proto")), *sorted(files)):
        digest.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def _generated(path: Path) -> bool:
    return bool({"node_modules", "target"} & set(path.parts))


@contextmanager
def _only_one(lock_path: Path) -> Iterator[None]:
    lock_path.parent.mkdir(parents=True, exist_ok=True)
    with lock_path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(client: Client, sources: Path, folder: Path) -> None:
    """Build beside and rename: nobody ever finds half a client. Only under the lock."""
    beside = f"{client.name}.unfinished-"
    for left_behind in folder.parent.glob(f"{beside}*"):
        shutil.rmtree(left_behind)
    with tempfile.TemporaryDirectory(prefix=beside, dir=folder.parent) as unfinished:
        copy = Path(shutil.copytree(sources, Path(unfinished) / "build", ignore=_BUILT_BY_TOOLS))
        client.build(copy)
        copy.rename(folder)


def _run(folder: Path, *command: str, env: Mapping[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_STEP_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ClientMissingError(f"`{' '.join(command)}` did not end within {_STEP_S} s") from error
    if done.returncode != 0:
        raise ClientMissingError(f"`{' '.join(command)}` failed:\n{done.stdout[-4000:]}")


def _build_node(folder: Path) -> None:
    _run(folder, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")


def _build_go(folder: Path) -> None:
    tools = folder / "bin"
    # Two at a time: the tests' machine has other work to do.
    go_env = {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-buildvcs=false -mod=readonly -p=2"}
    _run(folder, "go", "install", "tool", env={**go_env, "GOBIN": str(tools)})
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.glob("longshore/**/*.proto"))
    protoc = [sys.executable, "-m", "grpc_tools.protoc", "-I", str(PROTOS)]
    for kind in ("go", "go-grpc"):
        plugin = f"--plugin=protoc-gen-{kind}={tools / f'protoc-gen-{kind}'}"
        _run(
            folder, *protoc, plugin, f"--{kind}_out={folder}", f"--{kind}_opt=module=longshore.dev", *sources
        )
    _run(folder, "go", "build", "-trimpath", "-o", "client", ".", env=go_env)


def _build_java(folder: Path) -> None:
    _run(
        folder,
        "mvn",
        "-B",
        "-q",
        f"-Dprotos.folder={PROTOS}",
        f"-Dbuild.folder={folder}/target",
        "process-classes",
    )


def _java_command(folder: Path) -> list[str]:
    path = f"{folder}/target/classes:{folder}/target/lib/*"
    # It runs for two seconds: what makes a JVM fast in the long run only costs here.
    return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", path, "dev.longshore.smoke.Client"]


CLIENTS = (
    Client(
        name="node",
        tools=("node", "npm"),
        advice="Node.js 18 or later",
        build=_build_node,
        command=lambda folder: ["node", str(folder / "client.mjs"), str(PROTOS)],
    ),
    Client(
        name="go",
        tools=("go",),
        advice="Go 1.26 or later",
        build=_build_go,
        command=lambda folder: [str(folder / "client")],
    ),
    Client(
        name="java",
        tools=("java", "javac", "mvn"),
        advice="a JDK 17 or later and Maven 3.8 or later",
        build=_build_java,
        command=_java_command,
    ),
)
