"""The Longshore node: its use cases, servicers, rollout controller, node agent and composition root.

``node`` builds everything; ``rpc`` translates between the wire and the use cases; ``deploying`` takes
uploads and records deployments; ``rollout`` drives them; ``agent`` makes releases live on this node;
``progress`` feeds those who follow; ``disk`` is what the node keeps in its data folder.
"""

from importlib.metadata import version

__version__ = version("longshore")
