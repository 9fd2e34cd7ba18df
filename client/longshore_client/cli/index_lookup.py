"""Looking packs up in indexes: the options of commands that do, and what is found as it is printed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from longshore_bundles.registry import IndexedPack, IndexedRelease
    from longshore_client.sources import OpenIndex

    from .results import FoundPack, ShownPack

_URLS: Final = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the options say about where to look, and how indexes may be fetched."""

    indexes: tuple[str, ...]
    token_env: str | None
    allow_http: bool
    allow_private: bool


def index_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add ``--index`` and the options of fetching one, which the function gets as ``lookup``."""

    @functools.wraps(function)
    def command(*args: Any, **given: Any) -> None:
        lookup = Lookup(**{name: given.pop(name) for name in Lookup.__dataclass_fields__})
        function(*args, lookup=lookup, **given)

    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS: Final[tuple[Callable[[Any], Any], ...]] = (
    click.option(
        "--index",
        "indexes",
        multiple=True,
        required=True,
        metavar="FILE|URL",
        help="An index to look in; repeatable, the first that has a pack decides.",
    ),
    click.option(
        "--source-token-env",
        "token_env",
        metavar="NAME",
        help="The environment variable with a bearer token for the first index behind a URL.",
    ),
    click.option("--allow-http", is_flag=True, help="Also fetch an index over plain HTTP."),
    click.option("--allow-private", is_flag=True, help="Also follow a public host on to private addresses."),
)


def opened_indexes(lookup: Lookup) -> Iterator[OpenIndex]:
    """Read the indexes one after another. Raises ``SourceError``."""
    from longshore_client.sources import Deadline, FetchOptions, open_index

    tokenless = FetchOptions(
        indexes=lookup.indexes, allow_http=lookup.allow_http, allow_private=lookup.allow_private
    )
    deadline = Deadline(tokenless.timeout_s)
    # Of several the first alone gets the token, as in a deployment: the others may be anybody's.
    first = next((each for each in lookup.indexes if each.lower().startswith(_URLS)), None)
    with_token = replace(tokenless, token_env=lookup.token_env or "")
    for location in lookup.indexes:
        yield open_index(location, with_token if location == first else tokenless, deadline)


def found_pack(pack: IndexedPack, location: str) -> FoundPack:
    """A pack as a search shows it."""
    from .results import FoundPack

    return FoundPack(
        pack.ref, pack.latest.version, pack.label, pack.description, tuple(pack.keywords), location
    )


def shown_pack(pack: IndexedPack, release: IndexedRelease, location: str) -> ShownPack:
    """One version of a pack with all that is known of it."""
    from .results import NeededPack, PackItem, PackSource, ShownPack

    return ShownPack(
        ref=pack.ref,
        version=release.version,
        checksum=release.checksum,
        published_at=release.published_at,
        install_sources=tuple(
            PackSource(each.type, each.url, each.ref, each.checksum) for each in release.install_sources
        ),
        label=pack.label,
        description=pack.description,
        author=pack.author,
        license=pack.license,
        keywords=pack.keywords,
        runtime_deps=pack.runtime_deps,
        dependencies=tuple(NeededPack(each.ref, each.constraint) for each in pack.dependencies),
        contents={
            kind: tuple(PackItem(item.name, item.description) for item in items)
            for kind, items in pack.contents.items()
        },
        described_version=pack.highest.version,
        versions=tuple(each.version for each in pack.releases),
        index=location,
    )
