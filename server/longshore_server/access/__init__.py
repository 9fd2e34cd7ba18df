"""Doors: who calls, and what they may do. What each call takes stands in ``rpc.access_rules``."""

from .callers import Caller, Identity, current_caller, readable
from .doors import Doors
from .payload_rights import PayloadRights
from .permissions import Permission
from .rights import Rights

__all__ = [
    "Caller",
    "Doors",
    "Identity",
    "PayloadRights",
    "Permission",
    "Rights",
    "current_caller",
    "readable",
]
