"""What a run came to, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tests.cluster.history.records import (
    CoveredNode,
    DeploymentEnd,
    NodeEnd,
    ObjectHurt,
    PayloadRead,
    Reclaimed,
    ReleaseEnd,
    Restored,
    RolloutEnd,
    only,
)

from .run import Found

_SHOWN = 20


def told(found: Found) -> str:
    """How much happened, and every rule that was broken."""
    recorder, wrong = found.recorder, found.violations
    ends = Counter(end.status for end in only(recorder.history, DeploymentEnd))
    lines = [
        f"{recorder.now_s:.0f} s, {len(recorder.history)} records",
        "faults: " + ", ".join(f"{count} {name}" for name, count in sorted(recorder.faults().items())),
        f"deployments: {', '.join(f'{count} {status}' for status, count in sorted(ends.items()))}",
        f"rollouts: {_rollouts_told(found)}",
        f"stored: {_stored_told(found)}",
        f"calls: {recorder.calls_told()}",
        *(str(violation) for violation in wrong[:_SHOWN]),
        f"{len(wrong)} violations",
    ]
    return "\n".join(lines)


def _rollouts_told(found: Found) -> str:
    """How much there was of what rules about rollouts look at."""
    history = found.recorder.history
    ends = only(history, RolloutEnd)
    covered = only(history, CoveredNode)
    kept = [end for end in ends if end.keeps and end.status in ("failed", "cancelled")]
    counts = {
        "nodes covered": len(covered),
        "nodes taken back": sum(bool(node.back_generation) for node in covered),
        "by failure domain": len({node.deployment_id for node in covered if node.domain}),
        "ended by keeping nodes": len(kept),
        "nodes kept to the end": sum(bool(end.kept_by) for end in only(history, NodeEnd)),
    }
    return _counted(len(ends), "in all", counts)


def _stored_told(found: Found) -> str:
    """How much there was of what rules about stored bytes look at."""
    history = found.recorder.history
    reads, ends = only(history, PayloadRead), only(history, ReleaseEnd)
    counts = {
        "payloads reclaimed": len(only(history, Reclaimed)),
        "restored": len(only(history, Restored)),
        "read whole": sum(bool(read.sha256) for read in reads),
        "refused to readers": sum(bool(read.reason) for read in reads),
        "damaged to the end": sum(bool(end.damage) for end in ends),
    }
    return _counted(len(only(history, ObjectHurt)), "objects hurt", counts)


def _counted(count: int, name: str, counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in {name: count, **counts}.items())
