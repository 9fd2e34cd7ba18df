"""How many examples the machines play, and how hypothesis is to make them.

``LONGSHORE_MACHINE_FACTOR=50`` plays fifty times as many, new ones each time; without it they are the same in
every run. What fails is told as it was found; ``LONGSHORE_MACHINE_SHRINK=1`` looks for less that fails as
well, which takes minutes.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

_FACTOR = float(os.environ.get("LONGSHORE_MACHINE_FACTOR", "1"))
_SHRINKS = os.environ.get("LONGSHORE_MACHINE_SHRINK", "") == "1"
_PHASES = (Phase.generate, *((Phase.shrink,) if _SHRINKS else ()))


def examples(count: int) -> settings:
    """Settings for ``count`` examples, or as many more as are asked for."""
    return settings(
        max_examples=max(round(count * _FACTOR), 1),
        deadline=None,
        derandomize=_FACTOR == 1,
        database=None,
        phases=_PHASES,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.large_base_example,
        ],
    )
