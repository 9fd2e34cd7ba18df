"""Under which id a run of ``longshore deploy`` uploads, and what it leaves for the next run.

A source on this machine is remembered from before its first byte until the server has recorded or finally
refused it. The server says whether an upload can be gone on with; no trouble with remembering ever fails a
deployment.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

from longshore_client import errors
from longshore_client.decisions import new_deployment_id

from .unfinished import UnfinishedFile, UnfinishedUpload, source_fingerprint, state_folder
from .wording import safe, size

if TYPE_CHECKING:
    from longshore_client.client import Client
    from longshore_client.models import Deployment

Say = Callable[[str], None]

_FINAL: Final = (
    errors.InvalidRequest,
    errors.NotFound,
    errors.AlreadyExists,
    errors.PreconditionFailed,
    errors.LimitExceeded,
    errors.ProjectUnknown,
)
_GOES_ON: Final = (errors.StorageFull, errors.ChunkMissing, errors.RoleMissing, errors.Misconfigured)
"""What of ``_FINAL`` leaves the upload as it is."""


class UploadRun:
    """One run: ``deployment_id`` is what it uploads under, from ``choose`` on.

    ``source`` is a file or directory on this machine, None for anything else, and ``file`` what remembers it,
    None where nothing does. ``anew`` goes on with nothing.
    """

    def __init__(
        self, deployment_id: str, *, source: Path | None, file: UnfinishedFile | None, anew: bool
    ) -> None:
        self.deployment_id = deployment_id
        self.recorded = False
        self._source = source
        self._file = file
        self._anew = anew
        self._resumed = False
        self._fingerprint = ""
        self._is_remembered = file is not None

    async def choose(self, client: Client, say: Say) -> None:
        """Take the id of an unfinished upload of the same source, and remember the one that is taken.

        ``say`` is told one line where there was one. Raises ``LongshoreError``.
        """
        if self._source is None or self._file is None:
            return
        self._fingerprint = await asyncio.to_thread(source_fingerprint, self._source)
        found = None if self._anew else self._file.found
        if found is not None and found.fingerprint != self._fingerprint:
            say(f"{safe(str(self._source))} has changed since its upload broke off: this is a new deployment")
        elif found is not None and await self._goes_on(client, found.deployment_id, say):
            self.deployment_id = found.deployment_id
            self._resumed = True
        self._remember()

    async def upload(self, send: Callable[[str], Awaitable[Deployment]], say: Say) -> Deployment:
        """What ``send`` gives, called with the id; once more with a new one where the old cannot go on."""
        try:
            try:
                deployment = await send(self.deployment_id)
            except (errors.DeploymentIdReused, errors.PayloadChanged) as error:
                if not self._resumed:
                    raise
                say(f"{safe(error.message)}; this is a new deployment")
                self.deployment_id = new_deployment_id()
                self._remember()
                deployment = await send(self.deployment_id)
        except _FINAL as error:
            if not isinstance(error, _GOES_ON):
                self._forget()
            raise
        self.recorded = True
        self._forget()
        return deployment

    def how_to_go_on(self) -> str:
        """What to do with an upload that is not complete."""
        if not self._is_remembered:
            arguments = [each for each in sys.argv[1:] if each != "--new"]
            if self.deployment_id not in shlex.join(arguments):
                arguments += ["--deployment-id", self.deployment_id]
            return f"the upload is not complete; go on with it: longshore {shlex.join(arguments)}"
        again = "without --new" if self._anew else "again"
        return f"the upload is not complete; to go on with it run the same command {again}"

    async def _goes_on(self, client: Client, deployment_id: str, say: Say) -> bool:
        try:
            deployment = await client.get(deployment_id)
        except (errors.NotFound, errors.PermissionDenied):
            return False
        if deployment.status.terminal and not deployment.live:
            why = f": {safe(deployment.error.message)}" if deployment.error else ""
            say(f"the upload that broke off has ended as {deployment.status}{why}; this is a new deployment")
            return False
        if deployment.record_time is not None:
            say(f"the upload that broke off was complete, as deployment {deployment_id}; --new makes another")
            return True
        durable = deployment.transfer.durable_bytes if deployment.transfer else 0
        whole = f" of {size(deployment.payload_size_bytes)}" if deployment.payload_size_bytes else ""
        say(f"going on with the upload that broke off: {size(durable)}{whole} are there; --new starts anew")
        return True

    def _remember(self) -> None:
        assert self._file is not None
        try:
            self._file.remember(UnfinishedUpload(self.deployment_id, self._fingerprint))
        except OSError:
            self._is_remembered = False
        else:
            self._is_remembered = True

    def _forget(self) -> None:
        if self._file is not None:
            self._file.forget()
        self._is_remembered = False


@contextmanager
def upload_run(
    source: Path | None, upload: Mapping[str, object], say: Say, *, deployment_id: str | None, anew: bool
) -> Iterator[UploadRun]:
    """The run that uploads ``source``, described by ``upload``; a ``deployment_id`` that is given wins."""
    file = None
    if source is not None and deployment_id is None:
        try:
            file = UnfinishedFile(state_folder(), upload)
        except BlockingIOError:
            say("another run of this command is under way; this is a deployment of its own")
        except (OSError, RuntimeError):
            pass
    with file or nullcontext():
        yield UploadRun(deployment_id or new_deployment_id(), source=source, file=file, anew=anew)
