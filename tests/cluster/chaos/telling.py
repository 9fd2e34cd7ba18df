"""What a run came to, in words."""

from __future__ import annotations

from collections import Counter

from tests.cluster.history.records import CoveredNode, DeploymentEnd, NodeEnd, RolloutEnd, only

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
    return ", ".join([f"{len(ends)} in all", *(f"{count} {name}" for name, count in counts.items())])
