"""Looking at every part of an installation from one machine: what works, what does not, and what to do."""

from .doors import keys_of, look_at_certificates
from .finding import Finding, State
from .looking import look_at_everything

__all__ = ["Finding", "State", "keys_of", "look_at_certificates", "look_at_everything"]
