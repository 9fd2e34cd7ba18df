"""An export of the audit trail into a folder where others may write: into no trap of theirs."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from longshore_server.commands.audit import _written_whole


def test_a_link_in_its_place_is_not_followed_and_stays(tmp_path: Path) -> None:
    other, trap = tmp_path / "other", tmp_path / "november.jsonl.unfinished"
    other.write_text("as it was")
    trap.symlink_to(other)
    with pytest.raises(click.ClickException), _written_whole(tmp_path / "november.jsonl"):
        pass
    assert other.read_text() == "as it was"
    assert trap.is_symlink()
    assert not (tmp_path / "november.jsonl").exists()


@pytest.mark.parametrize("kind", ["file", "link", "pipe"])
def test_what_has_the_name_already_stays(tmp_path: Path, kind: str) -> None:
    there, other = tmp_path / "november.jsonl", tmp_path / "other"
    other.write_text("as it was")
    if kind == "file":
        there.write_text("as it was")
    elif kind == "link":
        there.symlink_to(other)
    else:
        os.mkfifo(there)
    with pytest.raises(click.ClickException, match="is there already"), _written_whole(there):
        pytest.fail("it was begun")
    assert (there.is_symlink(), there.is_fifo()) == (kind == "link", kind == "pipe")
    assert kind == "pipe" or there.read_text() == "as it was"
    assert {path.name for path in tmp_path.iterdir()} == {"november.jsonl", "other"}


def test_what_an_export_that_was_killed_has_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "november.jsonl.unfinished").write_text("a longer line that was left")
    with _written_whole(tmp_path / "november.jsonl") as file:
        file.write(b"{}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["november.jsonl"]
    assert (tmp_path / "november.jsonl").read_text() == "{}\n"
