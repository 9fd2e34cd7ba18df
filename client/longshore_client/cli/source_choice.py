"""The options of ``longshore deploy`` that say how a source is fetched, and which sources they are for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from longshore_client.sources import FetchOptions, Source

_Command = TypeVar("_Command", bound=Callable[..., Any])

_NAMES: Final = {
    "indexes": "--index",
    "checksum": "--checksum",
    "token_env": "--source-token-env",
    "allow_http": "--allow-http",
    "allow_private": "--allow-private",
    "allow_unverified": "--allow-unverified",
    "unpack_wheel": "--unpack",
}
_FETCHING: Final = {"checksum", "token_env", "allow_http", "allow_private", "allow_unverified"}
_OF_INDEXES: Final = {"indexes", "allow_http", "allow_private", "allow_unverified"}


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """What the options say about fetching."""

    indexes: tuple[str, ...]
    checksum: str | None
    token_env: str | None
    allow_http: bool
    allow_private: bool
    allow_unverified: bool
    unpack_wheel: bool

    def options(self) -> FetchOptions:
        """As the library takes them, for the source that was named. Raises ``SourceInvalid``."""
        from longshore_client.sources import Checksum, FetchOptions

        return FetchOptions(
            indexes=self.indexes,
            checksum=Checksum.parse(self.checksum) if self.checksum else None,
            token_env=self.token_env or "",
            allow_http=self.allow_http,
            allow_private=self.allow_private,
            allow_unverified=self.allow_unverified,
            unpack_wheel=self.unpack_wheel,
        )

    def options_of_dependencies(self, *, from_index: bool, timeout_s: float) -> FetchOptions:
        """For what the source needs: neither its checksum is theirs, nor, but for an index's, its token."""
        from longshore_client.sources import FetchOptions

        return FetchOptions(
            indexes=self.indexes,
            token_env=self.token_env or "" if from_index else "",
            allow_http=self.allow_http,
            allow_private=self.allow_private,
            allow_unverified=self.allow_unverified,
            timeout_s=timeout_s,
        )

    def check_for(self, source: Source | None, *, with_dependencies: bool) -> None:
        """Raises ``click.UsageError`` for options that say nothing about a source; None: standard input."""
        used = _used_by(source) | (_OF_INDEXES if with_dependencies else set())
        unused = [name for name in _NAMES if getattr(self, name) and name not in used]
        if unused:
            raise click.UsageError(_advice(source, unused))


def source_options(function: _Command) -> _Command:
    """Add the options of fetching, gathered into ``sourcing``."""

    def gathered(*args: Any, **given: Any) -> Any:
        names = SourceChoice.__dataclass_fields__
        choice = SourceChoice(**{name: given.pop(name) for name in names})
        return function(*args, sourcing=choice, **given)

    gathered.__name__, gathered.__doc__ = function.__name__, function.__doc__
    gathered.__dict__.update(function.__dict__)
    for option in reversed(_OPTIONS):
        gathered = option(gathered)
    return gathered  # type: ignore[return-value]


_OPTIONS: Final[tuple[Callable[[Any], Any], ...]] = (
    click.option(
        "--index",
        "indexes",
        multiple=True,
        metavar="FILE|URL",
        help="An index to look a REF up in; repeatable, the first that has it decides.",
    ),
    click.option("--checksum", metavar="SHA256", help="What the source must have: sha256:HEX."),
    click.option(
        "--source-token-env",
        "token_env",
        metavar="NAME",
        help="The environment variable with a bearer token for the source's host.",
    ),
    click.option("--allow-http", is_flag=True, help="Also fetch over plain HTTP."),
    click.option("--allow-private", is_flag=True, help="Also follow a public host on to private addresses."),
    click.option("--allow-unverified", is_flag=True, help="Also take a package without a checksum."),
    click.option(
        "--unpack", "unpack_wheel", is_flag=True, help="Unpack a wheel instead of installing it as a file."
    ),
)


def _used_by(source: Source | None) -> set[str]:
    from longshore_client.sources import IndexSource, PathSource, PypiSource

    match source:
        case None:
            return set()
        case PathSource():
            return {"checksum"}
        case IndexSource():
            return _FETCHING | {"indexes"}
        case PypiSource():
            return _FETCHING | {"unpack_wheel"}
        case _:
            return _FETCHING


def _advice(source: Source | None, unused: list[str]) -> str:
    """What to do about options that say nothing."""
    from longshore_client.sources import PathSource

    names = [_NAMES[each] for each in unused]
    listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    if source is None:
        if unused == ["checksum"]:
            return "--checksum is for what can be read beforehand: of standard input give --sha256 HEX"
        return f"{listed}: standard input is not fetched; leave {'it' if len(names) == 1 else 'them'} out"
    if unused == ["unpack_wheel"]:
        return "--unpack is for the wheels of pypi:NAME==VERSION: leave it out, or see --format"
    if unused == ["indexes"]:
        return "--index is for a REF, and for what a pack needs: add --with-dependencies, or leave it out"
    where = "is on this machine, and not fetched" if isinstance(source, PathSource) else "is in no index"
    return f"{listed}: the source {where}; leave {'it' if len(names) == 1 else 'them'} out"
