"""Paths that commands take, which must exist."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from longshore_client.source_errors import SourceNotFound


class ExistingPath(click.Path):
    """A path that is there; one that is not is no wrong usage, but ``SourceNotFound``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(exists=True, **options)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the path. Raises ``SourceNotFound``, and ``click.BadParameter`` for another kind of file."""
        try:
            Path(value).stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SourceNotFound(f"{os.fspath(value)} does not exist") from error
        except OSError as error:
            raise click.BadParameter(f"{os.fspath(value)}: {error.strerror}", ctx, param) from error
        return super().convert(value, param, ctx)
