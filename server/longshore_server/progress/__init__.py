"""Progress: one reader a deployment and node, and any number of followers who pull from it."""

from .hub import ProgressHub, Update

__all__ = ["ProgressHub", "Update"]
