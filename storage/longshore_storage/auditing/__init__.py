"""The audit trail, proved: sealed in batches after the commit, anchored in the blob store, verified, removed.

Entries are written by ``catalogue.journal`` in the transactions of what they tell, and know nothing of seals.
``Sealing`` follows behind. ``docs/formats.md`` has the formats.
"""

from .exporting import exported_lines
from .findings import Fault, Finding, Verified
from .forks import Restoration
from .sealing import Sealing, SealingReport
from .verifying import verify

__all__ = [
    "Fault",
    "Finding",
    "Restoration",
    "Sealing",
    "SealingReport",
    "Verified",
    "exported_lines",
    "verify",
]
