"""How many files a node's process may open at once: each connection is one.

The limit that counts (soft) is often 1,024, for programs that cannot handle more; what the system allows
(hard) is mostly far above it, and may be taken by whoever can.
"""

from __future__ import annotations

import resource
from typing import Final

import structlog

_log = structlog.get_logger(__name__)

# Programs that hooks start inherit it, and some of them go through all numbers there are.
_MOST_FILES: Final = 65_536

# Where there is no limit.
_MOST_THERE_CAN_BE: Final = (1 << 31) - 1


def allowed_files() -> int:
    """What this process may open, or one that it starts, once the limit is raised."""
    soft, hard = _limits()
    return max(soft, min(hard, _MOST_FILES))


def most_connections() -> int:
    """Half of what this process may open now: the stores and trees need some when clients take all."""
    return _limits()[0] // 2


def allow_more_files() -> int:
    """Raise the soft limit to the hard one, to 65,536 at most; where it is higher it stays.

    Returns what it was before.
    """
    before, allowed = _limits()[0], allowed_files()
    if allowed > before:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return before


def tell_allowed_files(before: int) -> None:
    """Log what is allowed, and was before."""
    _log.info("files.allowed", files=allowed_files(), before=before, connections=most_connections())


def _limits() -> tuple[int, int]:
    """The soft and the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        _MOST_THERE_CAN_BE if soft == resource.RLIM_INFINITY else soft,
        _MOST_THERE_CAN_BE if hard == resource.RLIM_INFINITY else hard,
    )
