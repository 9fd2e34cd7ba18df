"""The Longshore node: its use cases, servicers, rollout controller, node agent and composition root.

``node`` builds everything; ``rpc`` translates between the wire and the use cases; ``deploying`` takes
uploads and records deployments; ``rollout`` drives them; ``agent`` makes releases live on this node;
``progress`` feeds those who follow; ``disk`` is what the node keeps in its data folder.
"""

import os
from importlib.metadata import version

# gRPC's core writes lines of its own to stderr, in no form of ours; what matters it raises as well. It reads
# this once, when it is imported, which everything below does.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

__version__ = version("longshore")
