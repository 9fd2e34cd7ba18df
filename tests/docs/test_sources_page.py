"""The page about sources: its programs run as they are printed, and every exported name is told."""

from __future__ import annotations

import re
import sys
import tarfile
from pathlib import Path

import pytest

from longshore_bundles import FindingLog
from longshore_bundles.registry import ARCHIVE, Index, InstallSource, update_index
from longshore_client import Client, sources
from longshore_client.index_entries import entry_at
from longshore_client.index_files import write_index_file
from tests.client.conftest import project as project
from tests.client.conftest import server as server
from tests.services.processes import ServerProcess

from .pages import page
from .programs import told

PAGE = page("docs/sources.md")
TIME = "2026-11-21T00:00:00Z"
PROGRAMS = {
    block.text.partition("\n")[0].removeprefix("# "): block.text
    for block in PAGE.blocks
    if block.language == "python"
}


@pytest.fixture
def index(tmp_path: Path, project: str) -> Path:
    """A registry of two packs, one of which needs the other."""
    log, made = FindingLog(), Index("ops", TIME)
    for ref, needs in ((f"{project}core", ""), (project, f"dependencies: [{project}core]\n")):
        root = tmp_path / ref
        root.mkdir()
        manifest = f"ref: {ref}\nlabel: {ref}\ndescription: Tools\nversion: 1.4.0\n{needs}"
        (root / "pack.yaml").write_text(manifest)
        with tarfile.open(tmp_path / f"{ref}.tar.gz", "w:gz") as tar:
            tar.add(root, ref)
        entry = entry_at(root, [InstallSource(ARCHIVE, f"{ref}.tar.gz")])
        updated = update_index(made, entry, log, last_updated=TIME)
        assert updated is not None
        made = updated
    write_index_file(tmp_path / "index.json", lambda _: made)
    return tmp_path / "index.json"


@pytest.mark.parametrize("name", PROGRAMS)
async def test_a_program_runs(
    server: ServerProcess, index: Path, project: str, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text(PROGRAMS[name])
    status, printed = await told(
        [sys.executable, name], server.address, f"{project}@^1", str(index), folder=tmp_path
    )
    assert (status, printed.splitlines()[-1]) == (0, f"{project} 1.4.0 is live"), printed
    async with Client(server.address) as client:
        releases = [await client.release(each, "1.4.0") for each in (project, f"{project}core")]
    for release in releases:
        assert release.source is not None
        assert release.source.verified
        assert release.source.ref == f"{release.project}@1.4.0"


async def test_what_goes_wrong_is_told(server: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAMS["deploy_source_sync.py"])
    status, printed = await told(
        [sys.executable, "program.py"], server.address, "no_such_thing", folder=tmp_path
    )
    assert (status, "no_such_thing" in printed, "Traceback" in printed) == (1, True, False)


def test_every_name_is_told() -> None:
    code = set(re.findall(r"\w+", " ".join(PAGE.inline_code)))
    assert set(sources.__all__) <= code


async def test_what_is_no_pack_needs_nothing(server: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    async with Client(server.address) as client:
        assert await client.plan_dependencies(tmp_path / "file", tmp_path) == ()
