"""Healing on a node: who notes damage, repair from the trees it has installed, and when compaction runs."""

from .compacting import CompactionTimer
from .opening import Healers, open_healers
from .tree_repair import TreeRepair, repair_from_trees

__all__ = ["CompactionTimer", "Healers", "TreeRepair", "open_healers", "repair_from_trees"]
