"""Verifying: whether what nodes have live is their releases, byte for byte, and building it again where not.

Somebody asks any node (``Verifications``); every node that installs in the environment looks for itself, when
it is there (``Verifying``). What proves it is the release's ``content_sha256``, which the catalogue has.
"""

from .asking import Verifications, VerificationView
from .work import Verifying

__all__ = ["VerificationView", "Verifications", "Verifying"]
