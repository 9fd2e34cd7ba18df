"""What callers see of deployments: the row, and what is known beside it, read in a few statements a page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from longshore_storage.catalogue import Transaction, deployments, tables
from longshore_storage.catalogue.deployments import NodeCount
from longshore_storage.catalogue.lifecycle import UPLOADING
from longshore_storage.catalogue.prepared import PreparedForSome
from longshore_storage.catalogue.rows import Deployment

_r, _u = tables.release, tables.upload
_STORED = PreparedForSome(
    lambda ids: select(_r.c.id).where(_r.c.id.in_(ids), _r.c.stored_payload.is_not(None))
)
_DURABLE = PreparedForSome(
    lambda ids: select(_u.c.deployment_id, _u.c.durable_bytes).where(_u.c.deployment_id.in_(ids))
)


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """A deployment with its nodes counted, whether it is live, and whether its payload is stored."""

    deployment: Deployment
    counts: Sequence[NodeCount]
    live: bool
    payload_present: bool
    durable_bytes: int


async def view(transaction: Transaction, deployment: Deployment) -> DeploymentView:
    """Look at one deployment."""
    return (await views(transaction, [deployment]))[0]


async def views(transaction: Transaction, page: Sequence[Deployment]) -> Sequence[DeploymentView]:
    """Look at a page of deployments."""
    if not page:
        return []
    ids = [deployment.id for deployment in page]
    counts: dict[str, list[NodeCount]] = defaultdict(list)
    for count in await deployments.node_counts(transaction, ids):
        counts[count.deployment_id].append(count)
    live = await deployments.live_ids(transaction, ids)
    recorded = [deployment.release_id for deployment in page if deployment.release_id is not None]
    stored = {row.id for row in await transaction.all(*_STORED.of(recorded))} if recorded else set()
    uploading = [deployment.id for deployment in page if deployment.status in UPLOADING]
    durable = (
        {row.deployment_id: row.durable_bytes for row in await transaction.all(*_DURABLE.of(uploading))}
        if uploading
        else {}
    )
    return [
        DeploymentView(
            deployment=deployment,
            counts=counts[deployment.id],
            live=deployment.id in live,
            payload_present=deployment.release_id in stored,
            durable_bytes=durable.get(deployment.id, deployment.durable_bytes),
        )
        for deployment in page
    ]
