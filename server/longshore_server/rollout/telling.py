"""Telling what nodes do, as events: together what comes close together, and the end of all at once."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Final

from longshore_storage.catalogue import Transaction
from longshore_storage.catalogue.activations import mark_told
from longshore_storage.catalogue.journal import append_event
from longshore_storage.catalogue.lifecycle import ACTIVATION_TERMINAL, ROLLING, ActivationStatus
from longshore_storage.catalogue.rows import Activation, Deployment

from .hook_events import tell_hook_output, untold_hook_output

# Four events a second are as many as people can read and followers have to take.
_SPACING_S: Final = 0.25
# An event must stay far below what a message may hold.
_MOST_STEPS_IN_AN_EVENT: Final = 500
_MOST_NODES_NAMED: Final = 20
_LONGEST_MESSAGE: Final = 200


class Telling:
    """What one driver of a rollout has told, and when."""

    def __init__(self) -> None:
        self._told_at = -_SPACING_S
        # Whether there is news that waits for its turn.
        self.untold = False

    @property
    def due_in_s(self) -> float:
        """When the next event may come."""
        return max(0.0, self._told_at + _SPACING_S - monotonic())

    async def tell(
        self,
        transaction: Transaction,
        active: Deployment,
        activations: Sequence[Activation],
        *,
        owner_epoch: int,
        at_once: bool = False,
    ) -> bool:
        """Append an event on what nodes did since the last one; False when nothing is told now.

        ``at_once`` is for the last word on a rollout that ends, whenever the one before came.
        """
        news = [one for one in activations if one.status != (one.told_status or ActivationStatus.PENDING)]
        ended = all(one.status in ACTIVATION_TERMINAL for one in activations)
        failed = any(one.status is ActivationStatus.FAILED for one in activations)
        runs = await untold_hook_output(transaction, active)
        soon = not (ended or failed or at_once) and self.due_in_s > 0
        self.untold = bool(news or runs) and soon
        if not (news or runs) or self.untold:
            return False
        self._told_at = monotonic()
        await tell_hook_output(transaction, active, runs, owner_epoch=owner_epoch)
        for begin in range(0, len(news), _MOST_STEPS_IN_AN_EVENT):
            part = news[begin : begin + _MOST_STEPS_IN_AN_EVENT]
            await append_event(
                transaction,
                active.id,
                "nodes_stepped",
                ", ".join(f"{one.node_name} {one.status.lower()}" for one in part[:_MOST_NODES_NAMED]),
                {"steps": [_step(one) for one in part]},
                expected=ROLLING,
                owner_epoch=owner_epoch,
            )
            await mark_told(transaction, part)
        return True


def _step(one: Activation) -> dict[str, str]:
    return {
        "node_id": one.node_id,
        "node_name": one.node_name,
        "status": one.status,
        "message": one.message[:_LONGEST_MESSAGE],
    }
