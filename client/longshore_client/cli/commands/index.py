"""``longshore index``: registry indexes, made and kept by their authors. Needs no server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from longshore_client.cli.index_making import SourceOptions, source_options
from longshore_client.cli.paths import ExistingPath
from longshore_client.cli.printer import Printer
from longshore_client.cli.session import local_command

if TYPE_CHECKING:
    from longshore_bundles.registry import Index

_FILE = click.Path(dir_okay=False, path_type=Path)
_EXISTING_FILE = ExistingPath(dir_okay=False, path_type=Path)
_BUNDLE = ExistingPath(path_type=Path)


@click.group(
    "index",
    short_help="Make, change and check indexes of packs.",
    epilog="""\b
Examples:
  longshore index entry ./netops --url https://packs.example.org/netops-1.4.0.tar
  longshore index update --index index.json ./netops --url https://packs.example.org/netops-1.4.0.tar
  longshore index merge all.json team.json public.json
  longshore index verify index.json ./netops""",
)
def index_command() -> None:
    """Keep an index: a JSON file with the packs that there are, their versions, and where to get them."""


@index_command.command(
    "entry",
    short_help="Print the entry of a pack.",
    epilog="""\b
Examples:
  longshore index entry ./netops --url https://packs.example.org/netops-1.4.0.tar
  longshore index entry netops-1.4.0.tar.gz --git https://git.example.org/netops.git --git-ref v1.4.0""",
)
@click.argument("path", type=_BUNDLE)
@source_options
def print_entry(path: Path, sources: SourceOptions) -> None:
    """Print the entry that the pack at PATH, a directory or an archive, has in an index."""
    from longshore_bundles.registry import pack_text
    from longshore_client.cli.index_making import made_entry, print_document

    print_document(pack_text(made_entry(path, sources)))


@index_command.command(
    "update",
    short_help="Put a pack into an index.",
    epilog="""\b
Examples:
  longshore index update --index index.json ./netops --url https://packs.example.org/netops-1.4.0.tar
  longshore index update --index index.json ./netops --update
  longshore index update --index new.json --name ops ./netops""",
)
@click.argument("path", type=_BUNDLE)
@click.option("--index", "index_path", type=_FILE, required=True, metavar="FILE", help="The index's file.")
@click.option("--update", "replace", is_flag=True, help="Replace the version if it is there already.")
@click.option("--name", metavar="NAME", help="Make the file, for a registry of this name, if there is none.")
@source_options
@local_command
def update_index(
    printer: Printer, path: Path, index_path: Path, replace: bool, name: str | None, sources: SourceOptions
) -> None:
    """Put the version of the pack at PATH, a directory or an archive, into an index beside all others."""
    from longshore_bundles import registry
    from longshore_client.cli.index_making import changed, made_entry, now
    from longshore_client.cli.results import IndexUpdated
    from longshore_client.cli.wording import count
    from longshore_client.index_files import change_index_file
    from longshore_client.source_errors import SourceNotFound

    entry = made_entry(path, sources)

    def change(before: Index | None) -> Index:
        if before is None:
            if name is None:
                raise SourceNotFound(f"there is no index at {index_path} yet: --name NAME makes it")
            before = registry.Index(name, now())
        return changed(
            f"{index_path} is left as it is",
            lambda log: registry.update_index(
                before, entry, log, replace=replace, last_updated=now(), path=str(index_path)
            ),
        )

    index = change_index_file(index_path, change)
    release = entry.highest
    printer.result(
        IndexUpdated(index_path, entry.ref, release.version, release.checksum, len(index.packs)),
        sentence=f"{entry.ref} {release.version} is in {index_path}, with {count(len(index.packs), 'pack')}",
        name=f"{entry.ref}@{release.version}",
    )


@index_command.command(
    "merge",
    short_help="Put several indexes into one.",
    epilog="""\b
Examples:
  longshore index merge all.json team.json public.json
  longshore index merge index.json index.json new.json""",
)
@click.argument("out", type=_FILE)
@click.argument("files", nargs=-1, required=True, type=_EXISTING_FILE)
@click.option("--name", metavar="NAME", help="The registry's name.  [default: that of the first FILE]")
@click.option("--force", is_flag=True, help="Replace OUT where it is a file that is none of FILES.")
@local_command
def merge_indexes(
    printer: Printer, out: Path, files: tuple[Path, ...], name: str | None, force: bool
) -> None:
    """Put all versions of all packs of FILES into OUT, which may be one of them.

    The file with the highest version of a pack says what the pack is. A version that is another content in
    another file is an error. Archives that are named by their paths must lie below the folder of OUT.
    """
    from longshore_client.cli.index_making import merged
    from longshore_client.cli.results import IndexMerged
    from longshore_client.cli.wording import count
    from longshore_client.errors import DestinationUnusable
    from longshore_client.index_files import write_index_file

    is_among = out.exists() and any(each.samefile(out) for each in files)
    if out.exists() and not is_among and not force:
        raise DestinationUnusable(f"{out} exists: name it among the files to merge it too, or use --force")

    index = write_index_file(out, lambda _: merged(files, out, name))
    releases = sum(len(pack.releases) for pack in index.packs)
    told = f"{count(len(index.packs), 'pack')} in {count(releases, 'version')}"
    printer.result(IndexMerged(out, len(index.packs), releases), sentence=f"{out} has {told}", name=str(out))


@index_command.command(
    "verify",
    short_help="Check an index, and hold packs against it.",
    epilog="""\b
Examples:
  longshore index verify index.json
  longshore index verify index.json ./netops dist/dns-2.1.0.tar.gz
  longshore index verify index.json -o json | jq '.findings[]'""",
)
@click.argument("file", type=_EXISTING_FILE)
@click.argument("paths", nargs=-1, type=_BUNDLE)
@local_command
def verify_index(printer: Printer, file: Path, paths: tuple[Path, ...]) -> None:
    """Check the index FILE, and that it has each of the packs at PATHS, directories or archives, as they are.

    Archives that it names by their paths are held against it, too; nothing is fetched. Warnings are shown and
    are no failure.
    """
    from longshore_client.cli.index_making import print_verified, verified

    print_verified(printer, verified(file, paths))
