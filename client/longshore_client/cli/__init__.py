"""The command line ``longshore``: a thin layer over the library.

Owns words, tables, progress on a terminal and exit codes. Whatever comes from servers and payloads is
stripped of control characters before a terminal sees it; no error ends in a traceback.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit with its code."""
    from .program import run_program

    raise SystemExit(run_program())
