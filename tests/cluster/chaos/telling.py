"""What a run came to, in words."""

from __future__ import annotations

from collections import Counter

from tests.cluster.history.records import DeploymentEnd, only

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
        f"calls: {recorder.calls_told()}",
        *(str(violation) for violation in wrong[:_SHOWN]),
        f"{len(wrong)} violations",
    ]
    return "\n".join(lines)
