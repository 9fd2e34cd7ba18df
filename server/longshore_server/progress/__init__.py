"""Progress: one reader a deployment and node, and any number of followers who pull from it."""

from .feed import Snapshot
from .hub import ProgressHub

__all__ = ["ProgressHub", "Snapshot"]
