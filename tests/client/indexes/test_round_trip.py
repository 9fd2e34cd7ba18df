"""What is put into an index is what is found, fetched and deployed, wherever index and archive lie."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_bundles import FindingLog
from longshore_bundles.registry import (
    ARCHIVE,
    Index,
    InstallSource,
    index_text,
    merge_indexes,
    moved_index,
    read_index,
    search_index,
    update_index,
)
from longshore_client import SyncClient
from longshore_client.contents import content_of
from longshore_client.index_entries import entry_at
from longshore_client.sources import FetchOptions, IndexSource, fetch
from tests.client.command_line import Run
from tests.client.sources.archives import packed
from tests.services.processes import ServerProcess

from .conftest import MakeRegistry

TIME = "2026-11-21T00:00:00Z"

_files = st.dictionaries(st.sampled_from(["a", "data/b.txt", "data/é", "z/-1"]), st.binary(max_size=40))
_folder = st.lists(st.sampled_from(["a", "b", "-x", "y:"]), max_size=3).map("/".join)


def pack_files(ref: str, more: dict[str, bytes]) -> dict[str, bytes]:
    manifest = f"ref: {ref}\nlabel: {ref}\ndescription: Tools\nversion: 1.0.0\n"
    return {"pack.yaml": manifest.encode(), **more}


@settings(deadline=None, max_examples=20)
@given(files=_files, home=_folder, below=_folder, up=st.integers(0, 3))
def test_a_pack_has_one_checksum_from_its_entry_to_whoever_fetches_it(
    files: dict[str, bytes], home: str, below: str, up: int
) -> None:
    """Its index lies in ``home``, its archive ``below`` that, and it is merged into a folder ``up`` above."""
    with tempfile.TemporaryDirectory() as temporary:
        top = Path(temporary).resolve()
        source = top / "source"
        source.mkdir()
        body, _ = packed(source, pack_files("netops", files))
        folder = top / home
        (folder / below).mkdir(parents=True, exist_ok=True)
        (folder / below / "netops.tar.gz").write_bytes(body)
        named = InstallSource(ARCHIVE, f"./{below}/netops.tar.gz" if below else "netops.tar.gz")
        entry = entry_at(source / "tree", [named], published_at=TIME)
        assert entry == entry_at(folder / below / "netops.tar.gz", [named], published_at=TIME)

        log = FindingLog()
        index = update_index(Index("own", TIME), entry, log, last_updated=TIME)
        assert index is not None
        above = folder.parents[up - 1] if 0 < up <= len(folder.relative_to(top).parts) else folder
        moved = moved_index(index, str(folder), str(above))
        merged = merge_indexes([("empty", Index("all", TIME)), ("own", moved)], log, last_updated=TIME)
        assert merged is not None
        written = above / "index.json"
        written.write_text(index_text(merged))
        again = read_index(written.read_bytes(), "index.json", log)
        assert again == merged, log.findings()

        (found,) = search_index(again, ["NETOPS"])
        assert found.latest.checksum == entry.highest.checksum
        options = FetchOptions(indexes=(str(written),), cache_folder=None)
        fetched = fetch(IndexSource("netops"), top, options)
        assert f"sha256:{content_of(fetched.path).content_sha256}" == entry.highest.checksum
        assert (fetched.provenance.verified, fetched.version) == (True, "1.0.0")


def test_a_pack_of_a_merged_index_is_deployed_as_what_it_was_indexed_as(
    run: Run, server: ServerProcess, make_registry: MakeRegistry, tmp_path: Path, project: str
) -> None:
    index = make_registry("one", project)
    out = tmp_path / "all.json"
    assert run("index", "merge", out, make_registry("two", "dns"), index).code == 0
    (shown,) = run("show", project, "--index", out, "-o", "json").objects
    deployed = run("deploy", project, "--index", out)
    assert deployed.code == 0, deployed.err
    with SyncClient(server.address) as client:
        release = client.release(project, "1.4.0")
    assert f"sha256:{release.content_sha256}" == shown["checksum"]
    assert release.source is not None
    assert release.source.verified
