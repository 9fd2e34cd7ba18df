"""Made-up histories that break no rule, and what they are made of."""

from __future__ import annotations

from .records import (
    Acknowledged,
    Asked,
    CoveredNode,
    Decided,
    DeploymentEnd,
    EventSeen,
    FaultSeen,
    IntentSeen,
    NodeEnd,
    PlaceSeen,
    Record,
    Refused,
    ReleaseEnd,
    RolloutEnd,
    TreeSeen,
    TurnEnd,
)

WEB = ("web", "default")


def asked(deployment_id: str, content: str, *, call: str = "deploy") -> Asked:
    return Asked(1, "client1", call, deployment_id, *WEB, content)


def answered(
    deployment_id: str, version: str, status: str = "queued", *, call: str = "deploy"
) -> Acknowledged:
    return Acknowledged(2, "client1", call, deployment_id, version, status)


def event(number: int, to_status: str = "", *, follower: str = "f1", node: str = "a") -> EventSeen:
    return EventSeen(3, follower, node, "d1", number, f"event {number}", to_status)


def place(generation: int, deployment_id: str, version: str, *rolling: str) -> PlaceSeen:
    return PlaceSeen(4, *WEB, generation, deployment_id, version, rolling)


def tree(version: str, content: str) -> TreeSeen:
    return TreeSeen(5, "a", "default", "web", version, content)


def intent(generation: int, version: str, node: str = "a") -> IntentSeen:
    return IntentSeen(5, node, "default", "web", generation, version)


def ended(deployment_id: str, status: str, version: str, generation: int, events: int = 3) -> DeploymentEnd:
    return DeploymentEnd(9, deployment_id, *WEB, status, version, generation, events)


def release(version: str, deployment_id: str, *, readable: bool = True) -> ReleaseEnd:
    return ReleaseEnd(9, "web", version, deployment_id, readable)


def rollout(
    deployment_id: str,
    status: str,
    version: str,
    before: str = "",
    message: str = "",
    *,
    keeps: bool = False,
    superseded_by: str = "",
) -> RolloutEnd:
    return RolloutEnd(9, deployment_id, *WEB, status, version, before, keeps, superseded_by, message)


def covered(
    deployment_id: str, node: str, generation: int, back: int = 0, *, inherited: int = 0
) -> CoveredNode:
    return CoveredNode(9, deployment_id, node, f"zone {node}", generation, back, inherited)


def turn(
    deployment_id: str,
    node: str,
    generation: int,
    version: str,
    told: str = "live",
    *,
    at: tuple[float, float] = (0, 0),
) -> TurnEnd:
    return TurnEnd(9, node, "default", "web", generation, deployment_id, version, told, told, 0, *at)


# A rollout that fails after another has succeeded, at ``a``: ``b`` is kept as it is too, or taken back.
KEPT_MESSAGE = "1 of 3 nodes failed; a: its hook failed; a, b stay as they are"
BEFORE: tuple[Record, ...] = (
    rollout("d1", "succeeded", "1.0.0"),
    covered("d1", "a", 1),
    turn("d1", "a", 1, "1.0.0", at=(10, 11)),
    covered("d1", "b", 2),
    turn("d1", "b", 2, "1.0.0", at=(11, 12)),
)
D4_KEPT = rollout("d4", "failed", "1.0.4", "1.0.0", KEPT_MESSAGE, keeps=True)
KEPT: tuple[Record, ...] = (
    *BEFORE,
    D4_KEPT,
    covered("d4", "a", 3),
    turn("d4", "a", 3, "1.0.4", "failed", at=(20, 21)),
    covered("d4", "b", 4),
    turn("d4", "b", 4, "1.0.4", at=(21, 22)),
    covered("d4", "c", 0),
    NodeEnd(9, "b", "default", "web", "1.0.4", "1.0.4", 2.5, "d4"),
)
D4_BACK = rollout("d4", "failed", "1.0.4", "1.0.0", "1 of 3 nodes failed; could not be taken back: b")
A_WENT_BACK = turn("d4", "a", 5, "1.0.0", at=(22, 23))
TAKEN_BACK: tuple[Record, ...] = (
    *BEFORE,
    D4_BACK,
    covered("d4", "a", 3, 5),
    turn("d4", "a", 3, "1.0.4", "failed", at=(20, 21)),
    intent(3, "1.0.4"),
    intent(3, "1.0.0"),
    intent(3, "1.0.4", node="b"),
    A_WENT_BACK,
    covered("d4", "b", 0, 6, inherited=4),
    turn("d4", "b", 6, "1.0.0", "failed", at=(23, 24)),
    covered("d4", "c", 0),
)
# One that is superseded leaves its node to another, which may do without it.
D5_PARTIAL = rollout("d5", "partial", "1.0.5", "1.0.0", "live on 1 of 2 nodes; failed: a (disk full)")
PARTIAL: tuple[Record, ...] = (
    rollout("d4", "superseded", "1.0.4", "1.0.0", superseded_by="d5"),
    covered("d4", "a", 3),
    turn("d4", "a", 3, "1.0.4", "superseded"),
    D5_PARTIAL,
    covered("d5", "a", 7),
    turn("d5", "a", 7, "1.0.5", "failed"),
    covered("d5", "b", 7),
    turn("d5", "b", 7, "1.0.5"),
)

# Two releases, of which the second went live while a node was away; a third deployment was cancelled.
GOOD: tuple[Record, ...] = (
    asked("d1", "one"),
    answered("d1", "1.0.0"),
    event(1, "queued"),
    event(2),
    event(1, "queued", follower="f2", node="b"),
    place(0, "", "", "d1"),
    FaultSeen(4, "kill", "b", "begin"),
    intent(1, "1.0.0"),
    tree("1.0.0", "one"),
    event(3, "succeeded", node="b"),
    place(1, "d1", "1.0.0"),
    asked("d2", "two"),
    Decided(5, "caretaker", "cordon", "b"),
    Refused(6, "client1", "deploy", "d2", "", "cannot reach the server", unknown=True),
    asked("d2", "two"),
    answered("d2", "1.0.1"),
    answered("d2", "1.0.1", "rolling_out"),
    asked("d3", "three"),
    asked("d3", "", call="cancel"),
    answered("d3", "", "cancelled", call="cancel"),
    intent(2, "1.0.1"),
    intent(2, "1.0.1", node="b"),
    tree("1.0.1", "two"),
    place(2, "d2", "1.0.1"),
    ended("d1", "succeeded", "1.0.0", 1),
    ended("d2", "succeeded", "1.0.1", 2),
    ended("d3", "cancelled", "", 0),
    release("1.0.0", "d1"),
    release("1.0.1", "d2"),
    NodeEnd(9, "a", "default", "web", "1.0.1", "1.0.1", 2.5),
    NodeEnd(9, "b", "default", "web", "1.0.1", "1.0.1", 2.5),
    NodeEnd(9, "c", "staging", "web", "", "", 2.5),
)
