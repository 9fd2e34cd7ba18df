"""Who did what an ``admin`` command did, for the audit trail: a user of the operating system, at a host."""

from __future__ import annotations

import os
import pwd
import socket

import click

from longshore_storage.catalogue import Catalogue
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.rows import Actor
from longshore_storage.errors import StorageError


def admin_actor() -> Actor:
    """The principal ``admin``, from ``USER@HOST``: no variable says who, but the process."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # A container's user has no name, as a rule.
        user = str(os.getuid())
    return Actor("admin", f"{user}@{socket.gethostname()}")


async def record_done(catalogue: Catalogue, action: str, message: str) -> None:
    """Tell of what is done by now: where that cannot be written down, it is told on the terminal."""
    try:
        async with catalogue.transaction() as transaction:
            await record_audit(transaction, admin_actor(), action, message=message)
    except StorageError as error:
        click.echo(f"warning: this could not be told in the audit trail: {error}", err=True)
