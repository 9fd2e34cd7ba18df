"""``longshore show``: needs no server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from longshore_client.cli.index_lookup import Lookup, index_options
from longshore_client.cli.printer import Printer
from longshore_client.cli.session import local_command

if TYPE_CHECKING:
    from longshore_client.cli.results import ShownPack
    from longshore_client.cli.tables import Fact

_SHOWN_VERSIONS: Final = 20


@click.command(
    "show",
    short_help="Show what an index knows of a pack.",
    epilog="""\b
Examples:
  longshore show netops --index index.json
  longshore show netops@1.4.0 --index index.json
  longshore show 'netops@^1' --index https://packs.example.org/index.json -o json""",
)
@click.argument("ref", metavar="REF[@VERSION]")
@index_options
@local_command
def show_command(printer: Printer, ref: str, lookup: Lookup) -> None:
    """Show one version of the pack REF: where it is fetched from, what it needs, what is in it.

    VERSION is a version, a constraint such as ^1.4, or `latest`, which is meant where there is none: the
    highest that is no prerelease. An index describes a pack by its highest version alone; of an older one it
    knows the checksum, the time, and where to fetch it.
    """
    shown = _found(ref, lookup)
    if not printer.for_people:
        printer.result(shown, name=f"{shown.ref}@{shown.version}")
    else:
        printer.facts(_facts(shown))


def _found(text: str, lookup: Lookup) -> ShownPack:
    from longshore_bundles import InvalidConstraint
    from longshore_bundles.registry import LATEST
    from longshore_client.cli.index_lookup import opened_indexes, shown_pack
    from longshore_client.sources import SourceNotFound

    ref, at_sign, wanted = text.partition("@")
    if at_sign and not wanted:
        raise click.UsageError(f"{text} names no version behind the @: write one, or leave the @ out")
    there: list[str] = []
    for opened in opened_indexes(lookup):
        pack = opened.index.pack(ref)
        if pack is None:
            continue
        try:
            release = pack.wanted(wanted or LATEST)
        except InvalidConstraint as error:
            raise click.UsageError(error.message) from error
        if release is not None:
            return shown_pack(pack, release, opened.location)
        there += [each.version for each in pack.releases]
    if there:
        more = f", and {len(there) - _SHOWN_VERSIONS} more" if len(there) > _SHOWN_VERSIONS else ""
        raise SourceNotFound(
            f"{ref!r} has no version {wanted!r}; there are {', '.join(there[:_SHOWN_VERSIONS])}{more}"
        )
    raise SourceNotFound(f"no index has a pack {ref!r}; `longshore search` shows what there is")


def _facts(pack: ShownPack) -> list[Fact]:
    from longshore_client.cli.tables import Fact

    is_older = pack.version != pack.described_version
    sources = [f"{each.type} {each.url} {each.ref}".rstrip() for each in pack.install_sources]
    return [
        Fact("ref", pack.ref),
        Fact("version", pack.version),
        Fact("described by", f"{pack.described_version}, the highest" if is_older else ""),
        Fact("label", pack.label),
        Fact("description", pack.description),
        Fact("author", pack.author),
        Fact("license", pack.license),
        Fact("keywords", ", ".join(pack.keywords)),
        Fact("needs packs", ", ".join(f"{each.ref} {each.version}" for each in pack.dependencies)),
        Fact("runtimes", ", ".join(f"{name} {wanted}" for name, wanted in pack.runtime_deps.items())),
        *(Fact(kind, ", ".join(item.name for item in items)) for kind, items in pack.contents.items()),
        Fact("checksum", pack.checksum),
        *(Fact("fetched from", source) for source in sources or ["nowhere: the index does not say where"]),
        Fact("published", pack.published_at),
        Fact("versions", ", ".join(pack.versions)),
        Fact("index", pack.index),
    ]
