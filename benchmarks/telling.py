"""``longshore``, with a node that tells as many events a second of one deployment as a node ever does.

A program: ``python telling.py serve ARG...`` is ``longshore serve ARG...`` whose node, when it gets SIGUSR1,
appends ``BENCHMARK_TELL`` events to the one deployment that is staged there, four a second, each in a
transaction and with the wake-up that every event has, and cancels it at the end. A rollout tells as many, but
not evenly, and with work of its own beside it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Final

from longshore_server import node
from longshore_server.progress import ProgressHub
from longshore_server.wakeups import Kind
from longshore_storage.catalogue import Transaction
from longshore_storage.catalogue.journal import append_event, change_status
from longshore_storage.catalogue.lifecycle import DeploymentStatus
from longshore_storage.catalogue.listing import DeploymentFilter, list_deployments
from longshore_storage.catalogue.rows import Actor

VARIABLE: Final = "BENCHMARK_TELL"
_SPACING_S: Final = 0.25
_NODES_AN_EVENT: Final = 3
_STAGED: Final = (DeploymentStatus.STAGED,)


class TellingHub(ProgressHub):
    """The node's own, with the teller beside it."""

    async def run(self) -> None:
        teller = asyncio.create_task(self._tell())
        try:
            await super().run()
        finally:
            teller.cancel()

    async def _tell(self) -> None:
        loop = asyncio.get_running_loop()
        asked = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, asked.set)
        await asked.wait()
        async with self._catalogue.reading() as transaction:
            (staged,) = await list_deployments(transaction, DeploymentFilter(statuses=_STAGED), limit=1)
        count, begun = int(os.environ[VARIABLE]), loop.time()
        for number in range(count + 1):
            await asyncio.sleep(begun + number * _SPACING_S - loop.time())
            async with self._catalogue.transaction() as transaction:
                if number < count:
                    await _append(transaction, staged.id, number)
                else:
                    await _cancel(transaction, staged.id)
            self._wakeups.send(Kind.PROGRESS, staged.id)


async def _append(transaction: Transaction, deployment_id: str, number: int) -> None:
    names = [f"node-{number * _NODES_AN_EVENT + place}" for place in range(_NODES_AN_EVENT)]
    await append_event(
        transaction,
        deployment_id,
        "nodes_stepped",
        ", ".join(f"{name} live" for name in names),
        {"steps": [{"node_id": name, "node_name": name, "status": "LIVE", "message": ""} for name in names]},
        expected=_STAGED,
    )


async def _cancel(transaction: Transaction, deployment_id: str) -> None:
    await change_status(
        transaction,
        deployment_id,
        expected=_STAGED,
        to=DeploymentStatus.CANCELLED,
        actor=Actor("benchmark"),
        action="deployment.cancelled",
    )


def main() -> None:
    setattr(node, "ProgressHub", TellingHub)  # noqa: B010
    from longshore_client.cli import main as longshore

    longshore()


if __name__ == "__main__":
    main()
