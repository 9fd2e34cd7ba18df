"""From the settings of the blob store to the store that a node uses."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from longshore_server.settings import load_settings
from longshore_server.stores import open_blobs
from tests.storage.blobs.stub_store import Answer, StubStore, s3_error, stub_store


async def read_with(config: Path | None = None) -> bytes:
    async with AsyncExitStack() as stack:
        blobs = await open_blobs(load_settings(config, {}), stack)
        return await blobs.get("packs/one")


@pytest.mark.parametrize("source", ["file", "variable"])
async def test_replicas_are_read_in_their_order(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = s3_error(404, "NoSuchKey")
    with (
        stub_store(Answer(200, b"main")) as main,
        stub_store(missing) as first,
        stub_store(Answer(200, b"second")) as second,
    ):

        def url(*stubs: StubStore) -> str:
            return f"s3+http://AK:SK@{','.join(stub.endpoint for stub in stubs)}/bucket"

        config = None
        if source == "file":
            config = tmp_path / "longshore.yaml"
            config.write_text(
                f"blobs:\n  url: {url(main)}\n  read_urls:\n    - {url(first, first)}\n    - {url(second)}\n"
            )
        else:
            monkeypatch.setenv("LONGSHORE_BLOBS__URL", url(main))
            monkeypatch.setenv("LONGSHORE_BLOBS__READ_URLS", f"{url(first, first)}, {url(second)}")
        assert await read_with(config) == b"second"
        assert (len(first.requests), len(main.requests)) == (1, 0)


async def test_an_empty_variable_names_no_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    with stub_store(Answer(200, b"main")) as main:
        monkeypatch.setenv("LONGSHORE_BLOBS__URL", f"s3+http://AK:SK@{main.endpoint}/bucket")
        monkeypatch.setenv("LONGSHORE_BLOBS__READ_URLS", "")
        assert await read_with() == b"main"
