"""What a node keeps on its disk: the data folder, installed trees, and the links to what is live.

No SQL, no network, no event loop: everything here blocks and is meant to be called in a thread.
``DataFolder`` is opened first and held while the node runs; ``InstalledTrees`` and ``LiveLinks`` are made
over it once each. A release goes live by ``DataFolder.make_staging``, ``longshore_bundles.unpack`` into a
folder below it, ``InstalledTrees.finalise``, ``LiveLinks.switch``.
"""

from .chunk_list import ChunkListWriter, Layout
from .data_folder import DataFolder
from .errors import (
    DataFolderInUse,
    DataFolderUnusable,
    DiskError,
    IntentDamaged,
    LiveNotALink,
    NoRoom,
    StagedTreeRefused,
    StaleGeneration,
    TreeIsLive,
    TreeMissing,
)
from .installed_trees import InstalledTree, InstalledTrees
from .intent import NOTHING, Intent, LiveTree, Trial
from .live_link import LinkFinding, LinkState, LiveLinks
from .room import make_room
from .seed_trees import SeedTrees
from .tree_comparison import (
    DifferenceKind,
    Stopped,
    TreeComparison,
    TreeDifference,
    compare_with_record,
    content_checksum,
    wrong_modes,
)
from .tree_copy import copy_tree
from .tree_record import recorded_size_bytes

__all__ = [
    "NOTHING",
    "ChunkListWriter",
    "DataFolder",
    "DataFolderInUse",
    "DataFolderUnusable",
    "DifferenceKind",
    "DiskError",
    "InstalledTree",
    "InstalledTrees",
    "Intent",
    "IntentDamaged",
    "Layout",
    "LinkFinding",
    "LinkState",
    "LiveLinks",
    "LiveNotALink",
    "LiveTree",
    "NoRoom",
    "SeedTrees",
    "StagedTreeRefused",
    "StaleGeneration",
    "Stopped",
    "TreeComparison",
    "TreeDifference",
    "TreeIsLive",
    "TreeMissing",
    "Trial",
    "compare_with_record",
    "content_checksum",
    "copy_tree",
    "make_room",
    "recorded_size_bytes",
    "wrong_modes",
]
