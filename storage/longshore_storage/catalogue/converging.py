"""How a node comes to what it should have by itself: one that joined, was away, or failed.

What is live is the live row's; a node that is assigned something older, or nothing, assigns it to itself.
Where it does not match the project's selector (any more), it assigns itself nothing, and what is live again
when it does, but not while a rollout is under way: who drives that sees to its nodes. One that was removed
and comes back has kept what it had: it assigns itself nothing, too, where it is to have nothing. What it
failed at is tried again a bounded number of times, with a pause that doubles. None of it writes an event: the
deployments have ended.
"""

from __future__ import annotations

from sqlalchemy import delete, update

from . import tables
from .activations import Place, stands_at
from .assignments import assign_by_itself
from .audit_trail import record_audit
from .catalogue import Transaction
from .lacking import MOST_TRIES, Assigned, assigned_to, is_forgotten, is_rolling
from .lifecycle import ActivationStatus
from .nodes import get_node, matches
from .projects import lock_live, next_generation
from .releases import get_release
from .rows import Actor, Live, Node

_act = tables.activation


async def catch_up(transaction: Transaction, node_id: str, project: str, actor: Actor) -> bool:
    """Assign to a node what it should have, or let it try once more; False when somebody else saw to it."""
    node = await get_node(transaction, node_id)
    if node is None or node.cordon_reason:
        return False
    live = await lock_live(transaction, project, node.environment)
    assigned = await assigned_to(transaction, node, project)
    rolls = await is_rolling(transaction, node, project)
    is_chosen = matches(node.labels, live.node_selector)
    if assigned is None and not (is_chosen and live.live_release_id):
        if rolls or not await is_forgotten(transaction, node, project):
            return False
        await _take_off(transaction, node, live, actor, "was taken off the list and has come back")
        return True
    if not is_chosen:
        if assigned is not None and assigned.release_id is not None and not rolls:
            wanted = ", ".join(f"{key}={value}" for key, value in sorted(live.node_selector.items()))
            why = f"does not match the project's selector, {wanted}"
            await _take_off(transaction, node, live, actor, why)
            return True
    elif assigned is None or assigned.is_older or (assigned.was_taken_off and not rolls):
        await _give_what_is_live(transaction, node, live, assigned, actor)
        return True
    # Whoever drives a rollout sees to its nodes.
    if assigned is None or rolls:
        return False
    return await _try_again(transaction, node, project, assigned.generation, actor)


async def _give_what_is_live(
    transaction: Transaction, node: Node, live: Live, assigned: Assigned | None, actor: Actor
) -> None:
    release = await get_release(transaction, live.live_release_id) if live.live_release_id else None
    generation = live.live_generation
    if assigned is not None and assigned.generation >= generation:
        generation = await next_generation(transaction, live)
    place = Place(node.id, node.environment, live.project, generation)
    # One that was forgotten and came back has been there before.
    await transaction.execute(delete(_act).where(stands_at(place)))
    await assign_by_itself(transaction, node, live, release, generation)
    had = f"generation {assigned.generation}" if assigned else "nothing"
    await record_audit(
        transaction,
        actor,
        "node.caught_up",
        project=live.project,
        environment=live.environment,
        version=release.version if release else "",
        message=f"{node.name} had {had}, live is generation {live.live_generation}",
    )


async def _take_off(transaction: Transaction, node: Node, live: Live, actor: Actor, why: str) -> None:
    await assign_by_itself(transaction, node, live, None, await next_generation(transaction, live))
    await record_audit(
        transaction,
        actor,
        "node.taken_off",
        project=live.project,
        environment=live.environment,
        message=f"{node.name} {why}",
    )


async def _try_again(
    transaction: Transaction, node: Node, project: str, generation: int, actor: Actor
) -> bool:
    place = Place(node.id, node.environment, project, generation)
    row = await transaction.one(
        update(_act)
        .where(
            stands_at(place),
            _act.c.status == ActivationStatus.FAILED,
            _act.c.tries < MOST_TRIES,
        )
        .values(
            status=ActivationStatus.PENDING,
            tries=_act.c.tries + 1,
            end_time=None,
            report_time=await transaction.now(),
        )
        .returning(_act.c.version, _act.c.tries, _act.c.message)
    )
    if row is None:
        return False
    await record_audit(
        transaction,
        actor,
        "node.tried_again",
        project=project,
        environment=node.environment,
        version=row.version,
        message=f"{node.name} had failed (try {row.tries} of {MOST_TRIES}): {row.message}",
    )
    return True
