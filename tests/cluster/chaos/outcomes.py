"""How rollouts ended and what nodes are to have, read from the rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tests.cluster.history.records import CoveredNode, Record, RolloutEnd, TurnEnd
from tests.faults.invariants import State


class Expected:
    """What each node should have, by the rows of one moment."""

    def __init__(self, state: State) -> None:
        self._versions = _versions(state)
        self._live = {(row.environment, row.project): row for row in state["project_environment"]}
        self._ids = {row.name: row.id for row in state["node"]}
        self._assigned = {(row.node_id, row.project): row for row in state["assignment"]}
        self._activations = {(row.node_id, row.project, row.generation): row for row in state["activation"]}
        self._touched_by = _touched_by(state)

    def of(self, node: str, environment: str, project: str, has: str) -> tuple[str, str]:
        """The version that a node should have, and which rollout keeps it on another than is live, if any.

        Where that rollout failed on the node it is to stay on what it had, whatever that is.
        """
        live = self._live.get((environment, project))
        if live is None:
            return "", ""
        node_id = self._ids.get(node, "")
        assigned = self._assigned.get((node_id, project))
        if assigned is None or not is_kept(assigned, live):
            return self._versions.get(live.live_release_id, ""), ""
        activation = self._activations.get((node_id, project, assigned.generation))
        failed = activation is not None and activation.status == "FAILED"
        should = has if failed else self._versions.get(assigned.release_id, "")
        return should, self._touched_by.get((node_id, project), "")


def is_kept(assigned: Any, live: Any) -> bool:
    """Whether a rollout has left a node on something else than is live."""
    return bool(
        assigned.deployment_id
        and assigned.generation > live.live_generation
        and assigned.release_id != live.live_release_id
    )


def newest_activations(state: State) -> list[Any]:
    """What each node last did about each project; not where it failed and a rollout has left it so."""
    live = {(row.environment, row.project): row for row in state["project_environment"]}
    assigned = {
        (row.node_id, row.environment, row.project, row.generation): row for row in state["assignment"]
    }
    found = []
    for row in state["activation"]:
        assignment = assigned.get((row.node_id, row.environment, row.project, row.generation))
        if assignment is None:
            continue
        if row.status != "FAILED" or not is_kept(assignment, live[row.environment, row.project]):
            found.append(row)
    return found


def rollouts(state: State, now_s: float) -> Iterator[Record]:
    """How every rollout ended, the nodes that it covers, and what all nodes did."""
    versions = _versions(state)
    names = {row.id: row.name for row in state["node"]}
    for row in state["deployment"]:
        if row.generation:
            yield RolloutEnd(
                now_s,
                row.id,
                row.project,
                row.environment,
                row.status.lower(),
                versions.get(row.release_id, ""),
                row.previous_version,
                row.failure_policy == "KEEP",
                row.supersede_requested_by if row.status == "SUPERSEDED" else "",
                row.status_message,
            )
    for row in state["rollout_node"]:
        yield CoveredNode(
            now_s,
            row.deployment_id,
            names[row.node_id],
            row.failure_domain,
            row.generation,
            row.revert_generation,
            row.inherited_generation,
        )
    for row in state["activation"]:
        yield TurnEnd(
            now_s,
            row.node_name,
            row.environment,
            row.project,
            row.generation,
            row.deployment_id,
            versions.get(row.release_id, ""),
            row.status.lower(),
            row.told_status.lower(),
            row.tries,
            _seconds(row.start_time),
            _seconds(row.end_time),
            row.message,
        )


def _versions(state: State) -> dict[int, str]:
    return {row.id: row.version for row in state["release"]}


def _touched_by(state: State) -> dict[tuple[str, str], str]:
    """The last rollout of each project that touched each node."""
    deployments = {row.id: row for row in state["deployment"]}
    touched = [
        (deployments[row.deployment_id], row.node_id)
        for row in state["rollout_node"]
        if row.generation or row.inherited_generation
    ]
    touched.sort(key=lambda one: one[0].generation)
    return {(node_id, deployment.project): deployment.id for deployment, node_id in touched}


def _turn(row: Any) -> tuple[str, str, str, int]:
    return row.node_id, row.environment, row.project, row.generation


def _seconds(time: datetime | None) -> float:
    return round(time.timestamp(), 6) if time is not None else 0.0
