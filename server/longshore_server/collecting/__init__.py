"""Collecting on a node: when it runs, with which settings, and the deletion of single payloads."""

from .deletion import Deletion, PayloadDeletion
from .opening import make_collector
from .timer import CollectingTimer

__all__ = ["CollectingTimer", "Deletion", "PayloadDeletion", "make_collector"]
