"""Standard streams that are closed or full: the exit code is the command's, and lost output is told."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from .terminal import PROGRAM


def ran(command: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell, in which ``longshore`` is the program."""
    env = {**os.environ, "LONGSHORE_SERVER": "127.0.0.1:1", "NO_COLOR": "1"}
    line = f'longshore() {{ "{PROGRAM}" "$@"; }}; {command}'
    return subprocess.run(["sh", "-c", line], env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("longshore schema json >/dev/null 2>&-", 0),
        ("longshore context list >&-", 0),
        ("longshore context list 2>/dev/full", 0),
        ("longshore context list >/dev/full 2>/dev/full", 0),
        ("longshore context use nowhere 2>/dev/full", 2),
        ("longshore undeploy web <&-", 2),
        ("longshore get ffffffff >&- 2>&-", 6),
        ("longshore get ffffffff >/dev/full 2>/dev/full", 6),
        ("longshore watch ffffffff --plain 2>/dev/full", 6),
        ("longshore deploy /etc/passwd -p web --detach 2>/dev/full", 6),
    ],
)
def test_what_nobody_can_read_changes_no_exit_code(command: str, code: int) -> None:
    ended = ran(command)
    assert ended.returncode == code, ended.stderr
    assert "fault" not in ended.stderr


@pytest.mark.parametrize("command", ["schema json", "--help", "context show -o json", "completion bash"])
def test_output_that_a_disk_has_no_room_for(command: str) -> None:
    ended = ran(f"longshore {command} >/dev/full")
    assert ended.returncode == 141
    assert ended.stderr.startswith("error: standard output cannot be written: No space left on device\n")
    assert "fault" not in ended.stderr
    assert ran(f"longshore {command} >/dev/full 2>/dev/full").returncode == 141


def test_output_that_is_closed() -> None:
    ended = ran("longshore schema json >&-")
    assert (ended.returncode, ended.stderr) == (
        141,
        "error: standard output cannot be written: Bad file descriptor\n",
    )
    assert ran("longshore schema json <&- >&- 2>&-").returncode == 141
    assert ran("longshore --help >&-").returncode == 141


def test_a_closed_stream_lends_its_number_to_nothing() -> None:
    """What is opened next would get it, a connection to a server say."""
    code = (
        "import os\n"
        "from longshore_client.cli import streams\n"
        "streams.take_over()\n"
        "opened = os.open('/', os.O_RDONLY)\n"
        "os._exit(0 if opened > 2 else 1)\n"
    )
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        line = f'"$0" -c "$1" {closed}'
        assert subprocess.run(["sh", "-c", line, sys.executable, code], check=False).returncode == 0
