"""The audit trail is sealed, anchored and kept in bounds by control nodes, now and then."""

from .timer import LOCK, SealingTimer, make_sealing

__all__ = ["LOCK", "SealingTimer", "make_sealing"]
