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
    try:
        _run()
    except KeyboardInterrupt:
        # While it was loaded, or was about to end: what a command does takes it itself.
        import signal

        signal.signal(signal.SIGINT, signal.SIG_IGN)
        from .exit_codes import INTERRUPTED

        os.write(2, b"\ninterrupted\n")
        os._exit(INTERRUPTED)


def _run() -> None:
    _read_names_as_utf8()
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


def _read_names_as_utf8() -> None:
    """Begin again where the locale has file names in another encoding: a tree is the same on any machine.

    By an option and not by the environment, which other programs would inherit.
    """
    if sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 (itself)
