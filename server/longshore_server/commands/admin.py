"""``longshore admin …``: what looks after the stores, beside the server or without it."""

from __future__ import annotations

import click

from .audit import audit
from .backup import backup, restore
from .compact import compact
from .config import config
from .gc import gc
from .grants import grants
from .migrate import migrate
from .rebuild import rebuild
from .remove_node import remove_node
from .scrub import scrub
from .token import token


@click.group(epilog="Example: longshore admin migrate --config longshore.yaml")
def admin() -> None:
    """Look after the server's stores."""


for command in (
    migrate,
    audit,
    backup,
    restore,
    config,
    gc,
    scrub,
    compact,
    rebuild,
    remove_node,
    token,
    grants,
):
    admin.add_command(command)
