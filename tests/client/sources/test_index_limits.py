"""Indexes that hold too much of anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from longshore_bundles.registry import MAX_INDEX_BYTES
from longshore_client.sources import (
    Deadline,
    FetchOptions,
    SourceDamaged,
    SourceError,
    SourceTooLarge,
    documents,
    index_limits,
    open_index,
)

from .indexes import archive_at, index_of, written
from .web_server import WebServer

CHECKSUM = f"sha256:{'0' * 64}"

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def index() -> dict[str, Any]:
    return index_of({"1.0.0": (CHECKSUM, [archive_at("n.tar.gz")])})


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MOST_PACKS", "MOST_RELEASES", "MOST_PLACES", "MOST_ITEMS"):
        assert getattr(index_limits, name) >= 20
        monkeypatch.setattr(index_limits, name, 3)


def _of(count: int) -> range:
    return range(count)


def _releases(count: int) -> list[dict[str, str]]:
    return [{"version": f"1.0.{number}", "checksum": CHECKSUM} for number in range(count)]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            lambda index: index["packs"].extend({**index["packs"][0], "ref": f"p{n}"} for n in _of(3)),
            "4 packs, more than 3",
        ),
        (lambda index: index["packs"][0].update(releases=_releases(4)), "netops has 4 versions, more than 3"),
        (
            lambda index: index["packs"][0].update(install_sources=[archive_at(f"{n}") for n in _of(4)]),
            "5 sources of 1.0.0, more than 3",
        ),
        (lambda index: index["packs"][0].update(keywords=["k"] * 4), "4 keywords, more than 3"),
        (lambda index: index["packs"][0].update(dependencies=["a", "b", "c", "d"]), "4 dependencies"),
        (lambda index: index["packs"][0].update(runtime_deps={f"r{n}": "*" for n in _of(4)}), "4 runtimes"),
        (
            lambda index: index["packs"][0].update(contents={"actions": [{"name": "a"}] * 4}),
            "4 actions, more than 3",
        ),
        (lambda index: index["packs"][0].update(description="d" * 10_001), "10001 characters"),
        (lambda index: index["packs"][0].update(unknown={"deep": ["e" * 10_001]}), "10001 characters"),
        (lambda index: index["packs"][0].update({"k" * 10_001: 1}), "10001 characters"),
        (lambda index: index["packs"][0].update(install_sources=[archive_at("u" * 10_001)]), "10001"),
        (lambda index: index.update(registry_name="r" * 10_001), "10001 characters"),
    ],
)
def test_too_much_of_anything(
    index: dict[str, Any], plain: FetchOptions, tmp_path: Path, change: Change, match: str
) -> None:
    location = written(tmp_path / "index.json", index)
    assert open_index(location, plain, Deadline(20)).index.pack("netops")
    change(index)
    with pytest.raises(SourceTooLarge, match=match) as raised:
        open_index(written(tmp_path / "index.json", index), plain, Deadline(20))
    assert len(raised.value.message) < 500


def test_an_index_that_is_too_large(plain: FetchOptions, tmp_path: Path, server: WebServer) -> None:
    body = b"[" + b" " * (50 << 20)
    path = tmp_path / "index.json"
    path.write_bytes(body)
    for location in (str(path), server.serve("/index.json", body)):
        with pytest.raises(SourceTooLarge, match=f"larger than {MAX_INDEX_BYTES} bytes"):
            open_index(location, plain, Deadline(20))


def test_an_index_of_too_many_values(
    index: dict[str, Any], plain: FetchOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted before any is made: each takes far more memory than it has bytes."""
    monkeypatch.setattr(documents, "MOST_VALUES", 1_000)
    index["packs"][0]["unknown"] = [[]] * 1_000
    with pytest.raises(SourceTooLarge, match="more than 1000 values"):
        open_index(written(tmp_path / "index.json", index), plain, Deadline(20))


@pytest.mark.parametrize("depth", [60, 100_000])
def test_an_index_that_is_too_deep(plain: FetchOptions, tmp_path: Path, depth: int) -> None:
    path = tmp_path / "index.json"
    path.write_text(
        json.dumps(index_of({"1.0.0": (CHECKSUM, [])}))[:-1] + f', "x": {"[" * depth}{"]" * depth}}}'
    )
    with pytest.raises(SourceError, match="nested more than") as raised:
        open_index(str(path), plain, Deadline(20))
    assert isinstance(raised.value, SourceDamaged)
