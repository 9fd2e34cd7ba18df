"""The services of the tests, with data and passwords that outlive a start; and a node as one of them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import yaml
from psycopg import sql

from tests.services.child import Command
from tests.services.minio_service import MinioService
from tests.services.ports import HOST
from tests.services.postgres_programs import PostgresPrograms
from tests.services.postgres_service import PostgresService
from tests.services.service import Service

from .folder import ClusterError, Folder, closed_to_others, write_secret

LONGSHORE: Final = Path(sys.executable).with_name("longshore")

_NAME: Final = "longshore"
# Short, so that a takeover is seen in seconds; a fleet takes the defaults.
_LEASE_S: Final = 3
_POLL_S: Final = 1
_SILENCE_S: Final = 30
_DRAIN_S: Final = 2
_HELD_FOR_S: Final = 3600


class KeptMinio(MinioService):
    """MinIO with its drive and its keys in the cluster's folder."""

    def __init__(self, program: Path, folder: Folder) -> None:
        super().__init__(program, folder.run / "minio")
        self.data_dir = folder.part("minio")
        self.access_key, self.secret_key = _NAME, folder.secret()

    def bucket_url(self) -> str:
        """The bucket's URL; the bucket is made where it is missing."""
        if not self.client().bucket_exists(_NAME):
            self.client().make_bucket(_NAME)
        return self.url(_NAME)


class KeptPostgres(PostgresService):
    """PostgreSQL with its data in the cluster's folder, safe from a machine that loses power too."""

    def __init__(self, programs: PostgresPrograms, folder: Folder) -> None:
        account = programs.account
        if account and (closed := closed_to_others(folder.path)):
            raise ClusterError(
                f"PostgreSQL runs as {account.name}, who may not pass {closed}: name another folder"
            )
        super().__init__(programs, folder.run / "postgres")
        home = folder.part("postgres")
        if account:
            os.chown(home, account.uid, account.gid)
        self._data = home / "data"
        self._password = folder.secret()

    def command(self) -> Command:
        command = super().command()
        return replace(command, argv=[*command.argv, "--fsync=on", "--full_page_writes=on"])

    def _initialise(self) -> None:
        try:
            super()._initialise()
        except BaseException:
            # Half of it would be taken for the whole by the next start.
            shutil.rmtree(self._data, ignore_errors=True)
            raise

    def database_url(self) -> str:
        """The database's URL; the database is made where it is missing."""
        with self._connect() as connection:
            known = connection.execute("SELECT FROM pg_database WHERE datname = %s", [_NAME]).fetchone()
            if known is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_NAME)))
        return self.url(_NAME)


class NodeService(Service):
    """``longshore serve`` with a settings file of its own, as on any machine."""

    def __init__(self, name: str, port: int, folder: Folder) -> None:
        super().__init__()
        self.name = name
        self.port = port
        self.address = f"{HOST}:{port}"
        self.config = folder.config(name)
        self._folder = folder

    def write_settings(self, stores: Mapping[str, str]) -> None:
        """``stores``: the URLs of ``database``, ``blobs`` and ``coordination``."""
        # The command's folder is /, and its environment says nothing about the cluster.
        wait = 'while [ -e "$HOLD" ]; do sleep 0.2; done'
        hold = {
            "name": "hold",
            "when": "before_switch",
            "command": ["sh", "-c", wait],
            "timeout_s": _HELD_FOR_S,
            "environment": {"HOLD": str(self._folder.hold)},
        }
        settings = {
            "listen": self.address,
            "data_dir": str(self._folder.part(self.name)),
            "poll_s": _POLL_S,
            "drain_timeout_s": _DRAIN_S,
            "database": {"url": stores["database"]},
            "blobs": {"url": stores["blobs"]},
            "coordination": {"url": stores["coordination"], "lease_s": _LEASE_S},
            "rollout": {"progress_deadline_s": _SILENCE_S},
            "node": {"name": self.name, "hooks": [hold]},
            "log": {"format": "console"},
        }
        write_secret(self.config, yaml.safe_dump(settings, sort_keys=False))

    def command(self) -> Command:
        return Command(
            name=self.name,
            argv=[str(LONGSHORE), "serve", "--config", str(self.config)],
            folder=self._folder.logs,
        )

    def ready(self) -> bool:
        return "listening on " in self.child.stdout()
