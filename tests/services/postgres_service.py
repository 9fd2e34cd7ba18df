"""One PostgreSQL server on TCP only, with a database of its own for every test that asks."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from .child import Command, StartError
from .ports import HOST, ReservedPort
from .postgres_programs import PostgresPrograms
from .service import Service

_USER = "longshore"
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    # A killed server keeps what it wrote to the system; only a machine that loses power would lose it.
    # What a commit promises stays promised: synchronous_commit is left on.
    "fsync": "off",
    "full_page_writes": "off",
    # In the data folder, so that a killed server leaves nothing that the next session does not find.
    "dynamic_shared_memory_type": "mmap",
    "log_line_prefix": "%m [%p] %d ",
}
# A killed server's own processes notice its death a moment later; till then its data is in use.
_STILL_DYING = "shared memory block"


class PostgresService(Service):
    """PostgreSQL with password authentication; its superuser is ``longshore``."""

    # Disconnects whoever is there; the default signal would wait for them.
    stop_signal = signal.SIGINT

    def __init__(self, programs: PostgresPrograms, folder: Path) -> None:
        super().__init__()
        self._programs = programs
        # Beside the server's own, or from a client's package.
        self.psql = shutil.which("psql", path=str(programs.folder)) or shutil.which("psql")
        self._folder = folder
        self._data = folder / "data"
        self._port = ReservedPort()
        self._password = secrets.token_hex(16)
        folder.mkdir()
        if programs.account:
            os.chown(folder, programs.account.uid, programs.account.gid)

    def command(self) -> Command:
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        return Command(
            name="postgres",
            argv=[
                str(self._programs.folder / "postgres"),
                *("-D", str(self._data), "-p", str(self._port.number)),
                *settings,
            ],
            folder=self._folder,
            account=self._programs.account,
            death_signal=signal.SIGQUIT,
        )

    def start(self, *, wait: bool = True) -> None:
        if not self._data.exists():
            self._initialise()
        deadline = time.monotonic() + 30
        while True:
            try:
                super().start(wait=wait)
            except StartError:
                if _STILL_DYING not in self.child.stderr() or time.monotonic() > deadline:
                    raise
            else:
                return

    def _initialise(self) -> None:
        account = self._programs.account
        password = self._folder / "password"
        password.write_text(self._password)
        password.chmod(0o600)
        if account:
            os.chown(password, account.uid, account.gid)
        initdb = [str(self._programs.folder / "initdb"), "-D", str(self._data), "-U", _USER, "--no-sync"]
        done = subprocess.run(
            [*initdb, "--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--locale=C"],
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            cwd=self._folder,
            capture_output=True,
            text=True,
        )
        password.unlink()
        if done.returncode != 0:
            shutil.rmtree(self._data, ignore_errors=True)
            raise StartError(f"initdb ended with status {done.returncode}\n{done.stdout}{done.stderr}")

    def ready(self) -> bool:
        try:
            with self._connect() as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError as error:
            raise ConnectionError(str(error)) from error
        return True

    def close(self) -> None:
        # The immediate stop: unlike SIGKILL it leaves nothing of the server's in the system.
        if self.running:
            self.child.stop(signal.SIGQUIT, deadline_s=5)
        super().close()
        self._port.close()

    def url(self, database: str) -> str:
        """``database`` in the form of the setting ``database.url``."""
        return f"postgresql+psycopg://{_USER}:{self._password}@{HOST}:{self._port.number}/{database}"

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=HOST,
            port=self._port.number,
            user=_USER,
            password=self._password,
            dbname="postgres",
            connect_timeout=5,
            autocommit=True,
        )

    @contextmanager
    def fresh_database(self, template: str = "template1") -> Iterator[str]:
        """The name of a new database, a copy of ``template``; dropped at the end, whoever is connected."""
        self.ensure_running()
        name = f"test_{uuid.uuid4().hex}"
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with self._connect() as connection:
            connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield name
        finally:
            self.ensure_running()
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            with self._connect() as connection:
                connection.execute(drop.format(sql.Identifier(name)))
