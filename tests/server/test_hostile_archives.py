"""Archives that are damaged or mean harm are refused whole; good ones are one release in every format."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable

import grpc
import pytest

from longshore.v1 import catalog_service_pb2 as catalog
from longshore.v1 import deployment_pb2 as d
from longshore_bundles import PayloadFormat
from longshore_bundles.tar_header import END_OF_ARCHIVE, file_header, link_header, padding
from tests.bundles.trees import TAR_FORMATS, File, Link, Tree, compressed, make_tar, make_zip

from .calls import deploy, deploy_to_end, get, new_id, refused
from .contents import canonical_tar, installed, small_tree, text_bytes
from .running import RunningNode, StartNode, counts, embedded

S = grpc.StatusCode
NOTHING = {"release": 0, "upload": 0, "upload_segment": 0, "pin": 0}


def tar_of(*entries: bytes) -> bytes:
    return b"".join([file("fine", b"x"), *entries, END_OF_ARCHIVE])


def file(name: str, content: bytes = b"") -> bytes:
    return file_header(name, len(content), executable=False) + content + padding(len(content))


def special(entry_type: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("device")
        info.type, info.devmajor, info.devminor = entry_type, 1, 3
        tar.addfile(info)
    return out.getvalue()


def zeros_gz() -> bytes:
    """130 MiB of zeros in some hundred KiB."""
    size = 130 << 20
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6) as packed:
        packed.write(file_header("zeros", size, executable=False))
        for _ in range(130):
            packed.write(bytes(1 << 20))
        packed.write(END_OF_ARCHIVE)
    return out.getvalue()


def zeros_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("zeros", "w") as entry:
        for _ in range(130):
            entry.write(bytes(1 << 20))
    return out.getvalue()


def lying_zip(*, declared: int) -> bytes:
    """A zip whose entry unpacks to 100,000 bytes and declares another size everywhere."""
    data = make_zip({"a": File(text_bytes(100_000))})
    true = struct.pack("<I", 100_000)
    assert data.count(true) == 2
    return data.replace(true, struct.pack("<I", declared))


def truncated_gz() -> bytes:
    data = compressed(make_tar({"a": File(text_bytes(200_000))}), PayloadFormat.TAR_GZ)
    return data[: len(data) // 2]


HOSTILE: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "traversal": (lambda: tar_of(file("../../etc/cron.d/evil", b"x")), {"PATH_ESCAPES"}),
    "traversal in a zip": (
        lambda: make_zip({"a": File(), "../evil": File(b"x")}),
        {"PATH_ESCAPES"},
    ),
    "absolute path": (lambda: tar_of(file("/etc/passwd", b"x")), {"PATH_ABSOLUTE"}),
    "link out": (lambda: tar_of(link_header("l", "../../etc/passwd")), {"LINK_ESCAPES"}),
    "absolute link": (lambda: tar_of(link_header("l", "/etc/passwd")), {"LINK_ESCAPES"}),
    "through a link": (
        lambda: tar_of(link_header("l", "d"), file("l/a", b"x")),
        {"PATH_CONFLICT"},
    ),
    "character device": (lambda: special(tarfile.CHRTYPE), {"SPECIAL_FILE"}),
    "block device": (lambda: special(tarfile.BLKTYPE), {"SPECIAL_FILE"}),
    "fifo": (lambda: special(tarfile.FIFOTYPE), {"SPECIAL_FILE"}),
    "duplicate": (lambda: tar_of(file("fine", b"y")), {"PATH_DUPLICATE"}),
    "case collision": (lambda: tar_of(file("FINE", b"y")), {"CASE_COLLISION"}),
    "several": (
        lambda: tar_of(file("../a"), special(tarfile.CHRTYPE)[:512], file("fine"), link_header("l", "/x")),
        {"PATH_ESCAPES", "SPECIAL_FILE", "PATH_DUPLICATE", "LINK_ESCAPES"},
    ),
    "bomb": (zeros_gz, {"RATIO_TOO_HIGH"}),
    "bomb in a zip": (zeros_zip, {"RATIO_TOO_HIGH"}),
    "cut short": (lambda: tar_of(file("a", b"x" * 5000))[:3000], {"ARCHIVE_TRUNCATED"}),
    "cut short gz": (truncated_gz, {"ARCHIVE_TRUNCATED"}),
    "zip that declares less": (lambda: lying_zip(declared=10), {"ARCHIVE_CORRUPT"}),
    "zip that declares more": (lambda: lying_zip(declared=1 << 30), {"ARCHIVE_CORRUPT"}),
    "empty tar": (lambda: END_OF_ARCHIVE, {"ARCHIVE_EMPTY"}),
    "manifest that is no JSON": (
        lambda: canonical_tar({"package.json": File(b"{")}),
        {"MANIFEST_INVALID"},
    ),
}
DECLARED_FORMATS = {"empty tar": d.PAYLOAD_FORMAT_TAR}
# The archive is one, and what is in it is wrong.
REASONS = {"manifest that is no JSON": "VALIDATION_FAILED"}


@pytest.mark.parametrize("name", HOSTILE)
@embedded
async def test_what_is_refused(node: RunningNode, name: str) -> None:
    make, codes = HOSTILE[name]
    data = make()
    reason = REASONS.get(name, "ARCHIVE_INVALID")
    values = {"payload_format": DECLARED_FORMATS.get(name, d.PAYLOAD_FORMAT_UNSPECIFIED)}
    before = {path: path.stat().st_mtime_ns for path in node.data_dir.parent.iterdir()}
    deployment_id = new_id()
    with refused(S.INVALID_ARGUMENT, reason) as told:
        await deploy(node, data, deployment_id, **values)
    assert told.violations
    failed = await get(node, deployment_id)
    assert failed.status == d.DEPLOYMENT_STATUS_FAILED
    assert {finding.code for finding in failed.error.findings} == codes
    assert failed.error.total_findings == len(failed.error.findings) == int(told.metadata["total_findings"])
    assert (failed.version, failed.error.message) == ("", told.message)
    left = await counts(node.catalogue)
    assert {table: left[table] for table in NOTHING} == NOTHING
    assert node.staged == []
    assert not (node.data_dir / "live" / "netops").exists()
    assert not list((node.data_dir / "installed").iterdir())
    assert {path: path.stat().st_mtime_ns for path in node.data_dir.parent.iterdir()} == before
    with refused(S.INVALID_ARGUMENT, reason) as again:
        await deploy(node, data, deployment_id, **values)
    assert again.message == told.message
    assert again.violations == told.violations


@embedded
async def test_ten_thousand_findings_fit_into_an_error(node: RunningNode) -> None:
    data = tar_of(*(file(f"../{i}/" + "名" * 80) for i in range(10_000)))
    deployment_id = new_id()
    for _ in range(2):
        with refused(S.INVALID_ARGUMENT, "ARCHIVE_INVALID") as told:
            await deploy(node, data, deployment_id)
        assert told.details_size_bytes <= 4096
        assert told.metadata["total_findings"] == "10000"
        assert "9999 more" in told.message
        assert 1 < len(told.violations) <= 20
    error = (await get(node, deployment_id)).error
    assert (len(error.findings), error.total_findings) == (20, 10_000)


@embedded
async def test_limits_of_the_settings(start_node: StartNode) -> None:
    async with start_node(uploads={"max_archive_entries": 10, "max_unpacked_bytes": 20_000}) as node:
        too_much: list[tuple[Tree, str]] = [
            ({f"f{i}": File() for i in range(11)}, "TOO_MANY_ENTRIES"),
            ({"a": File(b"x" * 15_000), "b": File(b"x" * 15_000)}, "TOTAL_TOO_LARGE"),
        ]
        for tree, code in too_much:
            deployment_id = new_id()
            with refused(S.INVALID_ARGUMENT, "ARCHIVE_INVALID"):
                await deploy(node, canonical_tar(tree), deployment_id)
            (finding,) = (await get(node, deployment_id)).error.findings
            assert finding.code == code
        await deploy_to_end(node, canonical_tar({f"f{i}": File(b"x" * 100) for i in range(10)}))


UNUSUAL: Tree = {
    **small_tree(),
    "名前/日本語.txt": File("内容".encode()),
    "é/e\u0302": File(b"combining"),
    "with space/ leading": File(b"x"),
    "n" * 200: File(b"long"),
    "current": Link("bin/run"),
    "a-b/x": File(b"x"),
    "a.b": File(b"x"),
}


@embedded
async def test_one_tree_is_one_content_in_every_format(node: RunningNode) -> None:
    """Deployed as one version again and again: whatever the archive, it is the same release."""
    payloads = [
        canonical_tar(UNUSUAL),
        *(compressed(make_tar(UNUSUAL), payload_format) for payload_format in TAR_FORMATS),
        make_zip(UNUSUAL),
        make_tar(UNUSUAL, order=sorted(UNUSUAL, reverse=True)),
        make_zip(UNUSUAL, order=sorted(UNUSUAL, reverse=True)),
    ]
    contents = set()
    for payload in payloads:
        made = await deploy_to_end(node, payload, version="1.0.0")
        contents.add(made.content_sha256)
        assert installed(node.live("netops")) == UNUSUAL
    assert len(contents) == 1
    assert (await counts(node.catalogue))["release"] == 1
    # A project of its own each: unpacked from that very format.
    for number, payload in enumerate(payloads):
        made = await deploy_to_end(node, payload, project=f"p{number}")
        assert made.content_sha256 in contents
        assert installed(node.live(f"p{number}")) == UNUSUAL
    assert node.staged == []


@embedded
async def test_a_sole_top_directory_with_a_manifest_is_stripped(node: RunningNode) -> None:
    tree: Tree = {**small_tree(), "package.json": File(b'{"name": "netops", "version": "4.0.0"}')}
    plain = await deploy_to_end(node, canonical_tar(tree))
    topped = await deploy_to_end(node, compressed(make_tar(tree, prefix="netops-4.0.0/"), TAR_FORMATS[1]))
    assert (plain.version, topped.version) == ("4.0.0", "4.0.0")
    assert plain.content_sha256 == topped.content_sha256
    assert installed(node.live("netops")) == tree


@embedded
async def test_a_hundred_thousand_entries(node: RunningNode) -> None:
    entries = (file(f"d{i // 1000:03d}/f{i:06d}", b"x" if i % 1000 == 0 else b"") for i in range(100_000))
    data = b"".join([*entries, END_OF_ARCHIVE])
    made = await deploy_to_end(node, data)
    release = await node.catalog.GetRelease(catalog.GetReleaseRequest(project="netops", version="1.0.0"))
    assert (release.release.entries, release.release.unpacked_size_bytes) == (100_000, 100)
    assert made.content_sha256 == made.payload_sha256
    live = node.live("netops")
    assert sum(1 for _ in live.iterdir()) == 100
    assert (live / "d099" / "f099000").read_bytes() == b"x"
    assert node.staged == []
