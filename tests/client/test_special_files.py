"""What is neither a file nor a directory is refused at once: nobody may ever write into a pipe."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore_client.errors import PayloadUnreadable
from longshore_client.file_opening import open_file

from .command_line import Run
from .packs import write_pack

TOLD = "is neither a file nor a directory: put what comes out of it into a file first"


@pytest.fixture(params=["pipe", "link", "socket", "device"])
def special(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "special"
    if request.param == "device":
        yield Path("/dev/zero")
        return
    if request.param == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
            yield path
        return
    os.mkfifo(path)
    link = tmp_path / "link"
    link.symlink_to(path)
    yield link if request.param == "link" else path


@pytest.mark.timeout(60)
def test_commands_do_not_wait_for_it(run_alone: Run, special: Path, project: str, tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "pack", project)
    index = tmp_path / "index.json"
    assert run_alone("index", "update", "--index", index, "--name", "ops", pack).code == 0
    for arguments in (
        ("validate", special),
        ("checksum", special),
        ("index", "entry", special),
        ("index", "update", "--index", index, special),
        ("index", "update", "--index", special, pack),
        ("index", "verify", index, special),
        ("index", "verify", special),
        ("index", "merge", tmp_path / "out.json", special),
        ("workflows", "validate", special),
    ):
        refused = run_alone(*arguments)
        assert (refused.code, refused.out, TOLD in refused.err) == (4, "", True), (arguments, refused.err)
    for lookup in (["show", project, "--index", special], ["search", "--index", special]):
        refused = run_alone(*lookup)
        assert (refused.code, refused.out) == (2, "")
        assert "is no file: put what comes out of it into one first" in refused.err
    deployed = run_alone("deploy", special, "--project", project)
    assert (deployed.code, "is neither a directory nor a file" in deployed.err) == (2, True)


def test_a_file_a_directory_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    with open_file(tmp_path / "link") as file:
        assert file.read() == b"content"
    with pytest.raises(IsADirectoryError):
        open_file(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_file(tmp_path / "nothing")
    with pytest.raises(PayloadUnreadable, match="neither a file nor a directory"):
        open_file(Path("/dev/null"))
