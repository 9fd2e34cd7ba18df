"""Whoever runs the service: backs up, scrubs, collects, seals the audit trail and shortens it, drops events.

What is a program is one, and is killed now and then. All of it goes past the proxies of the nodes, to
services that may be down: what then fails is done again. At the end every backup is read, the trail is
verified, and a last scrub finds every byte as it was put, once what was hurt and nobody healed is put back.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import text

from longshore_storage.auditing.sealing import Sealing
from longshore_storage.backup import check_backup
from longshore_storage.blobs import open_blob_store
from longshore_storage.catalogue import open_catalogue
from longshore_storage.catalogue.append_only import GUARDS
from longshore_storage.catalogue.rows import Actor
from longshore_storage.collecting.old_events import compact_old_events
from longshore_storage.errors import BackupUnusable, StorageError
from tests.cluster.history.records import Decided, LeftBehind, Refused, TroubleSeen

from .nodes import LONGSHORE
from .recording import Recorder
from .world import COLLECTING, World

SCRUB: Final = "scrub"
CALLS: Final = ("back up", SCRUB, "collect", "seal", "shorten the trail", "drop events")
_NAME: Final = "housekeeper"
_KILLED: Final = 0.3
_KILLED_WITHIN_S: Final = 3.0
_PAUSE_S: Final = (0.2, 1.5)
_AT_MOST_S: Final = 60.0
_LAST_WITHIN_S: Final = 180.0
# The last line of a scrub that came to its end, whatever it found.
_SCRUBBED: Final = "damaged now"
# Nothing that a run still looks at is so old: who follows comes to the end sooner.
_KEEP_ENTRIES_FOR: Final = timedelta(seconds=20)
_KEEP_EVENTS_FOR: Final = timedelta(seconds=60)


async def let_young_batches_go(database_url: str) -> None:
    """Have the database let retention remove what is not a day old yet, as no run is."""
    catalogue = open_catalogue(database_url)
    try:
        async with catalogue.transaction() as transaction:
            for statement in GUARDS["postgresql"]:
                if statement.startswith("CREATE FUNCTION audit_seal_goes"):
                    younger = statement.replace("'1 day'", "'1 second'")
                    await transaction.execute(text(younger.replace("CREATE", "CREATE OR REPLACE", 1)))
    finally:
        await catalogue.close()


class Housekeeper:
    """Does one thing after the other in ``folder``, which is its own."""

    def __init__(self, world: World, recorder: Recorder, chance: random.Random, folder: Path) -> None:
        self._world = world
        self._recorder = recorder
        self._chance = chance
        self._folder = folder
        self._over = False
        self._backups = 0
        self._done: set[str] = set()

    async def run(self) -> None:
        """Do each of them as often, in some order, until told to stop."""
        every = [
            *(self._back_up, self._scrub, self._collect),
            *(self._seal, self._shorten, self._drop_events),
        ]
        things: list[Callable[[], Awaitable[None]]] = []
        while not self._over:
            things = things or self._chance.sample(every, len(every))
            await things.pop()()
            await asyncio.sleep(self._chance.uniform(*_PAUSE_S))

    def stop(self) -> None:
        """End after what is under way."""
        self._over = True

    async def scrub_all(self) -> None:
        """Have everything that is stored read, so that all damage is known. Raises ``TimeoutError``."""
        async with asyncio.timeout(_LAST_WITHIN_S):
            while (told := await self._program(("scrub",))) is not None and not told.endswith(_SCRUBBED):
                self._refused(SCRUB, told)
        self._recorder.add(Decided, client=_NAME, call=SCRUB, target="")

    async def look_back(self) -> None:
        """Note what is wrong with what was done, now that all is whole again."""
        for name, command in (("seal", ("audit", "seal")), ("scrub", ("scrub",))):
            if (told := await self._program(command)) is not None:
                self._left(f"a last {name}", told)
        kept = ("--kept-for", str(_KEEP_ENTRIES_FOR.total_seconds()))
        if (told := await self._program(("audit", "verify", *kept))) is not None:
            self._left("the audit trail", told)
        for path in self._folder.glob("*.backup"):
            try:
                await asyncio.to_thread(check_backup, path)
            except BackupUnusable as error:
                self._left("the backups", str(error))
        if not list(self._folder.glob("*.backup")):
            self._left("the backups", "none")

    async def _back_up(self) -> None:
        self._backups += 1
        await self._run("back up", "backup", str(self._folder / f"{self._backups}.backup"))

    async def _scrub(self) -> None:
        await self._run(SCRUB, "scrub", *self._chance.choice([(), ("--resume",)]))

    async def _collect(self) -> None:
        await self._run("collect", "gc")

    async def _seal(self) -> None:
        await self._run("seal", "audit", "seal")

    async def _shorten(self) -> None:
        catalogue = open_catalogue(self._world.database_url)
        try:
            async with open_blob_store(self._world.blobs_url) as blobs:
                await self._note(
                    "shorten the trail",
                    Sealing(catalogue, blobs, actor=Actor("chaos"), keep_for=_KEEP_ENTRIES_FOR).run(),
                )
        finally:
            await catalogue.close()

    async def _drop_events(self) -> None:
        catalogue = open_catalogue(self._world.database_url)

        async def drop() -> None:
            async for _ in compact_old_events(catalogue, _KEEP_EVENTS_FOR):
                pass

        try:
            await self._note("drop events", drop())
        finally:
            await catalogue.close()

    async def _note(self, call: str, work: Awaitable[object]) -> None:
        try:
            async with asyncio.timeout(_AT_MOST_S):
                await work
        except (StorageError, TimeoutError) as error:
            self._refused(call, repr(error))
        else:
            self._recorder.add(Decided, client=_NAME, call=call, target="")

    async def _run(self, call: str, *command: str) -> None:
        """Run a program; once it has come to its end, it may be killed somewhere."""
        is_killed = call in self._done and self._chance.random() < _KILLED
        within_s = self._chance.uniform(0, _KILLED_WITHIN_S) if is_killed else _AT_MOST_S
        told = await self._program(command, within_s=within_s)
        if told is None or (call == SCRUB and told.endswith(_SCRUBBED)):
            self._done.add(call)
            self._recorder.add(Decided, client=_NAME, call=call, target="")
        else:
            self._refused(call, told)

    def _refused(self, call: str, error: str) -> None:
        told = {"client": _NAME, "call": call, "deployment_id": "", "reason": ""}
        self._recorder.add(Refused, **told, error=error, unknown=True)

    def _left(self, where: str, what: str) -> None:
        self._recorder.add(LeftBehind, where=where, what=what)

    async def _program(self, command: tuple[str, ...], *, within_s: float = _LAST_WITHIN_S) -> str | None:
        """Run ``longshore admin`` for so long; None where it came to a good end, else what it told."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LONGSHORE_")}
        world = self._world
        program = await asyncio.create_subprocess_exec(
            LONGSHORE,
            "admin",
            *command,
            cwd=self._folder,
            env={
                **inherited,
                **COLLECTING,
                "LONGSHORE_DATABASE__URL": world.database_url,
                "LONGSHORE_BLOBS__URL": world.blobs_url,
                "LONGSHORE_BLOBS__RETRY_FOR_S": "4",
                "LONGSHORE_COORDINATION__URL": world.services.etcd.url(world.etcd_prefix),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        telling = asyncio.create_task(program.communicate())
        ended, _ = await asyncio.wait([telling], timeout=within_s)
        if not ended:
            program.kill()
        told = (await telling)[0].decode(errors="replace").strip()
        if "Traceback" in told:
            self._recorder.add(TroubleSeen, node=_NAME, what=f"{' '.join(command)}: {told.splitlines()[-1]}")
        if program.returncode == 0:
            return None
        return "killed" if program.returncode == -signal.SIGKILL else told[-500:]
