"""Archives that an index of this machine names by their paths below its own folder."""

from __future__ import annotations

from pathlib import Path

from longshore_client.source_errors import SourceNotFound, SourceRefused

from .urls import shown_text


def archive_beside(index: Path, url: str) -> Path:
    """The archive that the index at ``index`` names as ``url``, a relative path.

    Raises ``SourceRefused`` where that leads out of the index's folder, and ``SourceNotFound``.
    """
    folder = index.resolve().parent
    try:
        path = (folder / url).resolve()
        is_file = path.is_file()
    except (OSError, RuntimeError, ValueError) as error:
        raise SourceNotFound(
            f"{shown_text(url)!r}, which the index {index} names, cannot be a file"
        ) from error
    if not path.is_relative_to(folder):
        raise SourceRefused(f"the index {index} names {shown_text(url)!r}, which leads out of its own folder")
    if not is_file:
        raise SourceNotFound(f"{shown_text(url)!r}, which the index {index} names, is no file beside it")
    return path
