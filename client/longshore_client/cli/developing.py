"""``longshore dev``: a directory is deployed, and again whenever something in it has changed.

One deployment at a time. What changes while one goes on is deployed next, in one. What is wrong with the
content is told, and the next change tries again; a server that is away is tried again by itself.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import click
from watchfiles import Change, awatch

from longshore_bundles import BundleManifest
from longshore_client.bundle_models import InstallMethod, Source, SourceKind
from longshore_client.client import Client
from longshore_client.contents import findings_of, scanned
from longshore_client.errors import (
    DeploymentFailed,
    LongshoreError,
    PayloadChanged,
    PayloadUnreadable,
    ProjectNotFound,
    ProjectUnknown,
    VersionExists,
)
from longshore_client.models import Deployment
from longshore_client.payloads import readable
from longshore_client.terms import Terms

from .development_place import DevelopmentPlace
from .development_versions import development_version
from .display import Display
from .editor_files import is_left_by_editor
from .exit_codes import UNAVAILABLE
from .failing import exit_code_of, finding_lines, print_error, warn
from .outcome import Followed
from .session import Session
from .snapshots import Snapshot, take_snapshot
from .wording import safe

_QUIET_MS: Final = 150
"""Something is deployed when nothing has changed for so long, or, where that never happens, …"""
_LONGEST_MS: Final = 1500
_AGAIN_S: Final = 2.0
"""After so long it is tried again to deploy what could not be taken or sent."""
_TRIES: Final = 5


class Development:
    """A directory on its way to a place; ``project`` is what it is called whatever its manifest says."""

    def __init__(
        self,
        session: Session,
        directory: Path,
        place: DevelopmentPlace,
        *,
        project: str | None,
        terms: Terms,
    ) -> None:
        self._session = session
        self._directory = directory
        self._place = place
        self._project = project
        self._terms = terms
        self._seen = ""
        self._is_due_again = False
        self._told = ""
        self._versions: dict[str, set[str]] = {}
        self.live: Deployment | None = None
        """The last one that went live."""

    async def run(self, client: Client) -> None:
        """Go on until somebody ends it.

        Raises ``Unavailable`` and ``EnvironmentNotFound`` at the beginning, and ``PayloadUnreadable`` where
        the directory is gone or cannot be watched.
        """
        self._say(f"every change of {safe(str(self._directory))} goes live {await self._place.words(client)}")
        async with _next_of(_changes(self._directory)) as next_change:
            while True:
                await next_change(_AGAIN_S if self._is_due_again else None)
                if not self._directory.is_dir():
                    raise PayloadUnreadable(f"{self._directory} is gone")
                await self._look(client)

    async def _look(self, client: Client) -> None:
        """Deploy what is there, if it is not what was looked at last."""
        self._is_due_again = False
        try:
            with tempfile.TemporaryDirectory(prefix="longshore-dev-") as folder:
                taken = await asyncio.to_thread(take_snapshot, self._directory, Path(folder))
                if taken.content_sha256 == self._seen:
                    return
                self._seen = taken.content_sha256
                await self._deploy(client, taken)
        except DeploymentFailed as error:
            print_error(error)
        except PayloadChanged:
            self._is_due_again = True
            return
        except LongshoreError as error:
            # The same content may do the next time.
            self._seen = ""
            self._is_due_again = exit_code_of(error) == UNAVAILABLE
            if self._is_due_again and error.message == self._told:
                return
            print_error(error)
            self._told = error.message
            if self._is_due_again:
                self._say(f"tried again every {_AGAIN_S:.0f} s; Ctrl-C ends it")
                return
        self._told = ""
        self._say("waiting for changes; Ctrl-C ends it")

    async def _deploy(self, client: Client, taken: Snapshot) -> None:
        found = await asyncio.to_thread(scanned, taken.path)
        if not self._session.printer.quiet or not found.accepted:
            for line in finding_lines(findings_of(found.findings), found.total_findings):
                click.echo(line, err=True)
        if not found.accepted:
            self._say("not deployed")
            return
        in_manifest = found.manifest.project if found.manifest else ""
        project = self._project or in_manifest or self._session.chosen.project
        if not project:
            raise ProjectUnknown("nothing in it tells the project")
        if project not in self._versions:
            await self._place.agree(client, project)
        followed = Followed(self._session, detach=False, timeout_s=None)
        with self._session.display() as shown:
            deployment = await self._send(client, taken, project, found.manifest, shown)
            await followed.to_end(client, deployment, shown)
        if followed.error is None:
            self.live = followed.deployment
        if followed.warning is not None:
            warn(followed.warning.message, followed.warning.notes)
            followed.warning = None
        followed.print_outcome()

    async def _send(
        self,
        client: Client,
        taken: Snapshot,
        project: str,
        manifest: BundleManifest | None,
        shown: Display,
    ) -> Deployment:
        """Record a deployment, in a version of its own."""
        tries_left = _TRIES
        while True:
            versions = self._versions[project] = self._versions.get(project) or await _versions_of(
                client, project
            )
            version = development_version(manifest.version if manifest else "", versions)
            if manifest is not None and manifest.version:
                await asyncio.to_thread(taken.set_version, manifest, version)
            try:
                deployment = await client.deploy(
                    taken.path,
                    project=project,
                    environment=self._place.environment,
                    version=version,
                    taken_from=Source(SourceKind.DIRECTORY, str(self._directory)),
                    install_method=InstallMethod.CLI,
                    terms=self._terms,
                    on_progress=shown.upload,
                )
            except VersionExists:
                # Somebody else who develops the same was faster.
                self._versions[project] = set()
                tries_left -= 1
                if not tries_left:
                    raise
            else:
                versions.add(version)
                return deployment

    def _say(self, line: str) -> None:
        if not self._session.printer.quiet:
            click.echo(line, err=True)


async def _versions_of(client: Client, project: str) -> set[str]:
    found: set[str] = set()
    with suppress(ProjectNotFound):
        async with aclosing(client.releases(project)) as releases:
            found = {release.version async for release in releases}
    return found


@asynccontextmanager
async def _next_of(
    changes: AsyncGenerator[None, None],
) -> AsyncIterator[Callable[[float | None], Awaitable[None]]]:
    """What waits for the next change, or so many seconds at most, and loses none in between."""
    waiting: asyncio.Future[None] | None = None

    async def wait(timeout_s: float | None) -> None:
        nonlocal waiting
        waiting = waiting or asyncio.ensure_future(anext(changes))
        await asyncio.wait([waiting], timeout=timeout_s)
        if waiting.done():
            ended, waiting = waiting, None
            ended.result()

    async with aclosing(changes):
        try:
            yield wait
        finally:
            if waiting is not None:
                waiting.cancel()
                await asyncio.wait([waiting])


async def _changes(directory: Path) -> AsyncGenerator[None, None]:
    """Once at the beginning, and whenever something below ``directory`` has changed since."""
    with readable(directory):
        async with aclosing(
            awatch(directory, watch_filter=_counts, step=_QUIET_MS, debounce=_LONGEST_MS)
        ) as changes:
            first = asyncio.ensure_future(anext(changes))
            try:
                # Its first step begins to watch: what changes from here on is kept for whoever asks next.
                await asyncio.sleep(0)
                yield
                await first
                yield
            finally:
                first.cancel()
                await asyncio.wait([first])
            async for _ in changes:
                yield


def _counts(_change: Change, path: str) -> bool:
    """Whether a change may change what is deployed; the checksum tells whether it does."""
    return ".git" not in Path(path).parts and not is_left_by_editor(Path(path).name)
