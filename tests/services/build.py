"""Find or build every service ahead of the tests, and say what was found where.

``python -m tests.services.build``; its status is 1 when something is missing.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from .binaries import PROGRAMS, ServiceMissingError, find
from .postgres_programs import find_postgres


def main() -> int:
    missing = 0
    for program in PROGRAMS:
        try:
            found = find(program, lambda line: print(line, file=sys.stderr, flush=True))
            print(f"{program.label:<12}{found.path} ({found.origin})", flush=True)
        except ServiceMissingError as error:
            missing += 1
            print(error, file=sys.stderr)
    with tempfile.TemporaryDirectory() as spare:
        try:
            postgres = find_postgres(Path(spare))
            user = f", as user {postgres.account.name}" if postgres.account else ""
            print(f"{'PostgreSQL':<12}{postgres.folder} ({postgres.origin}{user})")
        except ServiceMissingError as error:
            missing += 1
            print(error, file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
