"""``python -m benchmarks``: measure, keep, and write the page anew; ``make bench`` is this."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from . import page, results
from .rows import ROWS
from .running import NoRoomError, run
from .sizes import FULL, QUICK

_QUICK_RESULTS = Path(__file__).parents[1] / ".cache" / "benchmarks" / "quick.json"


def _rows(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if unknown := set(names) - ROWS.keys():
        raise argparse.ArgumentTypeError(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    return names


def main() -> int:
    # Ended in order, so that nothing is left: by Ctrl-C, and by whoever ends a command that takes too long.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure what Longshore costs.")
    parser.add_argument("--rows", type=_rows, default=[], help="only these, with commas: " + ",".join(ROWS))
    parser.add_argument(
        "--quick", action="store_true", help="small sizes: shows that it runs, counts for nothing"
    )
    parser.add_argument("--anew", action="store_true", help="do not go on with a run that broke off")
    arguments = parser.parse_args()
    sizes = QUICK if arguments.quick else FULL
    path = _QUICK_RESULTS if arguments.quick else results.FULL
    try:
        failed = run(sizes, path, only=arguments.rows, anew=arguments.anew)
    except KeyboardInterrupt:
        print("broken off; the next run goes on with the rows that are left", file=sys.stderr)
        return 130
    except NoRoomError as error:
        print(error, file=sys.stderr)
        return 1
    if not arguments.quick:
        page.write(results.load(path, sizes.name))
    print(f"kept in {path}", flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
