"""Accounts in the services with fewer rights than the tests' own, for as long as a block runs."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
from minio.credentials.providers import StaticProvider
from minio.minioadmin import MinioAdmin
from psycopg import sql

from .minio_service import MinioService


@contextmanager
def postgres_account(database_url: str, password: str) -> Iterator[tuple[str, str]]:
    """A role that may connect to the database and nothing else: its name, and the database's URL for it.

    What it owns there in the end goes with it.
    """
    name = f"account_{uuid.uuid4().hex}"
    with postgres(database_url) as connection:
        create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
        connection.execute(create.format(sql.Identifier(name), sql.Literal(password)))
    parts = urlsplit(database_url)
    try:
        yield name, parts._replace(netloc=f"{name}:{password}@{parts.hostname}:{parts.port}").geturl()
    finally:
        with postgres(database_url) as connection:
            for statement in ("DROP OWNED BY {} CASCADE", "DROP ROLE {}"):
                connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


def postgres(database_url: str) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection that commits each statement."""
    return psycopg.connect(database_url.replace("postgresql+psycopg", "postgresql"), autocommit=True)


@contextmanager
def minio_account(service: MinioService, bucket: str, secret: str, actions: Sequence[str]) -> Iterator[str]:
    """A user who may do nothing but ``actions`` in a bucket: the bucket's URL for him."""
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    allowed = {"Effect": "Allow", "Action": list(actions), "Resource": resources}
    with minio_account_with(service, bucket, secret, [allowed]) as url:
        yield url


@contextmanager
def minio_account_with(
    service: MinioService, bucket: str, secret: str, statements: Sequence[Mapping[str, object]]
) -> Iterator[str]:
    """A user who may do what the statements of a policy say: a bucket's URL for him."""
    admin = MinioAdmin(
        endpoint=service.endpoint,
        credentials=StaticProvider(service.access_key, service.secret_key),
        secure=False,
    )
    name = f"account{uuid.uuid4().hex[:12]}"
    admin.user_add(name, secret)
    try:
        admin.policy_add(name, policy={"Version": "2012-10-17", "Statement": list(statements)})
        admin.policy_set(name, user=name)
        yield f"s3+http://{name}:{secret}@{service.endpoint}/{bucket}"
    finally:
        admin.user_remove(name)
        admin.policy_remove(name)
