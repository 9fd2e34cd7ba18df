"""An etcd cluster of local processes, plain or behind TLS, whose members can be broken one by one."""

from __future__ import annotations

import base64
import shutil
import ssl
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .certificates import KeyPair
from .child import Command
from .local_http import ask
from .ports import ReservedPort
from .service import Service


@dataclass(frozen=True, slots=True)
class MutualTls:
    """The members' certificate, the one that we show them, and the authority behind both."""

    ca_file: Path
    server: KeyPair
    client: KeyPair

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        context.load_cert_chain(str(self.client.cert_file), str(self.client.key_file))
        return context


class EtcdMember(Service):
    """One member. ``endpoint`` is ``127.0.0.1:PORT`` of its client port.

    It is ready when it can serve a linearizable read, which takes a quorum: starting the first member of
    a cluster that is down is done without waiting.
    """

    def __init__(self, program: Path, folder: Path, name: str, tls: MutualTls | None) -> None:
        super().__init__()
        self.name = name
        self._program = program
        self._folder = folder
        self._tls = tls
        self._context = tls.context() if tls else None
        self._client_port, self._peer_port = ReservedPort(), ReservedPort()
        self.endpoint = self._client_port.address
        self.url = f"{'https' if tls else 'http'}://{self.endpoint}"
        self.peer_url = f"http://{self._peer_port.address}"
        # What the cluster agrees on; it says this before the first start.
        self.cluster_options: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)

    def command(self) -> Command:
        return Command(
            name=self.name,
            argv=[
                str(self._program),
                *("--name", self.name, "--data-dir", str(self._folder / self.name)),
                *("--listen-client-urls", self.url, "--advertise-client-urls", self.url),
                *("--listen-peer-urls", self.peer_url, "--initial-advertise-peer-urls", self.peer_url),
                *self.cluster_options,
                *self._tls_options(),
                # Survives a killed process; only a machine that loses power would lose it.
                "--unsafe-no-fsync",
                *("--bcrypt-cost", "4", "--log-level", "warn"),
            ],
            folder=self._folder,
        )

    def _tls_options(self) -> list[str]:
        if self._tls is None:
            return []
        server = self._tls.server
        own = ["--cert-file", str(server.cert_file), "--key-file", str(server.key_file)]
        return [*own, "--client-cert-auth", "--trusted-ca-file", str(self._tls.ca_file)]

    def ready(self) -> bool:
        answer = ask(f"{self.url}/health", tls=self._context, timeout_s=2)
        return bool(answer["health"] == "true")

    def call(self, path: str, body: dict[str, Any], token: str | None = None) -> Any:
        """One call of etcd's API, through its JSON gateway."""
        headers = {"Authorization": token} if token else None
        return ask(f"{self.url}/v3/{path}", body, headers=headers, tls=self._context)

    def close(self) -> None:
        super().close()
        self._client_port.close()
        self._peer_port.close()


class EtcdCluster:
    """``members`` are stopped, killed, paused and started one by one; the cluster keeps its endpoints."""

    # What every fresh prefix begins with.
    namespace = ""

    def __init__(self, program: Path, folder: Path, *, size: int = 3, tls: MutualTls | None = None) -> None:
        self._folder = folder
        self.members = [EtcdMember(program, folder, f"etcd{number}", tls) for number in range(1, size + 1)]
        self.endpoints = [member.endpoint for member in self.members]
        self._be_new()

    def _be_new(self) -> None:
        peers = ",".join(f"{member.name}={member.peer_url}" for member in self.members)
        # The cluster's id is made from these: a new token is a new cluster.
        options = ["--initial-cluster", peers, "--initial-cluster-token", uuid.uuid4().hex]
        for member in self.members:
            member.cluster_options = options

    def url(self, prefix: str) -> str:
        """``prefix`` in the form of the setting ``coordination.url``."""
        return f"etcd://{','.join(self.endpoints)}/{prefix}"

    def start(self) -> None:
        """Start every member that is down, resume every paused one, and wait until all are ready."""
        for member in self.members:
            if member.running:
                member.resume()
            member.start(wait=False)
        for member in self.members:
            member.start()

    def call(self, path: str, body: dict[str, Any]) -> Any:
        """One call with all rights."""
        return self.members[0].call(path, body)

    def kill(self) -> None:
        for member in self.members:
            member.kill()

    def lose_data(self) -> None:
        """Come back empty under the same endpoints, as another cluster."""
        self.kill()
        for member in self.members:
            shutil.rmtree(self._folder / member.name)
        self._be_new()
        self.start()

    @contextmanager
    def fresh_prefix(self) -> Iterator[str]:
        """A prefix of keys that nobody else uses, deleted at the end; with and without a leading slash."""
        self.start()
        prefix = f"{self.namespace}test-{uuid.uuid4().hex}"
        try:
            yield prefix
        finally:
            self.start()
            for written in (prefix, f"/{prefix}"):
                self.call("kv/deleterange", key_range(written))

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            for member in self.members:
                undo.callback(member.close)
            self.start()
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as undo:
            for member in self.members:
                undo.callback(member.close)


def encoded(text: str | bytes) -> str:
    """A key as the JSON gateway takes it."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def key_range(prefix: str) -> dict[str, str]:
    """All keys that begin with ``prefix``, which ends with an ASCII character."""
    end = prefix.encode()[:-1] + bytes([ord(prefix[-1]) + 1])
    return {"key": encoded(prefix), "range_end": encoded(end)}
