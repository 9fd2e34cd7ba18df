"""What passes by itself, and how long a node waits for it."""

from __future__ import annotations

from typing import Final

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_delay,
    wait_exponential_jitter,
)

from longshore_storage.errors import CommitUnknown, Unavailable

_log = structlog.get_logger(__name__)

# Work is made to be repeated, so a commit of unknown outcome is just done again.
PASSING: Final = (Unavailable, CommitUnknown)
LONGEST_AWAY_S: Final = 600.0
_LONGEST_RETRY_S: Final = 15.0


def patiently() -> AsyncRetrying:
    """Tries again, ever more rarely, for ten minutes; raises what it was then."""
    return AsyncRetrying(
        retry=retry_if_exception_type(PASSING),
        stop=stop_after_delay(LONGEST_AWAY_S),
        reraise=True,
        wait=wait_exponential_jitter(max=_LONGEST_RETRY_S),
        before_sleep=_log_retry,
    )


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    _log.warning("activation.waits", error=str(error), attempt=state.attempt_number)
