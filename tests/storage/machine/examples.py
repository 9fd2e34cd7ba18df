"""How many examples the machines play, and how hypothesis is to make them.

``LONGSHORE_MACHINE_FACTOR=50`` plays fifty times as many, new ones each time; without it they are the same in
every run.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_FACTOR = float(os.environ.get("LONGSHORE_MACHINE_FACTOR", "1"))


def examples(count: int) -> settings:
    """Settings for ``count`` examples, or as many more as are asked for."""
    return settings(
        max_examples=max(round(count * _FACTOR), 1),
        deadline=None,
        derandomize=_FACTOR == 1,
        database=None,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.large_base_example,
        ],
    )
