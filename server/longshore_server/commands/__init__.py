"""The server's part of the command line: ``longshore serve`` and ``longshore admin …``."""

from .admin import admin
from .serve import serve

__all__ = ["admin", "serve"]
