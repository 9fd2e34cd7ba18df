"""The same client for callers without an event loop: every method waits, every iterator is an ordinary one.

Callbacks are called in the client's own thread: they must be quick and must not call the client.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .addresses import DEFAULT_SERVER
from .bundle_models import BundleKind, InstallMethod, Source
from .catalog_models import PayloadDeletion
from .client import Client
from .credentials import ANONYMOUS, Credentials
from .decisions import DEFAULT_ENVIRONMENT
from .event_thread import EventThread, each_in_thread
from .events import Event, Snapshot
from .following import BreakCallback
from .models import Deployment, PayloadFormat, Validation, VersionBump
from .policy import DEFAULT_POLICY, CallPolicy
from .sync_decisions import SyncDecisions
from .sync_nodes import SyncNodes
from .sync_reads import SyncReads
from .sync_verifying import SyncVerifying
from .sync_workflows import SyncWorkflows
from .terms import ANY_TERMS, Terms
from .upload_progress import ProgressCallback, Way

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    from .downloading import Download, DownloadCallback
    from .planning import PlannedPack
    from .sources import FetchOptions


class SyncClient(SyncReads, SyncDecisions, SyncNodes, SyncVerifying, SyncWorkflows):
    """``Client`` in a ``with`` block, or opened at once and closed by ``close``; usable by many threads.

    Ctrl-C cancels the call that is waited for, cleans up behind it, and is raised as ``KeyboardInterrupt``.
    """

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        *,
        policy: CallPolicy = DEFAULT_POLICY,
        credentials: Credentials = ANONYMOUS,
        tracing: TracerProvider | None = None,
    ) -> None:
        self._client = Client(server, policy=policy, credentials=credentials, tracing=tracing)
        self._thread = EventThread()
        self._thread.run(self._client.__aenter__())
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every call that is still open, the connection and the thread. Idempotent."""
        if not self._closed:
            self._closed = True
            self._thread.run(self._client.__aexit__(None, None, None))
            self._thread.close()

    def deploy(
        self,
        source: str | Path | Iterable[bytes],
        *,
        project: str | None = None,
        environment: str = DEFAULT_ENVIRONMENT,
        version: str | None = None,
        bump: VersionBump | None = None,
        deployment_id: str | None = None,
        kind: BundleKind | None = None,
        payload_format: PayloadFormat = PayloadFormat.UNKNOWN,
        file_name: str | None = None,
        sha256: str | None = None,
        size_bytes: int | None = None,
        taken_from: Source | None = None,
        install_method: InstallMethod = InstallMethod.API,
        terms: Terms = ANY_TERMS,
        way: Way = Way.THRIFTY,
        on_progress: ProgressCallback | None = None,
    ) -> Deployment:
        """See ``Client.deploy``; ``source`` may be any iterable of bytes."""
        return self._thread.run(
            self._client.deploy(
                source if isinstance(source, str | Path) else each_in_thread(source),
                project=project,
                environment=environment,
                version=version,
                bump=bump,
                deployment_id=deployment_id,
                kind=kind,
                payload_format=payload_format,
                file_name=file_name,
                sha256=sha256,
                size_bytes=size_bytes,
                taken_from=taken_from,
                install_method=install_method,
                terms=terms,
                way=way,
                on_progress=on_progress,
            )
        )

    def validate(
        self,
        source: str | Path | Iterable[bytes],
        *,
        project: str | None = None,
        environment: str = DEFAULT_ENVIRONMENT,
        version: str | None = None,
        bump: VersionBump | None = None,
        kind: BundleKind | None = None,
        payload_format: PayloadFormat = PayloadFormat.UNKNOWN,
        file_name: str | None = None,
        sha256: str | None = None,
        size_bytes: int | None = None,
        terms: Terms = ANY_TERMS,
        way: Way = Way.THRIFTY,
        on_progress: ProgressCallback | None = None,
    ) -> Validation:
        """See ``Client.validate``; ``source`` may be any iterable of bytes."""
        return self._thread.run(
            self._client.validate(
                source if isinstance(source, str | Path) else each_in_thread(source),
                project=project,
                environment=environment,
                version=version,
                bump=bump,
                kind=kind,
                payload_format=payload_format,
                file_name=file_name,
                sha256=sha256,
                size_bytes=size_bytes,
                terms=terms,
                way=way,
                on_progress=on_progress,
            )
        )

    def plan_dependencies(
        self,
        payload: str | Path,
        into: str | Path,
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        options: FetchOptions | None = None,
    ) -> Sequence[PlannedPack]:
        """See ``Client.plan_dependencies``."""
        return self._thread.run(
            self._client.plan_dependencies(payload, into, environment=environment, options=options)
        )

    def follow(
        self,
        deployment_id: str,
        *,
        after: int = 0,
        wait_for_creation_s: float = 0.0,
        until_waiting: bool = False,
        patience_s: float | None = None,
        on_break: BreakCallback | None = None,
    ) -> Generator[Event | Snapshot, None, None]:
        """See ``Client.follow``."""
        return self._thread.iterate(
            self._client.follow(
                deployment_id,
                after=after,
                wait_for_creation_s=wait_for_creation_s,
                until_waiting=until_waiting,
                patience_s=patience_s,
                on_break=on_break,
            )
        )

    def wait(self, deployment_id: str) -> Deployment:
        """See ``Client.wait``."""
        return self._thread.run(self._client.wait(deployment_id))

    def download(
        self,
        project: str,
        version: str,
        destination: str | Path = ".",
        *,
        overwrite: bool = False,
        on_progress: DownloadCallback | None = None,
    ) -> Download:
        """See ``Client.download``."""
        return self._thread.run(
            self._client.download(project, version, destination, overwrite=overwrite, on_progress=on_progress)
        )

    def read_payload(self, project: str, version: str) -> Generator[bytes, None, None]:
        """See ``Client.read_payload``."""
        return self._thread.iterate(self._client.read_payload(project, version))

    def delete_payload(self, project: str, version: str, *, force: bool = False) -> PayloadDeletion:
        """See ``Client.delete_payload``."""
        return self._thread.run(self._client.delete_payload(project, version, force=force))
