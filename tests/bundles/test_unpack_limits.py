"""Archives that unpack to too much, stopped by what was really read."""

from __future__ import annotations

import io
import lzma
import tempfile
import tracemalloc
from pathlib import Path

import pytest
import zstandard

from longshore_bundles import PayloadFormat, scan
from longshore_bundles.tar_header import END_OF_ARCHIVE
from tests.bundles.hostile import TAR, file, pax, refused, small, typed
from tests.bundles.trees import File, compressed, make_tar, make_zip


def test_limits() -> None:
    many = b"".join(file(f"f{i}") for i in range(11))
    assert refused(many, limits=small(max_entries=10)) == ["TOO_MANY_ENTRIES"]
    assert refused(file("a", b"x" * 101), limits=small(max_file_bytes=100)) == ["FILE_TOO_LARGE"]
    assert refused(file("a", b"x" * 5000) * 1, limits=small(max_total_bytes=4000)) == ["TOTAL_TOO_LARGE"]
    zipped = make_zip({f"f{i}": File(b"x" * 1000) for i in range(11)})
    assert refused(zipped, PayloadFormat.ZIP, small(max_entries=10)) == ["TOO_MANY_ENTRIES"]
    assert refused(zipped, PayloadFormat.ZIP, small(max_file_bytes=999)) == ["FILE_TOO_LARGE"]
    assert refused(zipped, PayloadFormat.ZIP, small(max_total_bytes=5000)) == ["TOTAL_TOO_LARGE"]
    assert scan(
        io.BytesIO(zipped), PayloadFormat.ZIP, small(max_entries=11), scratch=Path("/nowhere")
    ).accepted


def test_directories_that_no_entry_names_count() -> None:
    deep = "/".join("d" * 9)
    tar = b"".join(file(f"{i}/{deep}/f") for i in range(3))
    assert refused(tar, limits=small(max_entries=32)) == ["TOO_MANY_ENTRIES"]
    accepted = scan(io.BytesIO(tar + END_OF_ARCHIVE), TAR, small(max_entries=33), scratch=Path("/nowhere"))
    assert accepted.accepted


@pytest.mark.parametrize(
    "payload_format", [PayloadFormat.TAR_GZ, PayloadFormat.TAR_XZ, PayloadFormat.TAR_ZST]
)
def test_bombs_are_stopped_by_what_was_read(payload_format: PayloadFormat) -> None:
    zeros = bytes(64 << 20)
    bomb = compressed(make_tar({"a": File(zeros)}), payload_format)
    tracemalloc.start()
    assert refused(bomb, payload_format, small(max_ratio=100)) == ["RATIO_TOO_HIGH"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 << 20
    padded = compressed(make_tar({"a": File(b"1")}) + zeros, payload_format)
    assert refused(padded, payload_format, small(max_ratio=100)) == ["RATIO_TOO_HIGH"]
    headers = compressed(b"".join(pax(("comment", "x" * 900_000)) for _ in range(60)), payload_format)
    assert refused(headers, payload_format, small(max_ratio=100)) == ["RATIO_TOO_HIGH"]


def test_bombs_of_zips_and_hard_links() -> None:
    zeros = File(bytes(8 << 20))
    assert refused(make_zip({"a": zeros}), PayloadFormat.ZIP, small(max_ratio=100)) == ["RATIO_TOO_HIGH"]
    links = file("a", bytes(1 << 20)) + b"".join(typed(f"h{i}", b"1", target="a") for i in range(50))
    assert refused(links, limits=small(max_ratio=10)) == ["RATIO_TOO_HIGH"]
    assert refused(links, limits=small(max_total_bytes=10 << 20)) == ["TOTAL_TOO_LARGE"]


def test_headers_that_ask_for_memory() -> None:
    tracemalloc.start()
    assert refused(typed("x", b"x", size=8 * 2**30 - 1)) == ["HEADER_TOO_LARGE"]
    assert refused(typed("x", b"L", size=8 * 2**30 - 1)) == ["HEADER_TOO_LARGE"]
    chain = b"".join(pax(("path", f"p{i}")) for i in range(5000))
    with tempfile.TemporaryDirectory() as folder:
        assert (
            scan(io.BytesIO(chain + file("a") + END_OF_ARCHIVE), TAR, scratch=Path(folder)).entry_count == 1
        )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 << 20
    huge_dictionary = lzma.compress(
        b"x", filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    )
    assert refused(huge_dictionary, PayloadFormat.TAR_XZ) == ["ARCHIVE_CORRUPT"]
    parameters = zstandard.ZstdCompressionParameters(window_log=29)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    huge_window = compressor.compress(file("a")) + compressor.flush()
    assert refused(huge_window, PayloadFormat.TAR_ZST) == ["ARCHIVE_CORRUPT"]
