"""Downloads: the release's bytes, whole or not at all, where they were asked to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore_bundles import CanonicalTar
from longshore_client import Client, Deployment, DownloadProgress, errors
from tests.services.processes import serve


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
async def recorded(client: Client, project: str, tree: Path) -> Deployment:
    return await client.deploy(tree, project=project)


async def test_a_directory_gives_its_canonical_tar_back(
    client: Client, recorded: Deployment, tree: Path, tmp_path: Path
) -> None:
    seen: list[DownloadProgress] = []
    folder = tmp_path / "downloads"
    folder.mkdir()
    download = await client.download(recorded.project, recorded.version, folder, on_progress=seen.append)
    whole = b"".join(CanonicalTar(tree))
    assert download.path.parent == folder
    assert download.path.read_bytes() == whole
    assert _names(folder) == {download.path.name}
    assert (seen[-1].done_bytes, seen[-1].total_bytes) == (len(whole), len(whole))
    pieces = [piece async for piece in client.read_payload(recorded.project, recorded.version)]
    assert b"".join(pieces) == whole


async def test_a_large_file_is_brought_to_the_disk_piece_by_piece(
    client: Client, recorded: Deployment, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longshore_client.downloading._WRITTEN_BACK_AT_ONCE_BYTES", 1)
    download = await client.download(recorded.project, recorded.version, tmp_path / "download")
    assert download.path.read_bytes() == b"".join(CanonicalTar(tree))


async def test_a_file_that_exists_is_replaced_only_when_told(
    client: Client, recorded: Deployment, tmp_path: Path
) -> None:
    path = tmp_path / "kept"
    path.write_text("mine")
    with pytest.raises(errors.DestinationUnusable, match="exists"):
        await client.download(recorded.project, recorded.version, path)
    assert path.read_text() == "mine"
    download = await client.download(recorded.project, recorded.version, path, overwrite=True)
    assert path.stat().st_size == download.size_bytes
    assert _names(tmp_path) == {"kept", "tree"}


async def test_a_destination_that_cannot_be_written(
    client: Client, recorded: Deployment, tmp_path: Path
) -> None:
    with pytest.raises(errors.DestinationUnusable, match="cannot write"):
        await client.download(recorded.project, recorded.version, tmp_path / "no" / "folder")


async def test_what_is_not_there_leaves_nothing(client: Client, project: str, tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound):
        await client.download(project, "1.0.0", tmp_path / "x")
    assert not _names(tmp_path)


async def test_a_damaged_payload_never_gets_its_name(tree: Path, tmp_path: Path) -> None:
    async with serve(data_dir=tmp_path / "node") as server, Client(server.address) as client:
        recorded = await client.deploy(tree, project="web")
        await client.wait(recorded.deployment_id)
        for pack in (tmp_path / "node" / "blobs" / "packs").rglob("*"):
            if pack.is_file():
                pack.chmod(0o644)
                with pack.open("r+b") as file:
                    file.write(b"\xff" * 1000)
        folder = tmp_path / "downloads"
        folder.mkdir()
        with pytest.raises(errors.StoredDataCorrupt):
            await client.download("web", recorded.version, folder)
        assert not _names(folder)
