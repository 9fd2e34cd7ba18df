"""The node agent: obeys this node's assignments."""

from .activation import BUILT_AT_ONCE
from .agent import NodeAgent

__all__ = ["BUILT_AT_ONCE", "NodeAgent"]
