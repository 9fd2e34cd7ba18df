"""The asyncio client: one object for one or more servers of a fleet, one method a call.

Invariants: what goes in and comes out is plain; every error is a ``LongshoreError`` (but for wrong use:
``ValueError``, ``RuntimeError``); every call that changes something carries an id, made here or by the
caller, so that it can be made again without happening twice.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from longshore.v1 import deployment_service_pb2

from . import conversion
from .addresses import DEFAULT_SERVER, checked_addresses
from .bundle_models import BundleKind, InstallMethod, Source
from .catalog_models import PayloadDeletion
from .connection import Connection
from .credentials import ANONYMOUS, Credentials
from .decisions import DEFAULT_ENVIRONMENT, Decisions, new_deployment_id
from .errors import DeploymentFailed, LongshoreError, PayloadRefused
from .events import Event, Snapshot
from .following import BreakCallback, follow
from .models import (
    Deployment,
    PayloadFormat,
    Validation,
    VersionBump,
)
from .nodes import Nodes
from .policy import DEFAULT_POLICY, CallPolicy
from .reads import Reads
from .terms import ANY_TERMS, Terms
from .tracing import Tracing
from .upload_progress import Way
from .verifying import Verifying
from .workflows import Workflows

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    # What reads and cuts payloads takes longer to load than everything else: it is loaded by who moves bytes.
    from .deploying import PayloadSource
    from .downloading import Download, DownloadCallback
    from .planning import PlannedPack
    from .sources import FetchOptions
    from .upload_progress import ProgressCallback


class Client(Reads, Decisions, Nodes, Verifying, Workflows):
    """Talks to the server at ``server`` (``host:port``) inside an ``async with`` block.

    Several servers on the same stores are given with commas between them: ``"a:7420,b:7420"``. What one
    cannot do because it is away, drains or lacks a role goes on at the next; the one that answered last is
    asked first. ``policy`` says how long is waited, and what is tried again when; ``credentials`` who calls,
    and whether connections are encrypted; ``tracing`` makes OpenTelemetry's spans, by default what the
    program has set up, if anything. Safe for use by many tasks of one event loop at once.
    """

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        *,
        policy: CallPolicy = DEFAULT_POLICY,
        credentials: Credentials = ANONYMOUS,
        tracing: TracerProvider | None = None,
    ) -> None:
        self._tracing = Tracing(tracing)
        self._addresses = checked_addresses(server)
        self._policy = policy
        self._credentials = credentials
        self._opened: Connection | None = None

    async def __aenter__(self) -> Self:
        self._opened = Connection(self._addresses, self._policy, self._credentials, self._tracing)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()

    @property
    def _connection(self) -> Connection:
        if self._opened is None:
            raise RuntimeError("the client is not open: use it inside `async with Client(...)`")
        return self._opened

    async def deploy(
        self,
        source: PayloadSource,
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
        """Deploy a directory, a file, or the bytes of an async iterator; return when it is recorded.

        A directory goes as its canonical tar. The project is that of the manifest (``SKILL.md``,
        ``pack.yaml``, ``package.json``, ``pyproject.toml``) unless given; the version the manifest's, else
        the highest release's, raised. What is not of the ``kind`` that is given is refused. ``taken_from``,
        the path unless given, and ``install_method`` are recorded with the release.
        ``sha256`` and ``size_bytes`` are declared where known, and verified by the server; what the project
        has stored already is then not sent. A broken call is resumed, at whichever server answers; bytes
        from an iterator are kept in a temporary file for that. ``on_progress`` is called in the event loop,
        first when a server has accepted the header. Raises ``LongshoreError``.
        """
        from .deploying import Parcel, send

        if version is not None and bump is not None:
            raise ValueError("give a version or a bump, not both")
        parcel = Parcel(
            source=source,
            project=project,
            environment=environment,
            version=version,
            bump=bump,
            deployment_id=deployment_id or new_deployment_id(),
            kind=kind,
            payload_format=payload_format,
            file_name=file_name,
            sha256=sha256,
            size_bytes=size_bytes,
            taken_from=taken_from,
            install_method=install_method,
            terms=terms,
        )
        info = await self.server_info()
        try:
            answer = await send(self._connection, parcel, info, way=way, on_progress=on_progress)
        except PayloadRefused as error:
            await self._complete_findings(error, parcel.deployment_id)
            raise
        return conversion.deployment(answer.deployment)

    async def validate(
        self,
        source: PayloadSource,
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
        """Send what ``deploy`` would send, to be examined only: nothing is recorded.

        What would refuse the content is among the findings; ``LongshoreError`` is raised for everything else,
        for ``terms`` too that are not so now.
        """
        from .deploying import Parcel, send

        if version is not None and bump is not None:
            raise ValueError("give a version or a bump, not both")
        parcel = Parcel(
            source=source,
            project=project,
            environment=environment,
            version=version,
            bump=bump,
            deployment_id=new_deployment_id(),
            kind=kind,
            payload_format=payload_format,
            file_name=file_name,
            sha256=sha256,
            size_bytes=size_bytes,
            terms=terms,
            validate_only=True,
        )
        info = await self.server_info()
        answer = await send(self._connection, parcel, info, way=way, on_progress=on_progress)
        return conversion.validation(answer.validation)

    async def _complete_findings(self, error: PayloadRefused, deployment_id: str) -> None:
        """A status has little room: read the rest of what is wrong from the deployment."""
        try:
            refused = (await self.get(deployment_id)).error
        except LongshoreError:
            return
        if refused is not None and refused.findings:
            error.findings = refused.findings
            error.total_findings = refused.total_findings

    async def plan_dependencies(
        self,
        payload: str | Path,
        into: str | Path,
        *,
        environment: str = DEFAULT_ENVIRONMENT,
        options: FetchOptions | None = None,
    ) -> Sequence[PlannedPack]:
        """What must be live in an environment before the pack at ``payload``, and is not: in order.

        It is fetched from ``options.indexes`` below ``into``, an existing directory that is the caller's.
        Nothing is deployed; for what is no pack there is nothing to do. Raises ``SourceError``,
        ``PayloadRefused`` for a pack with errors, ``DependenciesClash`` where packs need each other in a
        circle or in versions that do not go together, and ``LongshoreError``.
        """
        from .dependency_fetching import fetch_dependencies
        from .sources import FetchOptions

        return await fetch_dependencies(
            self, Path(payload), Path(into), environment, options or FetchOptions()
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
    ) -> AsyncGenerator[Event | Snapshot, None]:
        """A deployment's events after number ``after``, in order, and snapshots, to its terminal event.

        With ``until_waiting`` it also ends as soon as the deployment waits for a person.
        It connects again by itself after a break, which ``on_break`` is told, at whichever server answers,
        until nothing was heard for ``patience_s``, by default that of the policy. Where what comes
        behind ``after`` was compacted, its changes of status come, which ``on_break`` is told as
        ``ProgressCompacted``. Raises ``DeploymentNotFound``.
        """
        return follow(
            self._connection,
            deployment_id,
            after=after,
            wait_for_creation_s=wait_for_creation_s,
            until_waiting=until_waiting,
            patience_s=self._policy.patience_s if patience_s is None else patience_s,
            on_break=on_break,
        )

    async def wait(self, deployment_id: str) -> Deployment:
        """Follow a deployment to its end and return it; raises ``DeploymentFailed`` without success.

        PARTIAL is a success: its release is live, and ``node_counts.failed`` tells on how many nodes it is
        not. One that waits for a person (``Deployment.waits_for_person``) ends only when somebody lets it go
        on, or cancels it.
        """
        async with aclosing(self.follow(deployment_id)) as updates:
            async for _ in updates:
                pass
        ended = await self.get(deployment_id)
        if not ended.status.successful:
            why = ended.error.message if ended.error else ended.status_message
            raise DeploymentFailed(f"deployment {deployment_id} ended {ended.status}: {why}", ended)
        return ended

    async def download(
        self,
        project: str,
        version: str,
        destination: str | Path = ".",
        *,
        overwrite: bool = False,
        on_progress: DownloadCallback | None = None,
    ) -> Download:
        """Download a release's payload to a file, verified, resumed after breaks.

        In a directory it gets its own name. Nothing appears under the name before it is whole. Raises
        ``DestinationUnusable``, ``ReleaseNotFound``, ``PayloadReclaimed``, ``DownloadDamaged``.
        """
        from .downloading import PayloadStream, download_file

        return await download_file(
            PayloadStream(self._connection, project, version),
            Path(destination),
            default_name=f"{project}-{version}",
            overwrite=overwrite,
            on_progress=on_progress,
        )

    def read_payload(self, project: str, version: str) -> AsyncGenerator[bytes, None]:
        """A release's payload in pieces; raises ``DownloadDamaged`` at the end if they are not its bytes."""
        from .downloading import PayloadStream

        return PayloadStream(self._connection, project, version).pieces()

    async def delete_payload(self, project: str, version: str, *, force: bool = False) -> PayloadDeletion:
        """Delete a release's payload, so that its space can be used again; the release stays in history.

        ``force`` deletes what an environment could be rolled back to as well; what is live or on its way
        never is. Raises ``PayloadInUse``, ``ReleaseNotFound``, ``ProjectNotFound``.
        """
        answer = await self._connection.unary(
            lambda server: server.deployments.DeletePayload,
            deployment_service_pb2.DeletePayloadRequest(project=project, version=version, force=force),
        )
        return PayloadDeletion(project, version, answer.freed_size_bytes, answer.shared_size_bytes)
