"""The command line on a real terminal: bars that move and fit, nothing a payload can do to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from longshore_client.cli.wording import cell_width
from tests.services.processes import ServerProcess

from .terminal import lines_of, on_terminal


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_deploy_shows_its_progress_and_fits(
    server: ServerProcess, project: str, tmp_path: Path, columns: int
) -> None:
    payload = tmp_path / "payload.bin"
    payload.write_bytes(os.urandom(30 << 20))
    code, written = on_terminal(columns, ["--server", server.address, "deploy", str(payload), "-p", project])
    assert code == 0
    assert "━" in written
    assert "of 31.5 MB" in written
    assert f"{project} 1.0.0 is live in default on 1 node" in written
    bars = [line for line in lines_of(written) if "━" in line]
    assert bars
    assert all(cell_width(line.rstrip()) <= columns for line in bars)


def test_names_in_a_payload_do_nothing_to_the_terminal(
    server: ServerProcess, project: str, tmp_path: Path
) -> None:
    (tmp_path / "package.json").write_text('{"name": "\\u001b]0;owned\\u0007\\u001b[2J", "version": "1.0.0"}')
    code, written = on_terminal(80, ["--server", server.address, "deploy", str(tmp_path), "-p", project])
    assert code in (0, 4)
    assert "\x1b]0" not in written
    assert "\x1b[2J" not in written
    code, written = on_terminal(80, ["--server", server.address, "deploy", str(tmp_path)])
    assert code == 2
    assert "\x07" not in written
    assert "\x1b[2J" not in written
