"""Starting what a push deploys: once, one at a time of a hook, by the command line with the hook's token.

Whoever has kept a request can send it again and again, so what is known already is told for next to nothing,
and does not count: a hundred new ones a minute are taken for each hook.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

import structlog

from longshore_server.hooks.output import OutputTail
from longshore_server.hooks.process import run_command
from longshore_server.settings import PushHookSettings, PushSettings
from longshore_storage.catalogue import Catalogue, audit_trail
from longshore_storage.catalogue.deployments import get_accepted
from longshore_storage.catalogue.rows import Actor
from longshore_storage.errors import Misconfigured, StorageError

from .forges import Push
from .minute import Minute
from .repositories import RepositoryAway, git_environment, is_what_ref_is
from .turns import LastTurn

_log = structlog.get_logger(__name__)

_Told = tuple[str, str]
"""An action of the audit trail, and its message."""

_AT_ONCE: Final = 2
_MOST_WAITING: Final = 32
# One hook's must not keep those of others out. That many come only in a moment: each is held against the ref
# at once, and of those that are the last one waits.
_MOST_OF_ONE: Final = 8
_TAKEN_A_MINUTE: Final = 100
# For so long nobody looks again at what was deployed or overtaken, in the database or in a repository.
_KNOWN_FOR_S: Final = 60.0
_MOST_KNOWN: Final = 1000
_TIMEOUT_S: Final = 1800.0
_OVERTAKEN: Final = "push.overtaken"
_PROGRAM: Final = "longshore"
_LONGEST_MESSAGE: Final = 500


class TooManyPushes(Exception):
    """So many wait already that one more is to come again later."""


class TooOftenPushed(Exception):
    """So many of the hook were taken in the last minute that one more is to come again after it."""


class PushDeployments:
    """Deploys what is pushed, on the node's event loop, until it is closed.

    ``own_address`` is where the node listens, which is where it deploys unless the settings say otherwise.

    Raises ``Misconfigured`` where the command line is not installed beside the server.
    """

    def __init__(self, settings: PushSettings, catalogue: Catalogue, own_address: str, *, tls: bool) -> None:
        beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        program = shutil.which(_PROGRAM, path=beside)
        if program is None:
            raise Misconfigured(
                "`push.listen`: the program `longshore`, which fetches and deploys, is not here"
            )
        self._program = program
        self._catalogue = catalogue
        self._settings = settings
        self._tls = tls
        self._server = settings.server or _reached(own_address)
        self._places = asyncio.Semaphore(_AT_ONCE)
        # One whose repository does not answer holds up its own pushes only.
        self._looks = {hook.name: asyncio.Semaphore(1) for hook in settings.hooks}
        self._numbers = itertools.count(1)
        self._turns = {hook.name: LastTurn() for hook in settings.hooks}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._by_hook: Counter[str] = Counter()
        self._taken = {hook.name: Minute(_TAKEN_A_MINUTE) for hook in settings.hooks}
        # Ids by when they were found to be deployed or overtaken, the first one first.
        self._known: dict[str, float] = {}

    async def start(self, hook: PushHookSettings, push: Push, peer: str) -> bool:
        """See that a push is deployed; False where it is, or was, already, or was overtaken a moment ago.

        Raises ``TooManyPushes``, ``TooOftenPushed``, and what the catalogue raises.
        """
        ident = push.deployment_id
        # What is told twice at once may have been begun while that was looked up.
        if await self._is_known(ident) or ident in self._running:
            return False
        if len(self._running) >= _MOST_WAITING or self._by_hook[hook.name] >= _MOST_OF_ONE:
            raise TooManyPushes
        if not self._taken[hook.name].count():
            raise TooOftenPushed
        self._by_hook[hook.name] += 1
        deploying = self._deploy(hook, push, peer, next(self._numbers))
        task = self._running[ident] = asyncio.create_task(deploying)

        def ended(_: object) -> None:
            self._running.pop(ident, None)
            self._by_hook[hook.name] -= 1

        task.add_done_callback(ended)
        return True

    async def close(self) -> None:
        """End what is under way: sent again, a push goes on."""
        for task in (tasks := list(self._running.values())):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _is_known(self, ident: str) -> bool:
        """Whether it is, or was, deployed, or was overtaken a moment ago."""
        if ident in self._running or time.monotonic() < self._known.get(ident, -_KNOWN_FOR_S) + _KNOWN_FOR_S:
            return True
        async with self._catalogue.reading() as transaction:
            if await get_accepted(transaction, ident) is None:
                return False
        self._note_known(ident)
        return True

    def _note_known(self, ident: str) -> None:
        self._known.pop(ident, None)
        self._known[ident] = time.monotonic()
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]

    async def _deploy(self, hook: PushHookSettings, push: Push, peer: str, number: int) -> None:
        actor = Actor(f"hook:{hook.name}", peer, push.deployment_id)
        try:
            await self._tell(actor, hook, "push.taken", f"{push.commit}: deployment {push.deployment_id}")
            told = await self._why_not(hook, push) or await self._in_turn(hook, push, number)
            if told is not None:
                action, message = told
                if action == _OVERTAKEN:
                    self._note_known(push.deployment_id)
                await self._tell(actor, hook, action, f"{push.commit}: {message}")
        except StorageError as error:
            _log.warning("push.untold", hook=hook.name, error=str(error))

    async def _why_not(self, hook: PushHookSettings, push: Push) -> _Told | None:
        """What keeps a push from being deployed. None where it is what the ref is."""
        try:
            async with self._looks[hook.name]:
                is_last = await is_what_ref_is(hook.source, hook.ref, push.commit)
        except RepositoryAway as away:
            return "push.failed", str(away)
        return None if is_last else (_OVERTAKEN, f"{hook.ref} is another commit by now")

    async def _in_turn(self, hook: PushHookSettings, push: Push, number: int) -> _Told | None:
        """Deploy a push that is the last, if it still is when its turn has come."""
        async with self._turns[hook.name].of(number) as has_come:
            if not has_come:
                return _OVERTAKEN, "another push came while it waited for its turn"
            if (told := await self._why_not(hook, push)) is not None:
                return told
            async with self._places:
                return await self._run(hook, push)

    async def _run(self, hook: PushHookSettings, push: Push) -> _Told | None:
        output = OutputTail()
        ended = await run_command(
            self._command(hook, push), self._environment(hook), timeout_s=_TIMEOUT_S, output=output
        )
        if ended.well:
            return None
        said = " ".join(output.lines(whole=True)[-5:])
        return "push.failed", f"{ended.how}: {said[:_LONGEST_MESSAGE]}"

    def _command(self, hook: PushHookSettings, push: Push) -> list[str]:
        options = {
            "--project": hook.project,
            "--environment": hook.environment,
            "--deployment-id": push.deployment_id,
            "--install-method": "auto",
            "--label": f"hook={hook.name}",
            "--wait": "recorded",
            "--server": self._server,
        }
        if self._settings.ca_file is not None:
            options["--ca"] = str(self._settings.ca_file.absolute())
        scheme = "" if "://" not in hook.source else "git+"
        ref = "@" if scheme else "#"
        flags = ["--plain", "--yes", *(["--tls"] if self._tls else [])]
        given = [f"{name}={value}" for name, value in options.items()]
        return [self._program, "deploy", *flags, *given, "--", f"{scheme}{hook.source}{ref}{push.commit}"]

    def _environment(self, hook: PushHookSettings) -> dict[str, str]:
        shown = {} if hook.token_file is None else {"LONGSHORE_TOKEN_FILE": str(hook.token_file.absolute())}
        return {**git_environment(), **shown}

    async def _tell(self, actor: Actor, hook: PushHookSettings, action: str, message: str) -> None:
        _log.info(action, hook=hook.name, deployment_id=actor.request_id, message=message)
        async with self._catalogue.transaction() as transaction:
            await audit_trail.record_audit(
                transaction,
                actor,
                action,
                project=hook.project,
                environment=hook.environment,
                message=message,
            )


def _reached(address: str) -> str:
    """Where a node is reached from its own machine."""
    host, _, port = address.rpartition(":")
    everywhere = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 (it is not listened on)
    return f"{everywhere.get(host, host)}:{port}"
