"""Counting the statements that a database is asked, as PostgreSQL logs them."""

from __future__ import annotations

import re

import psycopg
from psycopg import sql

from tests.services.postgres_service import PostgresService

_STATEMENT = re.compile(r"LOG:  (?:statement|execute [^:]*): (?P<statement>\w+)")


def log_statements(postgres: PostgresService, database: str) -> None:
    """Have every statement logged that connections to this database make from now on."""
    url = postgres.url(database).replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET log_statement = 'all'").format(sql.Identifier(database))
        )


def statements(postgres: PostgresService, database: str) -> list[str]:
    """The first word of every statement so far, of this database."""
    lines = postgres.child.stderr().splitlines()
    found = (_STATEMENT.search(line) for line in lines if f" {database} " in line)
    return [match["statement"].upper() for match in found if match]
