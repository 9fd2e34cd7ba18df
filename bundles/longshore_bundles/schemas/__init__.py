"""The one definition of each document's shape, as JSON Schema (draft 2020-12), and the check against it.

The same dictionaries are what ``longshore schema`` prints and what editors complete from. Three words of
our own stand beside the standard's: ``x-finding`` is the code of the finding when the value breaks its
rule, ``x-rule`` ends the sentence "it must be …", and ``x-kind`` names what the document is.
"""

from __future__ import annotations

from .check import check_shape
from .index import INDEX
from .pack import PACK
from .skill import SKILL_FRONT_MATTER
from .workflow import WORKFLOW

__all__ = ["INDEX", "PACK", "SKILL_FRONT_MATTER", "WORKFLOW", "check_shape"]
