"""The catalogue: Longshore's rows in SQLite or PostgreSQL. See ``catalogue`` for what it promises."""

from .catalogue import Catalogue, Transaction
from .opening import open_catalogue

__all__ = ["Catalogue", "Transaction", "open_catalogue"]
