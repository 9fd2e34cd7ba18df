"""What comes out of archives that are as they should be, however they were made."""

from __future__ import annotations

import hashlib
import io
import os
import random
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_bundles import (
    BundleManifest,
    CanonicalTar,
    PayloadFormat,
    directory_checksum,
    file_checksum,
    scan,
    unpack,
)
from longshore_bundles.tar_header import END_OF_ARCHIVE, file_header
from tests.bundles.trees import (
    TAR_FORMATS,
    Directory,
    File,
    Link,
    Tree,
    compressed,
    make_tar,
    make_zip,
    names_in,
    read_tree,
    trees,
    write_tree,
)

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


@settings(max_examples=50, deadline=None)
@given(
    trees().filter(bool), st.randoms(use_true_random=False), st.sampled_from(["", "./", "top/", "a//./b/"])
)
def test_every_way_to_pack_a_tree_gives_one_tree_and_one_checksum(
    tree: Tree, shuffled: random.Random, prefix: str
) -> None:
    wanted = (
        tree if prefix in ("", "./") else {prefix.replace("//./", "/") + path: n for path, n in tree.items()}
    )
    order = list(tree)
    shuffled.shuffle(order)
    no_backslash = all("\\" not in path for path in tree)
    tar_format = shuffled.choice([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    archives = [(PayloadFormat.TAR, make_tar(tree, order=order, prefix=prefix, tar_format=tar_format))]
    archives.append((PayloadFormat.TAR_GZ, compressed(make_tar(tree, prefix=prefix), PayloadFormat.TAR_GZ)))
    if no_backslash:
        archives.append((PayloadFormat.ZIP, make_zip(tree, order=order, prefix=prefix)))
    with tempfile.TemporaryDirectory() as folder:
        source = write_tree(Path(folder, "source"), wanted)
        content_sha256 = directory_checksum(source)
        canonical = b"".join(CanonicalTar(source))
        archives.append((PayloadFormat.TAR, canonical))
        for number, (payload_format, data) in enumerate(archives):
            target = Path(folder, str(number))
            result = unpack(io.BytesIO(data), target, payload_format)
            assert read_tree(target) == wanted
            assert result.scan.content_sha256 == content_sha256
            scanned = scan(io.BytesIO(data), payload_format, scratch=Path(folder))
            assert scanned == result.scan
            assert scanned.gives_back(hashlib.sha256(data).hexdigest()) is (data == canonical)
            for path, node in wanted.items():
                if isinstance(node, File):
                    assert result.file_digests.digest_of(path) == blake3(node.content).digest()
                else:
                    assert result.file_digests.digest_of(path) is None
        assert names_in(Path(folder)) == [*map(str, range(len(archives))), "source"]


@pytest.mark.parametrize("payload_format", TAR_FORMATS)
def test_every_compression_is_read(tmp_path: Path, payload_format: PayloadFormat) -> None:
    tree: Tree = {
        "a": File(random.Random(5).randbytes(3 << 20)),
        "b": File(b"0" * (3 << 20), executable=True),
    }
    data = compressed(make_tar(tree), payload_format)
    unpack(io.BytesIO(data), tmp_path / "t", payload_format)
    assert read_tree(tmp_path / "t") == tree


@pytest.mark.parametrize(
    "command",
    [
        "tar -cf - .",
        "tar -cf - --format=v7 a/x a/y",
        "tar -cf - --format=oldgnu *",
        "tar -cf - --format=ustar *",
        "tar -cf - --format=posix *",
        "tar -cf - -V label *",
        "tar -cf - -b 64 *",
    ],
)
def test_the_tars_of_gnu_tar(tmp_path: Path, command: str) -> None:
    source = write_tree(
        tmp_path / "s", {"a/x": File(b"1", executable=True), "a/y": Link("x"), "a/" + "l" * 99: File(b"2")}
    )
    data = subprocess.run(["bash", "-c", command], cwd=source, check=True, capture_output=True).stdout
    result = unpack(io.BytesIO(data), tmp_path / "t", PayloadFormat.TAR)
    if "v7" in command:
        (source / ("a/" + "l" * 99)).unlink()
    assert result.scan.content_sha256 == directory_checksum(source)


@pytest.mark.parametrize(
    ("program", "payload_format"), [("gzip", "tar.gz"), ("xz", "tar.xz"), ("zstd", "tar.zst")]
)
def test_streams_of_several_members(tmp_path: Path, program: str, payload_format: str) -> None:
    tar = make_tar({"a": File(b"x" * 5000), "b": File(b"y" * 5000)})
    parts = [tar[:4000], tar[4000:9000], tar[9000:]]
    data = b"".join(
        subprocess.run([program, "-c"], input=p, check=True, capture_output=True).stdout for p in parts
    )
    if program == "xz":
        data += bytes(8)
    unpack(io.BytesIO(data), tmp_path / "t", PayloadFormat(payload_format))
    assert names_in(tmp_path / "t") == ["a", "b"]


@pytest.mark.parametrize("options", ["-r", "-ry", "-r0", "-rD"])
def test_the_zips_of_info_zip(tmp_path: Path, options: str) -> None:
    tree: Tree = {"a/é": File(b"1" * 3000, executable=True), "b": File(b"")}
    source = write_tree(tmp_path / "s", tree if options != "-ry" else {**tree, "l": Link("a/é")})
    subprocess.run(["zip", "-q", options, tmp_path / "x.zip", "."], cwd=source, check=True)
    with (tmp_path / "x.zip").open("rb") as file:
        result = unpack(file, tmp_path / "t", PayloadFormat.ZIP)
    assert result.scan.content_sha256 == directory_checksum(source)
    assert (tmp_path / "t/a/é").stat().st_mode & 0o777 == 0o755


def test_hard_links_become_copies(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "s", {"a": File(b"shared", executable=True), "z/x": File(b"")})
    os.link(source / "a", source / "b")
    data = subprocess.run(
        ["tar", "-C", source, "-cf-", "a", "b", "z"], check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getmember("b").islnk()
    result = unpack(io.BytesIO(data), tmp_path / "t", PayloadFormat.TAR)
    assert result.scan.content_sha256 == directory_checksum(source)
    assert (tmp_path / "t/b").stat().st_nlink == 1
    assert result.file_digests.digest_of("b") == blake3(b"shared").digest()
    assert scan(io.BytesIO(data), PayloadFormat.TAR, scratch=tmp_path) == result.scan


def test_git_archive_needs_no_scratch_folder_and_gnu_tar_leaves_nothing_in_it(tmp_path: Path) -> None:
    tree: Tree = {"a-b": File(b"1"), "a/x": File(b"2")}
    in_order = make_tar(tree, order=["a-b", "a/x"])
    scan(io.BytesIO(in_order), PayloadFormat.TAR, scratch=tmp_path / "missing")
    disordered = make_tar(tree, order=["a/x", "a-b"])
    with pytest.raises(FileNotFoundError):
        scan(io.BytesIO(disordered), PayloadFormat.TAR, scratch=tmp_path / "missing")
    scan(io.BytesIO(disordered), PayloadFormat.TAR, scratch=tmp_path)
    assert names_in(tmp_path) == []


class Unseekable(io.RawIOBase):
    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        return self._data.readinto(memoryview(buffer)[:1000])


def test_what_a_source_that_cannot_seek_allows(tmp_path: Path) -> None:
    def stream(data: bytes) -> BinaryIO:
        return io.BufferedReader(Unseekable(data), 1000)

    tree: Tree = {"a-b": File(b"1"), "a/x": File(b"2")}
    result = scan(stream(make_tar(tree, order=["a-b", "a/x"])), PayloadFormat.TAR, scratch=tmp_path)
    assert result.accepted
    assert scan(stream(b"x" * 5000), PayloadFormat.FILE, scratch=tmp_path).unpacked_bytes == 5000
    with pytest.raises(io.UnsupportedOperation):
        scan(stream(make_tar(tree, order=["a/x", "a-b"])), PayloadFormat.TAR, scratch=tmp_path)
    with pytest.raises(io.UnsupportedOperation):
        scan(stream(make_zip(tree)), PayloadFormat.ZIP, scratch=tmp_path)


def test_tars_are_read_as_streams_in_short_reads(tmp_path: Path) -> None:
    data = compressed(make_tar({"b": File(b"x" * 70_000), "a": File(b"")}), PayloadFormat.TAR_GZ)
    unpack(cast(BinaryIO, Unseekable(data)), tmp_path / "t", PayloadFormat.TAR_GZ)
    assert (tmp_path / "t/b").stat().st_size == 70_000


@pytest.mark.parametrize("marker", ["package.json", "pyproject.toml"])
def test_a_sole_directory_with_a_manifest_is_stripped(tmp_path: Path, marker: str) -> None:
    content = (
        b'{"name": "web", "version": "1.0.0"}'
        if marker == "package.json"
        else b'[project]\nname="web"\nversion="1.0.0"'
    )
    inner: Tree = {"lib/a": File(b"1"), "l": Link("lib"), marker: File(content), "e": Directory()}
    outer: Tree = {f"pkg/{path}": node for path, node in inner.items()}
    checksum = directory_checksum(write_tree(tmp_path / "inner", inner))
    for number, data in enumerate([make_tar(outer), make_tar(outer, order=sorted(outer))]):
        result = unpack(io.BytesIO(data), tmp_path / str(number), PayloadFormat.TAR)
        assert read_tree(tmp_path / str(number)) == inner
        assert result.scan.content_sha256 == checksum
        assert result.scan.stripped_directory == "pkg"
        assert result.scan.manifest == BundleManifest((marker,), "web", "web", "1.0.0")
        assert result.file_digests.digest_of("lib/a") == blake3(b"1").digest()
        assert scan(io.BytesIO(data), PayloadFormat.TAR, scratch=tmp_path) == result.scan


def test_what_is_not_stripped(tmp_path: Path) -> None:
    manifest = File(b"{}")
    not_stripped: list[Tree] = [
        {"pkg/a": File(b"")},
        {"pkg/package.json": manifest, "other": File(b"")},
        {"pkg/package.json": manifest, "other/x": File(b"")},
        {"pkg/deeper/package.json": manifest},
        {"pkg/package.json/x": File(b"")},
        {"pkg/package.json": Link("x")},
        {"package.json": manifest},
    ]
    for number, tree in enumerate(not_stripped):
        result = unpack(io.BytesIO(make_tar(tree)), tmp_path / str(number), PayloadFormat.TAR)
        assert result.scan.stripped_directory == ""
        assert read_tree(tmp_path / str(number)) == tree
        assert result.scan.content_sha256 == directory_checksum(tmp_path / str(number))
        assert (result.scan.manifest is not None) is (number == 6)


def test_a_server_ignores_nothing(tmp_path: Path) -> None:
    tree: Tree = {".longshoreignore": File(b"*\n"), ".git/HEAD": File(b"1"), "a": File(b"2")}
    result = unpack(io.BytesIO(make_tar(tree)), tmp_path / "t", PayloadFormat.TAR)
    assert read_tree(tmp_path / "t") == tree
    assert result.scan.content_sha256 == directory_checksum(tmp_path / "t", honour_ignore_file=False)


def test_a_single_file_is_written_as_it_is(tmp_path: Path) -> None:
    data = random.Random(2).randbytes(2 << 20)
    result = unpack(io.BytesIO(data), tmp_path / "t", PayloadFormat.FILE, file_name="app.jar")
    assert read_tree(tmp_path / "t") == {"app.jar": File(data)}
    sha256 = hashlib.sha256(data).hexdigest()
    assert result.scan.content_sha256 == sha256 == file_checksum(io.BytesIO(data))
    assert result.scan.gives_back(sha256)
    assert result.scan == scan(io.BytesIO(data), PayloadFormat.FILE, scratch=tmp_path)
    assert result.file_digests.digest_of("app.jar") == blake3(data).digest()


def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    tree: Tree = {"d/a": File(b"", executable=True), "b": File(b""), "e": Directory()}
    before = os.umask(0o077)
    try:
        unpack(io.BytesIO(make_tar(tree)), tmp_path / "t", PayloadFormat.TAR)
    finally:
        os.umask(before)
    assert read_tree(tmp_path / "t") == tree
    assert (tmp_path / "t").stat().st_mode & 0o777 == 0o755


def test_a_hundred_thousand_entries(tmp_path: Path) -> None:
    names = [f"d{i // 100:04}/f{i % 100:02}" for i in range(100_000)]
    data = b"".join(file_header(name, 0, executable=False) for name in names) + END_OF_ARCHIVE
    result = scan(io.BytesIO(data), PayloadFormat.TAR, scratch=tmp_path)
    assert (result.accepted, result.entry_count) == (True, 100_000)
