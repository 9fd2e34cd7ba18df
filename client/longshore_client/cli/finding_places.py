"""Where findings are, for other programs: in files as a repository's root sees them."""

from __future__ import annotations

import os
from pathlib import Path

from longshore_client.contents import root_of
from longshore_client.models import Finding


class FindingPlaces:
    """Where the findings in a payload at ``path`` are.

    An archive is one file: its findings are in that, without a line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_directory = path.is_dir()
        self._root = root_of(path) if self._is_directory else path

    def file(self, finding: Finding) -> Path:
        """The file that it is in, from the working directory where it is below that, else absolute."""
        place = self._root / finding.path if self._is_directory else self._path
        absolute = Path(os.path.abspath(place))  # noqa: PTH100 (links keep their names)
        return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute

    def line(self, finding: Finding) -> int | None:
        """The line in that file."""
        return finding.line if self._is_directory else None

    def message(self, finding: Finding) -> str:
        """What is said there; in an archive with the place inside it."""
        if self._is_directory or not finding.path:
            return finding.message
        return f"{finding.path}{f':{finding.line}' if finding.line else ''}: {finding.message}"
