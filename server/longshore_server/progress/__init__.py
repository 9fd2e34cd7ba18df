"""Progress: one reader a deployment and node, and any number of followers who pull from it."""

from .feed import Snapshot
from .hub import ProgressHub
from .nodes import NodeState, NodeWatching, alive_nodes

__all__ = ["NodeState", "NodeWatching", "ProgressHub", "Snapshot", "alive_nodes"]
