"""An export of the audit trail into a folder where others may write: into no trap of theirs."""

from __future__ import annotations

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


def test_what_an_export_that_was_killed_has_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "november.jsonl.unfinished").write_text("a longer line that was left")
    with _written_whole(tmp_path / "november.jsonl") as file:
        file.write(b"{}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["november.jsonl"]
    assert (tmp_path / "november.jsonl").read_text() == "{}\n"
