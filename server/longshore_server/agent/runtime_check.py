"""Whether this node has the runtimes that a release names."""

from __future__ import annotations

from longshore_bundles import runtime_findings
from longshore_server.hooks import Runtimes
from longshore_storage.catalogue.demands import Demands

from .reporting import ActivationRefused

_RUNTIMES = "runtime_dependencies"


async def check_runtimes(runtimes: Runtimes, demands: Demands) -> None:
    """Raise ``ActivationRefused`` with everything that is missing.

    What a rollout that is undone goes back to is not held against it: that ran here until a moment ago, and
    refusing it would leave the node on what has failed.
    """
    required = demands.manifest.get(_RUNTIMES) or {}
    if not required or demands.skip_dependencies or demands.is_way_back:
        return
    missing = runtime_findings(required, await runtimes.answers(list(required)))
    if missing:
        raise ActivationRefused("; ".join(finding.message for finding in missing))
