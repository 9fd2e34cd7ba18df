"""How everybody in a run asks: with little patience, and what is then to be asked again."""

from __future__ import annotations

from typing import Final

from longshore_client import CallPolicy, LongshoreError
from longshore_client.errors import Conflict, ServerFault, TimedOut, Unavailable

POLICY: Final = CallPolicy(
    timeout_s=4, rounds=2, transfer_rounds=2, patience_s=8, longest_wait_s=1, longest_advised_wait_s=1
)


def is_unknown(error: LongshoreError) -> bool:
    """Whether what was asked for may have happened all the same, and is to be asked for again."""
    passes = isinstance(error, Unavailable | TimedOut | Conflict)
    return passes or (isinstance(error, ServerFault) and not error.reason)
