"""``longshore search``: needs no server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from longshore_client.cli.index_lookup import Lookup, index_options
from longshore_client.cli.printer import Printer
from longshore_client.cli.session import local_command

if TYPE_CHECKING:
    from longshore_client.cli.results import FoundPack


@click.command(
    "search",
    short_help="Find packs in indexes by words.",
    epilog="""\b
Examples:
  longshore search dns --index index.json
  longshore search --index https://packs.example.org/index.json
  longshore search restart service --index team.json --index index.json -o json | jq -r .ref""",
)
@click.argument("words", nargs=-1)
@index_options
@local_command
def search_command(printer: Printer, words: tuple[str, ...], lookup: Lookup) -> None:
    """Find the packs in which every one of WORDS occurs, the best matches first; without WORDS, all packs.

    Looked at are ref, label, keywords, description, author and the names of actions, sensors and workflows.
    """
    from longshore_bundles.registry import search_index
    from longshore_client.cli.index_lookup import found_pack, opened_indexes
    from longshore_client.cli.tables import Column

    found = [
        found_pack(pack, opened.location)
        for opened in opened_indexes(lookup)
        for pack in search_index(opened.index, words)
    ]
    if not printer.for_people:
        for each in found:
            printer.result(each, name=each.ref)
    elif not found:
        click.echo("no pack was found", err=True)
    else:
        several = len(lookup.indexes) > 1
        columns: list[Column[FoundPack]] = [
            Column("REF", lambda pack: pack.ref),
            Column("VERSION", lambda pack: pack.version),
            Column("LABEL", lambda pack: pack.label, importance=1, flexible=True),
            Column("DESCRIPTION", lambda pack: pack.description, flexible=True),
            Column("INDEX", lambda pack: pack.index if several else "", importance=2, remark=True),
        ]
        printer.table(columns, found)
