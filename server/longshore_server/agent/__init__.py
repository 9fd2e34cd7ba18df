"""The node agent: obeys this node's assignments."""

from .agent import BUILT_AT_ONCE, NodeAgent

__all__ = ["BUILT_AT_ONCE", "NodeAgent"]
