"""``python -m tests.cluster.chaos``: faults for as long as you like, then the checker.

Its status is 1 when a rule was broken; the history is then kept in the file that it names.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.cluster.history.checker import violations
from tests.cluster.history.encoding import decode
from tests.services.binaries import ETCD, MINIO, TOXIPROXY, ServiceMissingError, find
from tests.services.etcd_cluster import EtcdCluster
from tests.services.folders import session_folder
from tests.services.minio_service import MinioService
from tests.services.postgres_programs import find_postgres
from tests.services.postgres_service import PostgresService
from tests.services.toxiproxy import ToxiproxyService

from .run import Found, Run, chaos
from .telling import told
from .world import Services


def main(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    if arguments.check is not None:
        wrong = violations(decode(arguments.check.read_text().splitlines()))
        print(*wrong, f"{len(wrong)} violations", sep="\n")
        return 1 if wrong else 0
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    run = Run(seed, lasts_s=arguments.minutes * 60, nodes=arguments.nodes, workers=arguments.clients)
    _say(f"seed {seed}: --seed {seed} makes the same schedule again")
    try:
        found = _run(run)
    except ServiceMissingError as missing:
        _say(str(missing))
        return 2
    print(told(found))
    if found.violations or arguments.keep:
        kept = found.recorder.write(Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-")))
        print(
            f"the history, and the nodes' logs beside it, are in {kept}: --check {kept} asks the rules again"
        )
    return 1 if found.violations else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="for how long faults come (5)")
    parser.add_argument("--seed", type=int, help="of the schedule; any if not given")
    parser.add_argument("--nodes", type=int, default=3, help="in two environments (3)")
    parser.add_argument("--clients", type=int, default=4, help="that deploy at once (4)")
    parser.add_argument("--keep", action="store_true", help="keep the history of a good run as well")
    parser.add_argument("--check", type=Path, metavar="FILE", help="only ask the rules about a history")
    return parser


def _run(run: Run) -> Found:
    with session_folder() as folder, ExitStack() as stack:
        services = Services(
            stack.enter_context(PostgresService(find_postgres(folder), folder / "postgres")),
            stack.enter_context(MinioService(find(MINIO, _say).path, folder / "minio")),
            stack.enter_context(EtcdCluster(find(ETCD, _say).path, folder / "etcd")),
            stack.enter_context(ToxiproxyService(find(TOXIPROXY, _say).path, folder / "toxiproxy")),
        )
        place = folder / "chaos"
        place.mkdir()
        return asyncio.run(chaos(run, services, place, _say))


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
