"""The exit codes that scripts read: one table for the help, the man pages and docs/command-line.md."""

from __future__ import annotations

from typing import Final

DONE: Final = 0
DEPLOYMENT_FAILED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
REFUSED: Final = 4
CONFLICT: Final = 5
UNAVAILABLE: Final = 6
NOT_PERMITTED: Final = 7
SERVER_FAULT: Final = 8
PARTLY_LIVE: Final = 9
HUNG_UP: Final = 129
INTERRUPTED: Final = 130
OUTPUT_LOST: Final = 141
TERMINATED: Final = 143

EXIT_CODES: Final = {
    DONE: "done; a deployment that was followed is live, or waits for a person",
    DEPLOYMENT_FAILED: "the deployment ended without success",
    USAGE: "wrong usage, or a contexts file or certificates that cannot be used",
    NOT_FOUND: "what was named does not exist",
    REFUSED: "refused: the request, the payload or the state of things forbids it",
    CONFLICT: "conflict: it exists with other content, or somebody else was faster",
    UNAVAILABLE: "the server or a service behind it is not available: try again",
    NOT_PERMITTED: "not permitted",
    SERVER_FAULT: "a fault of the server's or this program's own, or damaged data",
    PARTLY_LIVE: "the deployment is live, but a few nodes failed, no more than its strategy allows",
    HUNG_UP: "its terminal went away (SIGHUP)",
    INTERRUPTED: "interrupted (Ctrl-C), or a question was answered with no",
    OUTPUT_LOST: "the output is lost: whoever read it went away, or it could not be written",
    TERMINATED: "told to end (SIGTERM)",
}

SERVER_EXIT_CODES: Final = {
    DONE: "done",
    1: "it cannot go on, or something is wrong with what was looked at; standard error tells",
    USAGE: "wrong usage",
    INTERRUPTED: "interrupted (Ctrl-C)",
}
"""Those of ``serve``, ``admin`` and ``doctor``, which run beside a node's stores."""
