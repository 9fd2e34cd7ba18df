"""The nodes that a rollout covers: written down when it begins, with whose turn has come."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import and_, bindparam, case, insert, literal, select, update

from . import tables
from .catalogue import Transaction
from .prepared import Prepared
from .rows import Activation, Deployment, RolloutNode

_rn, _act, _n = tables.rollout_node, tables.activation, tables.node


_COVER = Prepared(
    insert(_rn),
    ("deployment_id", "node_id", "position", "failure_domain", "generation", "inherited_generation"),
)
_TURN = {
    reverting: Prepared(
        update(_rn)
        .where(_rn.c.deployment_id == bindparam("of"), _rn.c.node_id == bindparam("of_node"))
        .values({"revert_generation" if reverting else "generation": bindparam("to")})
    )
    for reverting in (False, True)
}
_COVERED = Prepared(
    select(
        *_act.c,
        _n.c.id.label("covered_id"),
        _n.c.name.label("covered_name"),
        _rn.c.failure_domain,
        _rn.c.generation.label("going_generation"),
        _rn.c.revert_generation,
        _rn.c.inherited_generation,
    )
    .select_from(_rn)
    .join(_n, _n.c.id == _rn.c.node_id)
    .outerjoin(
        _act,
        and_(
            _act.c.node_id == _rn.c.node_id,
            _act.c.environment == bindparam("of_environment"),
            _act.c.project == bindparam("of_project"),
            # The newest: of the way back once that was assigned.
            _act.c.generation
            == case(
                (_rn.c.revert_generation > literal(0), _rn.c.revert_generation),
                (_rn.c.generation > literal(0), _rn.c.generation),
                else_=_rn.c.inherited_generation,
            ),
        ),
    )
    .where(_rn.c.deployment_id == bindparam("of"))
    .order_by(_rn.c.position)
)


async def cover(transaction: Transaction, deployment_id: str, nodes: Sequence[RolloutNode]) -> None:
    """Write down the nodes that a rollout covers, in the order in which their turn comes."""
    await transaction.execute(
        _COVER,
        [
            {
                "deployment_id": deployment_id,
                "node_id": node.id,
                "position": position,
                "failure_domain": node.failure_domain,
                "generation": node.generation,
                "inherited_generation": node.inherited_generation,
            }
            for position, node in enumerate(nodes)
        ],
    )


async def covered(transaction: Transaction, deployment: Deployment) -> Sequence[RolloutNode]:
    """Every node that a rollout covers and that was not removed meanwhile, with its newest activation."""
    rows = await transaction.all(
        _COVERED,
        {
            "of": deployment.id,
            "of_environment": deployment.environment,
            "of_project": deployment.project,
        },
    )
    return [
        RolloutNode(
            id=row.covered_id,
            name=row.covered_name,
            failure_domain=row.failure_domain,
            generation=row.going_generation,
            revert_generation=row.revert_generation,
            inherited_generation=row.inherited_generation,
            activation=Activation.of(row) if row.node_id is not None else None,
        )
        for row in rows
    ]


async def note_turn(
    transaction: Transaction,
    deployment_id: str,
    node_ids: Collection[str],
    generation: int,
    *,
    reverting: bool,
) -> None:
    """Note under which generation nodes were assigned the release, or were taken back."""
    await transaction.execute(
        _TURN[reverting],
        [{"of": deployment_id, "of_node": node_id, "to": generation} for node_id in node_ids],
    )
