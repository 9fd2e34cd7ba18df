"""PgBouncer in front of PostgreSQL, pooling by transaction: what many nodes of a fleet share."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from tests.services.child import Command
from tests.services.ports import HOST, ReservedPort
from tests.services.postgres_service import PostgresService
from tests.services.service import Service

_VARIABLE = "LONGSHORE_BENCH_PGBOUNCER"
_ELSEWHERE = (Path("/usr/sbin/pgbouncer"), Path("/usr/local/sbin/pgbouncer"))


def find_pgbouncer() -> Path | None:
    """Its program, by the environment's variable, the PATH, or where packages put it."""
    named = os.environ.get(_VARIABLE) or shutil.which("pgbouncer")
    places = [Path(named)] if named else list(_ELSEWHERE)
    return next((place for place in places if place.is_file()), None)


@contextmanager
def pooled(
    program: Path, postgres: PostgresService, database: str, folder: Path, *, connections: int
) -> Iterator[str]:
    """The database's URL through a pooler that has so many connections, for as long as the block runs."""
    with _PgBouncer(program, postgres.url(database), folder, connections) as pooler:
        yield make_url(postgres.url(database)).set(host=HOST, port=pooler.port).render_as_string(False)


class _PgBouncer(Service):
    def __init__(self, program: Path, database_url: str, folder: Path, connections: int) -> None:
        super().__init__()
        self._program = program
        self._folder = folder
        with ReservedPort() as port:
            self.port = port.number
        folder.mkdir(parents=True)
        url = make_url(database_url)
        (folder / "users").write_text(f'"{url.username}" "{url.password}"\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n{url.database} = host={url.host} port={url.port}\n[pgbouncer]\n"
            f"listen_addr = {HOST}\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = plain\nauth_file = {folder / 'users'}\npool_mode = transaction\n"
            f"default_pool_size = {connections}\nmax_client_conn = 2000\n"
            "ignore_startup_parameters = extra_float_digits\n"
        )
        if os.getuid() == 0:
            # It refuses to run as root, and must read what only root may.
            nobody = pwd.getpwnam("nobody")
            for path in (folder, *folder.iterdir()):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)

    def command(self) -> Command:
        as_nobody = ["-u", "nobody"] if os.getuid() == 0 else []
        argv = [str(self._program), *as_nobody, str(self._folder / "pgbouncer.ini")]
        return Command(name="pgbouncer", argv=argv, folder=self._folder)

    def ready(self) -> bool:
        return "process up" in self.child.stderr() + self.child.stdout()
