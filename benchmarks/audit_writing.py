"""Entries of the audit trail, a thousand a second, written into a node's database from beside.

``python -m benchmarks.audit_writing DATABASE_URL`` is the process that writes them: each line that it is
given makes it begin, or pause between two transactions, and it answers with how many it has written.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from longshore_storage.catalogue import Catalogue, open_catalogue
from longshore_storage.catalogue.audit_trail import record_audits
from longshore_storage.catalogue.rows import Actor

A_SECOND = 1_000
# Twenty transactions a second: each costs a sync of the disk, whatever is in it.
_IN_A_TRANSACTION = 50
_ACTOR = Actor("bench@example.com", "ipv4:192.0.2.1:40000", "0123456789abcdef0123456789abcdef")


class AuditWriter:
    """The process, which writes only where it is told to."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def toggle(self) -> int:
        """Let it begin, or pause; tells how many entries are committed by then."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        answer = await self._process.stdout.readline()
        if not answer:
            raise RuntimeError("whoever writes audit entries has ended: its standard error tells why")
        return int(answer)


@asynccontextmanager
async def audit_writer(url: str) -> AsyncIterator[AuditWriter]:
    """A writer into the database at ``url``, gone at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.audit_writing", url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    try:
        yield AuditWriter(process)
    finally:
        # It ends where nobody tells it anything more.
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


async def _write(catalogue: Catalogue) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdin)
    written = 0
    while await told.readline():
        print(written, flush=True)
        toggled = asyncio.create_task(told.readline())
        begun_s, before = loop.time(), written
        while not toggled.done():
            await _write_some(catalogue, written)
            written += _IN_A_TRANSACTION
            # Whoever had to wait catches up.
            due_s = begun_s + (written - before) / A_SECOND
            await asyncio.sleep(max(0.0, due_s - loop.time()))
        if not toggled.result():
            return
        print(written, flush=True)


async def _write_some(catalogue: Catalogue, first: int) -> None:
    messages = {f"0.0.{first + number}": "as measured" for number in range(_IN_A_TRANSACTION)}
    async with catalogue.transaction() as transaction:
        await record_audits(transaction, _ACTOR, "release.pinned", project="audited", messages=messages)


async def _main(url: str) -> None:
    catalogue = open_catalogue(url)
    try:
        await _write(catalogue)
    finally:
        await catalogue.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
