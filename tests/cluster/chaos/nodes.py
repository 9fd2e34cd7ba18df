"""A node of the run: a real process behind proxies of its own, restarted by its supervisor when it ends."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.services.child import Command
from tests.services.ports import ReservedPort
from tests.services.service import Service
from tests.services.toxiproxy import Proxy

LONGSHORE = str(Path(sys.executable).with_name("longshore"))
_POLL_S = 0.1


@dataclass(frozen=True)
class Links:
    """The proxies through which one node, and it alone, reaches each service."""

    postgres: Proxy
    minio: Proxy
    etcd: Sequence[Proxy]

    def to(self, service: str) -> Sequence[Proxy]:
        """All proxies to ``postgres``, ``minio`` or ``etcd``."""
        return {"postgres": [self.postgres], "minio": [self.minio], "etcd": self.etcd}[service]


class Node(Service):
    """``longshore serve`` on a port that stays; ``seen`` is where others find its data folder."""

    def __init__(
        self,
        name: str,
        environment: str,
        links: Links,
        *,
        data_dir: Path,
        seen: Path,
        folder: Path,
        program: Sequence[str],
        env: Mapping[str, str],
    ) -> None:
        super().__init__()
        self.name = name
        self.environment = environment
        self.links = links
        self.seen = seen
        self._data_dir = data_dir
        self._folder = folder
        self._program = program
        self._env = env
        self._port = ReservedPort()
        self.address = self._port.address
        # Whether it is to run: what a fault keeps down nobody restarts.
        self.wanted = True
        self._ended_by_us: set[int] = set()
        self._starting = threading.Lock()

    def command(self) -> Command:
        where = ["--data-dir", str(self._data_dir), "--listen", self.address]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LONGSHORE_")}
        paths = [self._env.get("PYTHONPATH"), inherited.get("PYTHONPATH")]
        return Command(
            name=self.name,
            argv=[*self._program, "serve", *where],
            folder=self._folder,
            env={**inherited, **self._env, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )

    def ready(self) -> bool:
        return self.listens

    def start(self, *, wait: bool = True) -> None:
        # Its supervisor and the fault that kept it down may both see it down.
        with self._starting:
            super().start(wait=False)
        if wait:
            self.child.wait_until_ready(self.ready)

    def stop(self) -> None:
        self._ended_by_us.add(self.child.pid)
        super().stop()

    def kill(self) -> None:
        self._ended_by_us.add(self.child.pid)
        super().kill()

    @property
    def listens(self) -> bool:
        """Whether the process as last started has come so far."""
        return "listening on " in self.child.stdout()

    @property
    def log(self) -> Path:
        """What all its processes have logged."""
        return self.command().stderr_path

    def ended_by_itself(self) -> str:
        """How it ended although nothing was done to it, in words; one that never listened may."""
        if self.running or self.child.pid in self._ended_by_us or not self.listens:
            return ""
        lines = self.child.stderr().strip().splitlines()
        return f"ended by itself with status {self.child.returncode}: {lines[-1] if lines else ''}"

    async def until_listening(self, *, deadline_s: float) -> None:
        """Start it, and again where it ended before it listened. Raises ``TimeoutError``."""
        async with asyncio.timeout(deadline_s):
            while not (self.running and self.listens):
                if not self.running:
                    await asyncio.to_thread(self.start, wait=False)
                await asyncio.sleep(_POLL_S)

    def own_faults(self) -> set[str]:
        """What its log tells of faults of its own, which no service that is away explains."""
        told = set()
        for line in self.log.read_text(errors="replace").splitlines():
            if "Traceback" not in line:
                continue
            try:
                entry = json.loads(line)
            except ValueError:
                told.add(line)
                continue
            told.add(f"{entry.get('event')}: {str(entry.get('exception', line)).strip().splitlines()[-1]}")
        return told

    def intents(self) -> dict[str, tuple[int, str]]:
        """Generation and version that it has written down, by project."""
        found = {}
        for path in (self.seen / "intents").glob("*.json"):
            try:
                told = json.loads(path.read_text())
            except FileNotFoundError:
                continue
            found[path.stem] = (int(told["generation"]), told["version"] or "")
        return found

    def live_tree(self, project: str) -> Path | None:
        """Where its live link of a project points; None without one."""
        try:
            return self.seen / "installed" / (self.seen / "live" / project).readlink().name
        except FileNotFoundError:
            return None

    def has_installed(self, project: str, version: str) -> bool:
        """Whether a tree of a release lies there, live or not."""
        name = f"{project}@{version}"
        return any(
            path.is_dir() and path.name.partition("+")[0] == name
            for path in (self.seen / "installed").glob(f"{name}*")
        )

    def close(self) -> None:
        super().close()
        self._port.close()


def version_of(tree: Path | None) -> str:
    """The version in a tree's name; empty for no tree."""
    return tree.name.partition("@")[2].partition("+")[0] if tree is not None else ""
