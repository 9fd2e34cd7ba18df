"""The command line ``longshore``: a thin layer over the library.

Owns words, tables, progress on a terminal and exit codes. Whatever comes from servers and payloads is
stripped of control characters before a terminal sees it; no error ends in a traceback.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # What is loaded at the start stays: to look for garbage in it takes a tenth of a short command's time.
    gc.disable()
    from .program import run_program
    from .streams import take_over

    take_over()
    code = run_program()
    if "longshore_server" in sys.modules:
        raise SystemExit(code)
    # All is closed. Taking the interpreter apart would take another tenth.
    atexit._run_exitfuncs()
    sys.stderr.flush()
    os._exit(code)
