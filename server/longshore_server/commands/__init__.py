"""The server's part of the command line: ``longshore serve``, ``admin …`` and ``doctor``."""

from .admin import admin
from .doctor import doctor
from .serve import serve

__all__ = ["admin", "doctor", "serve"]
