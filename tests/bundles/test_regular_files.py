"""Opening a file by its name where something else may stand."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from longshore_bundles.regular_files import NotRegular, open_regular


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    with open_regular(tmp_path / "a") as file:
        assert file.read() == b"content"
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "b")


@pytest.mark.parametrize("kind", ["directory", "pipe", "socket"])
def test_what_is_none(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    match kind:
        case "directory":
            Path("a").mkdir()
        case "pipe":
            os.mkfifo("a")
        case _:
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind("a")
    with pytest.raises(NotRegular, match="it is no file"):
        open_regular(Path("a"))


@pytest.mark.parametrize("target", ["file", "/dev/zero", "nowhere", "link"])
def test_links(tmp_path: Path, target: str) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(NotRegular, match="it is a link"):
        open_regular(tmp_path / "link")
