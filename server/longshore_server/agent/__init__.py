"""The node agent: obeys this node's assignments."""

from .activation import BUILT_AT_ONCE
from .agent import NodeAgent
from .patience import PASSING

__all__ = ["BUILT_AT_ONCE", "PASSING", "NodeAgent"]
