"""The node agent: obeys this node's assignments."""

from .agent import NodeAgent

__all__ = ["NodeAgent"]
