"""What people decide about nodes: which are left alone or drained for now, and which are gone for good."""

from __future__ import annotations

from longshore_server.refusal import Reason, Refusal, invalid
from longshore_server.wakeups import Kind, Wakeups
from longshore_storage.catalogue import Catalogue, Transaction, nodes
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.rows import Actor, Node
from longshore_storage.errors import CommitUnknown
from longshore_storage.ports import Coordination

_LONGEST_REASON_BYTES = 500


class Fleet:
    """The use cases CordonNode, DrainNode and RemoveNode."""

    def __init__(self, catalogue: Catalogue, coordination: Coordination, wakeups: Wakeups) -> None:
        self._catalogue = catalogue
        self._coordination = coordination
        self._wakeups = wakeups

    async def cordon(self, name: str, reason: str, actor: Actor) -> Node:
        """Cordon a node for ``reason``, or lift its cordon, and its drain, with an empty one.

        Done again, it changes nothing; a node that is drained stays so, for the new reason.
        """
        if reason and not reason.strip():
            raise invalid("reason", "says nothing: leave it empty to lift the cordon")
        return await self._change(name, reason, actor, drains=False)

    async def drain(self, name: str, reason: str, actor: Actor) -> Node:
        """Cordon a node, and have it take no uploads and drive no rollouts; again, it changes nothing."""
        if not reason.strip():
            raise invalid("reason", "is required")
        return await self._change(name, reason, actor, drains=True)

    async def _change(self, name: str, reason: str, actor: Actor, *, drains: bool) -> Node:
        if len(reason.encode()) > _LONGEST_REASON_BYTES or not reason.isprintable():
            raise invalid("reason", f"must be one line of at most {_LONGEST_REASON_BYTES} bytes of UTF-8")
        reason = reason.strip()
        try:
            async with self._catalogue.transaction() as transaction:
                node = await _change(transaction, name, reason, actor, drains=drains)
        except CommitUnknown:
            # If it took effect, nothing is left to be done.
            async with self._catalogue.transaction() as transaction:
                node = await _change(transaction, name, reason, actor, drains=drains)
        self._wakeups.send(Kind.NODES, node.id)
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
        self._wakeups.send(Kind.NODES, "")
        self._wakeups.send(Kind.ROLLOUTS, "")
        return was_registered


async def _change(transaction: Transaction, name: str, reason: str, actor: Actor, *, drains: bool) -> Node:
    if not name:
        raise invalid("node_name", "is required")
    node = await nodes.lock_node(transaction, name)
    if node is None:
        raise Refusal(Reason.NODE_NOT_FOUND, f"there is no node {name[:100]!r}")
    draining = bool(reason) and (drains or node.draining)
    if (node.cordon_reason, node.draining) == (reason, draining):
        return node
    changed = await nodes.cordon(transaction, node.id, reason, actor.principal, draining=draining)
    await record_audit(
        transaction,
        actor,
        "node.drained" if drains else "node.cordoned" if reason else "node.uncordoned",
        environment=node.environment,
        from_status=_standing(node),
        to_status=_standing(changed),
        message=f"{node.name}: {reason}" if reason else node.name,
    )
    return changed


async def _remove(transaction: Transaction, name: str, actor: Actor) -> bool:
    node = await nodes.lock_node(transaction, name)
    if node is None:
        return False
    await nodes.remove(transaction, name)
    await record_audit(
        transaction,
        actor,
        "node.removed",
        environment=node.environment,
        from_status=_standing(node),
        to_status="REMOVED",
        message=name,
    )
    return True


def _standing(node: Node) -> str:
    return "DRAINING" if node.draining else "CORDONED" if node.cordon_reason else "OPEN"
