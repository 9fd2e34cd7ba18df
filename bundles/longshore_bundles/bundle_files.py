"""The files of an archive that are read to say what it is: kept while it passes by, in bounded memory.

What is wanted stands at the root of the bundle or in ``actions/``, ``sensors/`` and ``workflows/`` below it.
Where that root is shows only at the archive's end: at its top, or in its only top-level directory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .component import PACKAGE_JSON, PYPROJECT_TOML
from .documents import MAX_DOCUMENT_BYTES
from .kinds import MISTAKABLE, PACK_YAML, SKILL_MD

EXECUTE_SH = "execute.sh"
TEST_SH = "test.sh"
CONFIG_SCHEMA_YAML = "config.schema.yaml"
ACTIONS_FOLDER = "actions/"
SENSORS_FOLDER = "sensors/"
WORKFLOWS_FOLDER = "workflows/"

MAX_KEPT_BYTES = 16 << 20
"""How much content is kept of what stands below the root."""
MAX_KEPT_FILES = 10_000

_READ_AT_ROOT = frozenset([SKILL_MD, PACK_YAML, PACKAGE_JSON, PYPROJECT_TOML, CONFIG_SCHEMA_YAML])
_NOTED_AT_ROOT = frozenset([EXECUTE_SH, TEST_SH])
_YAML = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A file of a bundle; ``content`` is empty where only its being there counts.

    It is at most one byte longer than a document may be.
    """

    content: bytes = b""
    executable: bool = False


class BundleFiles(Mapping[str, BundleFile]):
    """What is kept of one bundle, by path from its root. ``links`` were wanted, and are no files.

    ``first_not_kept`` is the path of the first file that would have been too much; empty where all are kept.
    """

    def __init__(self) -> None:
        self._files: dict[str, BundleFile] = {}
        self._kept_bytes = 0
        self.links: set[str] = set()
        self.first_not_kept = ""

    def __getitem__(self, path: str) -> BundleFile:
        return self._files[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def add(self, path: str, file: BundleFile) -> None:
        """Keep a file, unless that would be too much; what stands at the root never is."""
        if "/" in path:
            self._kept_bytes += len(file.content)
            if self._kept_bytes > MAX_KEPT_BYTES or len(self._files) >= MAX_KEPT_FILES:
                self.first_not_kept = self.first_not_kept or path
                return
        self._files[path] = file

    def at_root(self) -> set[str]:
        """The names of the files at the root."""
        return {path for path in self._files if "/" not in path}

    def contents(self) -> dict[str, bytes]:
        """The content of the files, by path."""
        return {path: file.content for path, file in self._files.items()}


class FileKeeper:
    """Watches an archive go by and keeps what is wanted, for either place where its root may be."""

    def __init__(self) -> None:
        self._at_top = BundleFiles()
        self._inside: BundleFiles | None = BundleFiles()

    def has_several_tops(self) -> None:
        """The archive's root is at its top: what might have been inside one directory is let go."""
        self._inside = None

    def wants(self, path: str) -> bool:
        """Whether the content of the file at ``path`` of the archive is to be kept."""
        return is_read(path) or (self._inside is not None and is_read(path.partition("/")[2]))

    def add(self, path: str, content: bytes, *, executable: bool) -> None:
        """A file went by; ``content`` counts only where it is wanted."""
        for files, name in self._places(path):
            if is_read(name):
                files.add(name, BundleFile(content[: MAX_DOCUMENT_BYTES + 1], executable))
            elif _is_noted(name):
                files.add(name, BundleFile(executable=executable))

    def add_link(self, path: str) -> None:
        """A link went by, which is not followed."""
        for files, name in self._places(path):
            if (is_read(name) or _is_noted(name)) and len(files.links) < MAX_KEPT_FILES:
                files.links.add(name)

    def kept(self, *, inside_top: bool) -> BundleFiles:
        """What was kept of the bundle whose root is the archive's top, or its only top-level directory."""
        return self._inside if inside_top and self._inside is not None else self._at_top

    def _places(self, path: str) -> Iterator[tuple[BundleFiles, str]]:
        yield self._at_top, path
        if self._inside is not None:
            yield self._inside, path.partition("/")[2]


def is_read(path: str) -> bool:
    """Whether the content of a file at ``path`` of a bundle is read."""
    folder, slash, name = path.partition("/")
    if not slash:
        return path in _READ_AT_ROOT
    match f"{folder}/":
        case "actions/" | "workflows/":
            return name.lower().endswith(_YAML)
        case "sensors/":
            return "/" not in name and name.lower().endswith(_YAML)
        case _:
            return False


def _is_noted(path: str) -> bool:
    """Whether it counts that there is a file at ``path`` of a bundle, and whether it is executable."""
    folder, slash, name = path.partition("/")
    if not slash:
        return path in _NOTED_AT_ROOT or path.lower() in MISTAKABLE
    return f"{folder}/" in (ACTIONS_FOLDER, SENSORS_FOLDER) and "/" not in name
