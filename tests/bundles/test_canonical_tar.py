from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings

from longshore_bundles import (
    CanonicalTar,
    EntryRefused,
    FileSpan,
    TreeChanged,
    TreeUnreadable,
    directory_checksum,
)
from longshore_bundles.tar_header import file_header
from tests.bundles.trees import Directory, File, Link, Tree, make_tar, read_tree, trees, write_tree


def packed(directory: Path, *, honour_ignore_file: bool = True) -> bytes:
    return b"".join(CanonicalTar(directory, honour_ignore_file=honour_ignore_file))


SAMPLE: Tree = {
    "a-b": File(b"1"),
    "a/x": File(b"22", executable=True),
    "a.txt": File(b"x" * 513),
    "a/empty": Directory(),
    "a/link": Link("../a.txt"),
    "é": File(b""),
    "n" * 100: File(b"fits"),
    "n" * 101: File(b"does not"),
    "deep/" + "d" * 98: Directory(),
    "to": Link("t" * 101),
}


def test_a_known_tree_has_known_bytes(tmp_path: Path) -> None:
    data = packed(write_tree(tmp_path / "t", SAMPLE))
    assert len(data) == 13312
    assert (
        hashlib.sha256(data).hexdigest() == "02a8fe449f1c6fdca9529598a15d43ba29ebfbc4f171deb8f310928ceecf7320"
    )


def test_the_empty_tree_is_two_zero_blocks(tmp_path: Path) -> None:
    assert packed(tmp_path) == bytes(1024)


def test_bytes_of_a_header() -> None:
    header = file_header("bin/run", 3, executable=True)
    assert header[:8] == b"bin/run\0"
    assert (
        header[100:157]
        == b"0000755\0" + b"0000000\0" * 2 + b"00000000003\0" + b"00000000000\0" + b"007240\0 0"
    )
    assert header[257:265] == b"ustar\x0000"
    assert header[265:] == bytes(247)


def test_sizes_from_8_gib_on_take_a_pax_record() -> None:
    assert len(file_header("a", 8 * 2**30 - 1, executable=False)) == 512
    header = file_header("a", 8 * 2**30, executable=False)
    assert header[512:532] == b"19 size=8589934592\n\0"
    with tarfile.open(fileobj=io.BytesIO(header + bytes(1024)), mode="r|") as tar:
        member = tar.next()
    assert member is not None
    assert member.size == 8 * 2**30


def test_order_is_bytewise_with_the_slash_of_directories(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(packed(write_tree(tmp_path, SAMPLE)))) as tar:
        names = tar.getnames()
    keys = [f"{n}/" if n in ("a/empty", "deep/" + "d" * 98) else n for n in names]
    assert keys == sorted(keys, key=str.encode)
    assert keys.index("a-b") < keys.index("a.txt") < keys.index("a/empty/")


@settings(max_examples=40, deadline=None)
@given(trees())
def test_gnu_tar_and_python_read_back_the_tree(tree: Tree) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = write_tree(Path(folder, "source"), tree)
        data = packed(source)
        assert CanonicalTar(source).size_bytes() == len(data)
        assert packed(source) == data
        target = Path(folder, "target")
        target.mkdir()
        subprocess.run(["tar", "-x", "-C", target], input=data, check=True, capture_output=True)
        assert read_tree(target) == tree
        assert packed(target) == data
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            assert len(tar.getmembers()) == len(tree)


@given(trees())
@settings(max_examples=40, deadline=None)
def test_it_is_what_pythons_pax_format_writes_in_this_order(tree: Tree) -> None:
    keys = sorted(tree, key=lambda p: (p + "/" if isinstance(tree[p], Directory) else p).encode())
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in keys:
            info = tarfile.TarInfo(path)
            match tree[path]:
                case File(content, executable):
                    info.size, info.mode = len(content), 0o755 if executable else 0o644
                    tar.addfile(info, io.BytesIO(content))
                case Link(target):
                    info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
                    tar.addfile(info)
                case Directory():
                    info.type, info.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(info)
        size = tar.offset
    with tempfile.TemporaryDirectory() as folder:
        assert packed(write_tree(Path(folder), tree)) == out.getvalue()[:size] + bytes(1024)


def test_blocks_are_of_one_size_and_spans_come_before_their_bytes(tmp_path: Path) -> None:
    noise = random.Random(1)
    tree: Tree = {
        f"f{i}": File(noise.randbytes(size)) for i, size in enumerate((0, 1, 2**20, 3 * 2**20 + 7, 600))
    }
    write_tree(tmp_path, tree)
    spans: list[FileSpan] = []
    data = b""
    for block in CanonicalTar(tmp_path).blocks(spans.append):
        data += block
        if len(data) % 2**20:
            assert len(data) == CanonicalTar(tmp_path).size_bytes()
        # What begins in the block was told before it.
        begun = data.count(b"ustar\x0000")
        assert len(spans) >= begun - 1
    assert [s.path for s in spans] == ["f1", "f2", "f3", "f4"]
    for span in spans:
        node = tree[span.path]
        assert isinstance(node, File)
        assert data[span.offset : span.offset + span.size_bytes] == node.content


def test_memory_does_not_grow_with_the_tree(tmp_path: Path) -> None:
    import tracemalloc

    (tmp_path / "big").write_bytes(b"")
    os.truncate(tmp_path / "big", 200 << 20)
    for folder in range(20):
        (tmp_path / str(folder)).mkdir()
        for name in range(100):
            (tmp_path / str(folder) / str(name)).touch()
    tracemalloc.start()
    size = sum(len(block) for block in CanonicalTar(tmp_path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 200 << 20
    assert peak < 8 << 20


def test_ignored_things_are_left_out_with_what_they_leave_empty(tmp_path: Path) -> None:
    wanted: Tree = {
        ".longshoreignore": File(b"*.pyc\n/build/\n!keep.pyc\n# a comment\n*.sock\n"),
        "src/a.py": File(b"1"),
        "src/keep.pyc": File(b"2"),
        "src/build/x": File(b"3"),
        "really-empty": Directory(),
    }
    unwanted: Tree = {
        ".git/HEAD": File(b"ref"),
        "vendored/.git": File(b"gitdir: /somewhere"),
        "src/__pycache__/a.pyc": File(b"x"),
        "build/keep.pyc": File(b"x"),
    }
    write_tree(tmp_path / "wanted", wanted)
    write_tree(tmp_path / "all", {**wanted, **unwanted})
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "all/src/a.sock"))
        assert packed(tmp_path / "all") == packed(tmp_path / "wanted", honour_ignore_file=False)
    (tmp_path / "all/src/a.sock").unlink()
    assert packed(tmp_path / "all", honour_ignore_file=False) != packed(tmp_path / "wanted")


def test_a_sole_directory_with_a_manifest_is_the_tree(tmp_path: Path) -> None:
    inner: Tree = {"package.json": File(b"{}"), "lib/a.js": File(b"1"), "l": Link("lib/a.js")}
    write_tree(tmp_path / "inner", inner)
    write_tree(tmp_path / "outer", {f"pkg/{path}": node for path, node in inner.items()})
    assert packed(tmp_path / "outer") == packed(tmp_path / "inner")
    (tmp_path / "outer/more").touch()
    assert packed(tmp_path / "outer") != packed(tmp_path / "inner")
    (tmp_path / "outer/.longshoreignore").write_text("/more\n/.longshoreignore\n/pkg/lib\n")
    shutil.rmtree(tmp_path / "inner/lib")
    assert packed(tmp_path / "outer") == packed(tmp_path / "inner")


def test_two_trees_that_a_plain_concatenation_would_confuse_differ(tmp_path: Path) -> None:
    one = directory_checksum(write_tree(tmp_path / "1", {"a": File(b"b1")}))
    two = directory_checksum(write_tree(tmp_path / "2", {"ab": File(b"1")}))
    assert one != two


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/etc/passwd", "LINK_ESCAPES"),
        ("../x", "LINK_ESCAPES"),
        ("d/../../x", "LINK_INVALID"),
        ("C:/x", "LINK_ESCAPES"),
        ("x" * 1025, "LINK_INVALID"),
        (b"\xff".decode("utf-8", "surrogateescape"), "PATH_NOT_UTF8"),
    ],
)
def test_links_that_do_not_stay_inside_are_refused(tmp_path: Path, target: str, reason: str) -> None:
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(EntryRefused, match="link") as caught:
        CanonicalTar(tmp_path).size_bytes()
    assert caught.value.reason == reason
    assert caught.value.path == "link"


def test_special_files_names_and_collisions_are_refused(tmp_path: Path) -> None:
    def reason(make: Path) -> str:
        with pytest.raises(EntryRefused) as caught:
            packed(make)
        return caught.value.reason

    (tmp_path / "fifo").mkdir()
    os.mkfifo(tmp_path / "fifo/p")
    assert reason(tmp_path / "fifo") == "SPECIAL_FILE"
    (tmp_path / "bytes").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bytes/\xff")).touch()
    assert reason(tmp_path / "bytes") == "PATH_NOT_UTF8"
    write_tree(tmp_path / "case", {"d/Makefile": File(), "d/makefile": File()})
    assert reason(tmp_path / "case") == "CASE_COLLISION"
    write_tree(tmp_path / "nfc", {"\u00e9": File(), "e\u0301": File()})
    assert reason(tmp_path / "nfc") == "CASE_COLLISION"
    with pytest.raises(TreeUnreadable, match="not a directory"):
        packed(tmp_path / "none")


@pytest.mark.parametrize("change", ["grow", "shrink", "touch", "touch back", "replace", "remove"])
def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path, change: str) -> None:
    victim = tmp_path / "a"
    victim.write_bytes(b"x" * (3 << 20))
    blocks = iter(CanonicalTar(tmp_path))
    if change in ("grow", "shrink", "touch", "touch back"):
        next(blocks)
    else:
        (tmp_path / "0").write_bytes(b"x" * (2 << 20))
        blocks = iter(CanonicalTar(tmp_path))
        next(blocks)
    match change:
        case "grow":
            with victim.open("ab") as file:
                file.write(b"more")
        case "shrink":
            os.truncate(victim, 2 << 20)
        case "touch":
            os.utime(victim, ns=(1, 1))
        case "touch back":
            before = victim.stat()
            victim.write_bytes(b"y" * before.st_size)
            os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
        case "replace":
            victim.unlink()
            victim.mkdir()
        case "remove":
            victim.unlink()
    with pytest.raises(TreeChanged) as caught:
        list(blocks)
    assert caught.value.path == "a"


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from longshore_bundles import CanonicalTar, TreeUnreadable\n"
        "os.setuid(65534)\n"
        "try: list(CanonicalTar(Path(sys.argv[1])))\n"
        "except TreeUnreadable as error: print(error.reason, error.path)\n"
    )
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        write_tree(Path(folder), {"secret": File(b"x")})
        Path(folder, "secret").chmod(0o600)
        output = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True)
    assert output.stdout == "PATH_UNREADABLE secret\n", output.stderr


def test_the_checksum_is_that_of_git_archive(tmp_path: Path) -> None:
    tree: Tree = {"a/x": File(b"1", executable=True), "a-b": File(b"2"), "a.c": File(b"3"), "l": Link("a/x")}
    write_tree(tmp_path / "t", tree)
    git = ["git", "-C", str(tmp_path / "t"), "-c", "user.name=n", "-c", "user.email=e@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "m"]):
        subprocess.run([*git, *arguments], check=True)
    archive = subprocess.run([*git, "archive", "HEAD"], check=True, capture_output=True).stdout
    from longshore_bundles import PayloadFormat, scan

    result = scan(io.BytesIO(archive), PayloadFormat.TAR, scratch=tmp_path / "missing")
    assert result.content_sha256 == directory_checksum(tmp_path / "t")
    assert make_tar(tree) != archive
