"""Trees and archives for the tests: made, varied and packed in every way."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import os
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import zstandard
from hypothesis import strategies as st

from longshore_bundles import PayloadFormat


@dataclass(frozen=True)
class File:
    content: bytes = b""
    executable: bool = False

    def __repr__(self) -> str:
        # Where trees differ pytest compares what they look like: of whole contents that takes hours.
        digest = hashlib.sha256(self.content).hexdigest()[:12]
        return f"File({self.content[:20]!r}, {len(self.content)} bytes, {digest}, {self.executable})"


@dataclass(frozen=True)
class Link:
    target: str


@dataclass(frozen=True)
class Directory:
    """An empty one; others follow from what stands in them."""


Node = File | Link | Directory
Tree = dict[str, Node]


def write_tree(root: Path, tree: Tree) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for path, node in tree.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        match node:
            case File(content, executable):
                place.write_bytes(content)
                place.chmod(0o775 if executable else 0o660)
            case Link(target):
                place.symlink_to(target)
            case Directory():
                place.mkdir()
    return root


def names_in(folder: Path) -> list[str]:
    return sorted(found.name for found in folder.iterdir())


def read_tree(root: Path) -> Tree:
    """What stands below ``root``, modes checked to be exactly what unpacking promises."""
    tree: Tree = {}
    for folder, directories, files in os.walk(root):
        if not directories and not files and Path(folder) != root:
            tree[os.path.relpath(folder, root)] = Directory()
        for name in (*directories, *files):
            place = Path(folder, name)
            path = os.path.relpath(place, root)
            if place.is_symlink():
                tree[path] = Link(os.readlink(place))  # noqa: PTH115 (a Path would tidy the target up)
            elif place.is_file():
                mode = place.stat().st_mode & 0o7777
                assert mode in (0o644, 0o755), (path, oct(mode))
                tree[path] = File(place.read_bytes(), mode == 0o755)
            else:
                assert place.stat().st_mode & 0o7777 == 0o755, path
    return tree


def make_tar(
    tree: Tree, *, order: list[str] | None = None, prefix: str = "", tar_format: int = tarfile.GNU_FORMAT
) -> bytes:
    """A tar as other programs make it: with directories, owners, times and odd modes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tar_format) as tar:
        for path in order or list(tree):
            node = tree[path]
            info = tarfile.TarInfo(prefix + path)
            info.mtime, info.uid, info.uname = 1_700_000_000, 1000, "somebody"
            match node:
                case File(content, executable):
                    info.size = len(content)
                    info.mode = 0o4750 if executable else 0o600
                    tar.addfile(info, io.BytesIO(content))
                case Link(target):
                    info.type, info.linkname = tarfile.SYMTYPE, target
                    tar.addfile(info)
                case Directory():
                    info.type, info.mode = tarfile.DIRTYPE, 0o2700
                    tar.addfile(info)
    return out.getvalue()


def make_zip(tree: Tree, *, order: list[str] | None = None, prefix: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in order or list(tree):
            match tree[path]:
                case File(content, executable):
                    info = zipfile.ZipInfo(prefix + path)
                    info.create_system = 3
                    info.external_attr = (0o100755 if executable else 0o100600) << 16
                    info.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(info, content)
                case Link(target):
                    info = zipfile.ZipInfo(prefix + path)
                    info.create_system = 3
                    info.external_attr = 0o120777 << 16
                    archive.writestr(info, target)
                case Directory():
                    archive.writestr(zipfile.ZipInfo(prefix + path + "/"), b"")
    return out.getvalue()


def compressed(tar: bytes, payload_format: PayloadFormat) -> bytes:
    match payload_format:
        case PayloadFormat.TAR_GZ:
            return gzip.compress(tar)
        case PayloadFormat.TAR_XZ:
            return lzma.compress(tar)
        case PayloadFormat.TAR_ZST:
            return zstandard.ZstdCompressor().compress(tar)
        case _:
            return tar


TAR_FORMATS = [PayloadFormat.TAR, PayloadFormat.TAR_GZ, PayloadFormat.TAR_ZST, PayloadFormat.TAR_XZ]

_names = st.one_of(
    st.sampled_from(["a", "b", "a-b", "a.b", "a b", "lib", "é", "日本", "README.md", "x\\y", "-", "~"]),
    st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12),
    st.integers(90, 120).map(lambda n: "n" * n),
)
_nodes = st.one_of(
    st.builds(File, st.binary(max_size=2000), st.booleans()),
    st.builds(Link, st.sampled_from(["a", "b/c", "./x//y", "é", "l" * 120])),
    st.just(Directory()),
)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Valid trees: no conflicts, no collisions, no names that a rule refuses."""
    from longshore_bundles import EntryKind, EntryRefused
    from longshore_bundles.entry_rules import SeenPaths, check_link, clean_path

    seen = SeenPaths()
    tree: Tree = {}
    items = draw(st.lists(st.tuples(st.lists(_names, min_size=1, max_size=4), _nodes), max_size=12))
    for parts, node in items:
        path = "/".join(parts)
        kind = {File: EntryKind.FILE, Link: EntryKind.LINK, Directory: EntryKind.DIRECTORY}[type(node)]
        try:
            if clean_path(path) != path or path in tree:
                continue
            if isinstance(node, Link):
                check_link(path, node.target)
            seen.add(path, kind)
        except EntryRefused:
            continue
        tree[path] = node
    # Only an empty directory is a node of its own.
    return {
        path: node
        for path, node in tree.items()
        if not isinstance(node, Directory) or not any(other.startswith(f"{path}/") for other in tree)
    }
