"""``longshore admin token``: tokens for set-ups without an identity provider."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from longshore_server.access.policy import Policy, RoleGrant, read_policy
from longshore_server.access.static_tokens import make_token
from longshore_server.settings import Settings
from longshore_storage.catalogue import Transaction, access_tokens, open_catalogue
from longshore_storage.catalogue.access_tokens import AccessToken
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.errors import ConstraintViolated

from .acting import admin_actor
from .running import run_with_settings, where

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_AGE: Final = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_HOURS: Final = {"h": 1, "d": 24, "w": 168}
_HEADINGS: Final = ("NAME", "STATE", "ROLES")


@click.group(epilog="Example: longshore admin token create ci --role deployer --project 'shop-*'")
def token() -> None:
    """Make tokens that callers show, and revoke them."""


@token.command(
    epilog="Example: longshore admin token create ci --role deployer --project 'shop-*' --expires 90d"
)
@where
@click.argument("name")
@click.option(
    "--role", required=True, help="viewer, deployer, approver, operator, admin, or one of the policy."
)
@click.option(
    "--project", "projects", multiple=True, help="For these projects: a name, or its beginning and *."
)
@click.option("--environment", "environments", multiple=True, help="In these environments, likewise.")
@click.option("--expires", help="How long it is good, like 12h, 90d or 52w. For ever by default.")
def create(
    config: Path | None,
    data_dir: Path | None,
    name: str,
    role: str,
    projects: tuple[str, ...],
    environments: tuple[str, ...],
    expires: str | None,
) -> None:
    """Make a token for the principal token:NAME, and print it: nothing tells it again.

    A name is never given twice, so that the audit trail tells one caller by it.
    """
    if not _NAME.fullmatch(name):
        raise click.BadParameter(
            "must be 1 to 64 letters, digits, dots, dashes or underscores", param_hint="NAME"
        )
    lifetime = _lifetime(expires)
    try:
        # Held against the same rules as the policy's.
        grant = RoleGrant(
            role=role, principals=(name,), projects=projects or ("*",), environments=environments or ("*",)
        )
    except ValueError as error:
        raise click.UsageError(_first_line(error)) from None

    async def run(settings: Settings) -> None:
        policy = read_policy(settings.access.policy_file) if settings.access.policy_file else Policy()
        try:
            policy.permissions_of(role)
        except ValueError as error:
            raise click.ClickException(str(error)) from None
        made = make_token()
        catalogue = open_catalogue(settings.database_url)
        try:
            async with catalogue.transaction() as transaction:
                await access_tokens.create(
                    transaction,
                    token_id=made.id,
                    name=name,
                    secret_sha256=made.secret_sha256,
                    roles=[
                        {"role": role, "projects": project, "environments": environment}
                        for project in grant.projects
                        for environment in grant.environments
                    ],
                    created_by="admin",
                    expire_time=datetime.now(UTC) + lifetime if lifetime else None,
                )
                await _audit(transaction, "token.created", f"{name}: {role}", to="GOOD")
        except ConstraintViolated:
            raise click.ClickException(
                f"there is, or was, a token {name!r}: choose another name, like {name}-2"
            ) from None
        finally:
            await catalogue.close()
        if not settings.access.enabled:
            click.echo("note: `access.enabled` is not set: this server lets in everybody", err=True)
        click.echo(made.text)

    run_with_settings(config, {"data_dir": data_dir}, run)


@token.command("list", epilog="Example: longshore admin token list --config longshore.yaml")
@where
def list_(config: Path | None, data_dir: Path | None) -> None:
    """List all tokens, also those that are revoked or have expired. Secrets are stored nowhere."""

    async def run(settings: Settings) -> None:
        catalogue = open_catalogue(settings.database_url)
        try:
            async with catalogue.reading() as transaction:
                found = await access_tokens.list_tokens(transaction)
        finally:
            await catalogue.close()
        if not found:
            click.echo("no tokens: make one with `longshore admin token create`", err=True)
        for line in _table([_HEADINGS, *map(_cells, found)]) if found else ():
            click.echo(line)

    run_with_settings(config, {"data_dir": data_dir}, run)


@token.command(epilog="Example: longshore admin token revoke ci --config longshore.yaml")
@where
@click.argument("name")
def revoke(config: Path | None, data_dir: Path | None, name: str) -> None:
    """Revoke the token NAME for good: nodes refuse it within seconds, and end its streams."""

    async def run(settings: Settings) -> None:
        catalogue = open_catalogue(settings.database_url)
        try:
            async with catalogue.transaction() as transaction:
                revoked = await access_tokens.revoke(transaction, name)
                if revoked:
                    await _audit(transaction, "token.revoked", name, before="GOOD", to="REVOKED")
        finally:
            await catalogue.close()
        if not revoked:
            raise click.ClickException(f"no token {name!r} is good: see `longshore admin token list`")
        click.echo(f"token {name} is revoked")

    run_with_settings(config, {"data_dir": data_dir}, run)


async def _audit(transaction: Transaction, action: str, message: str, *, before: str = "", to: str) -> None:
    await record_audit(transaction, admin_actor(), action, from_status=before, to_status=to, message=message)


def _lifetime(expires: str | None) -> timedelta | None:
    if expires is None:
        return None
    match = _AGE.fullmatch(expires)
    if match is None:
        raise click.BadParameter("must be like 12h, 90d or 52w", param_hint="--expires")
    return timedelta(hours=int(match[1]) * _HOURS[match[2]])


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Each row, with its cells below one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _cells(one: AccessToken) -> tuple[str, ...]:
    roles = ", ".join(f"{role['role']} of {role['projects']} in {role['environments']}" for role in one.roles)
    if one.revoke_time is not None:
        state = f"revoked {one.revoke_time:%Y-%m-%d}"
    elif one.expire_time is not None:
        word = "expired" if one.expire_time < datetime.now(UTC) else "until"
        state = f"{word} {one.expire_time:%Y-%m-%d}"
    else:
        state = "good"
    return one.name, state, roles


def _first_line(error: ValueError) -> str:
    """What pydantic tells, without its frame."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = next((line for line in lines if line.startswith("Value error, ")), lines[0])
    return told.removeprefix("Value error, ").partition(" [type=")[0]
