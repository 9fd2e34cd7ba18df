"""What people decide about nodes: which no rollout covers for now, and which are gone for good."""

from __future__ import annotations

from longshore_server.refusal import Reason, Refusal, invalid
from longshore_server.wakeups import Kind, Wakeups
from longshore_storage.catalogue import Catalogue, Transaction, nodes
from longshore_storage.catalogue.journal import record_audit
from longshore_storage.catalogue.rows import Actor, Node
from longshore_storage.errors import CommitUnknown
from longshore_storage.ports import Coordination

_LONGEST_REASON_BYTES = 500


class Fleet:
    """The use cases CordonNode and RemoveNode."""

    def __init__(self, catalogue: Catalogue, coordination: Coordination, wakeups: Wakeups) -> None:
        self._catalogue = catalogue
        self._coordination = coordination
        self._wakeups = wakeups

    async def cordon(self, name: str, reason: str, actor: Actor) -> Node:
        """Cordon a node for ``reason``, or lift its cordon with an empty one; again, it changes nothing."""
        if len(reason.encode()) > _LONGEST_REASON_BYTES or not reason.isprintable():
            raise invalid("reason", f"must be one line of at most {_LONGEST_REASON_BYTES} bytes of UTF-8")
        reason = reason.strip()
        try:
            async with self._catalogue.transaction() as transaction:
                node = await _cordon(transaction, name, reason, actor)
        except CommitUnknown:
            # If it took effect, nothing is left to be done.
            async with self._catalogue.transaction() as transaction:
                node = await _cordon(transaction, name, reason, actor)
        # A rollout that waits for a node may begin, and the node itself catches up.
        self._wakeups.send(Kind.ROLLOUTS, "")
        self._wakeups.send(Kind.ASSIGNMENTS, node.environment)
        return node

    async def remove(self, name: str, actor: Actor) -> bool:
        """Forget a node that does not run; False for one that is not known.

        Raises ``Refusal`` for one whose lease is alive, ``CoordinationUnavailable`` where nobody can tell.
        """
        if not name:
            raise invalid("node_name", "is required")
        if any(member.name == name for member in await self._coordination.members()):
            raise Refusal(
                Reason.NODE_RUNNING,
                f"node {name} runs: stop it first, or cordon it, so that no rollout waits for it",
            )
        try:
            async with self._catalogue.transaction() as transaction:
                was_registered = await _remove(transaction, name, actor)
        except CommitUnknown:
            async with self._catalogue.transaction() as transaction:
                await _remove(transaction, name, actor)
            was_registered = True
        self._wakeups.send(Kind.ROLLOUTS, "")
        return was_registered


async def _cordon(transaction: Transaction, name: str, reason: str, actor: Actor) -> Node:
    if not name:
        raise invalid("node_name", "is required")
    node = await nodes.lock_node(transaction, name)
    if node is None:
        raise Refusal(Reason.NODE_NOT_FOUND, f"there is no node {name[:100]!r}")
    if node.cordon_reason == reason:
        return node
    changed = await nodes.cordon(transaction, node.id, reason, actor.principal)
    await record_audit(
        transaction,
        actor,
        "node.cordoned" if reason else "node.uncordoned",
        environment=node.environment,
        message=f"{node.name}: {reason}" if reason else node.name,
    )
    return changed


async def _remove(transaction: Transaction, name: str, actor: Actor) -> bool:
    node = await nodes.lock_node(transaction, name)
    if node is None:
        return False
    await nodes.remove(transaction, name)
    await record_audit(transaction, actor, "node.removed", environment=node.environment, message=name)
    return True
