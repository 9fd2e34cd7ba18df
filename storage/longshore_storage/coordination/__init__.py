"""Coordination: locks, membership and wake-up signals, in one process or through etcd.

Owns the ``Coordination`` port's adapters and the choice between them. It is liveness, never the truth:
whatever is written under a lock is protected by numbers compared in SQL.
"""

from .etcd import EtcdCoordination
from .local import LocalCoordination, LocalHub
from .opening import open_coordination

__all__ = ["EtcdCoordination", "LocalCoordination", "LocalHub", "open_coordination"]
