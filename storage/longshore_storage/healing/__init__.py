"""Healing: finding damage in what is stored, noting it, and getting the bytes back from where they still are.

``DamageMarker`` confirms what a reader found and notes it; ``Scrub`` looks for damage beforehand;
``PayloadRepair`` takes a payload's bytes from somebody who has them; ``Rebuild`` restores rows from the blob
store alone. The next upload of a damaged payload's content repairs it too (``payloads.recording``).
"""

from .damage import DamageMarker
from .rebuild import Rebuild, RebuildReport
from .repair import PayloadRepair
from .scrub import Scrub, ScrubProgress

__all__ = ["DamageMarker", "PayloadRepair", "Rebuild", "RebuildReport", "Scrub", "ScrubProgress"]
