"""A command that is told to end: by Ctrl-C while it is loaded, by SIGTERM, or as its terminal goes away."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from .terminal import PROGRAM

# Interrupts itself as soon as the module is looked for.
_INTERRUPTED = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
sys.argv = ["longshore", "schema", "json"]
from longshore_client.cli import main
main()
"""


@pytest.mark.parametrize(
    "module", ["click", "longshore_client.cli.streams", "longshore_client.cli.commands.schema"]
)
def test_ctrl_c_while_it_is_loaded(module: str) -> None:
    code = _INTERRUPTED.format(module=module)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "\ninterrupted\n")


def _takes_hanging_up() -> None:
    """Whoever runs the tests may be run by `nohup`, which all below it would go on with."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@contextmanager
def _waiting(
    arguments: Sequence[str], folder: Path, *, ignored: Sequence[signal.Signals] = ()
) -> Iterator[subprocess.Popen[str]]:
    """The program with ``arguments``, {} in them a server that never answers, from when it waits for that."""

    def ignore() -> None:
        _takes_hanging_up()
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        running = subprocess.Popen(
            [PROGRAM, *(each.format(address) for each in arguments)],
            env={**os.environ, "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=ignore,
        )
        with running:
            connection, _ = silent.accept()
            with connection:
                yield running


_DEPLOY = ["--server", "{}", "deploy", "/etc/hostname", "-p", "web"]
_ENDS_WITHIN_S = 30


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_how_to_go_on_is_told(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with _waiting(_DEPLOY, tmp_path) as deploying:
        deploying.send_signal(number)
        _, told = deploying.communicate(timeout=_ENDS_WITHIN_S)
        assert deploying.returncode == code
    assert "interrupted: the upload is not complete; to go on with it run the same command again" in told


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_what_is_being_fetched_is_cleaned_up(tmp_path: Path, number: signal.Signals, code: int) -> None:
    source = ["deploy", "http://{}/web-1.0.0.tar", "-p", "web", "--allow-http", "--allow-private"]
    with _waiting(source, tmp_path) as fetching:
        assert list(tmp_path.glob("longshore-source-*"))
        fetching.send_signal(number)
        fetching.communicate(timeout=_ENDS_WITHIN_S)
        assert fetching.returncode == code
    assert not list(tmp_path.glob("longshore-source-*"))


def test_what_nohup_ignores_stays_ignored(tmp_path: Path) -> None:
    """A shell has its background jobs ignore Ctrl-C besides."""
    with _waiting(_DEPLOY, tmp_path, ignored=[signal.SIGHUP, signal.SIGINT]) as deploying:
        deploying.send_signal(signal.SIGHUP)
        deploying.send_signal(signal.SIGINT)
        deploying.send_signal(signal.SIGTERM)
        _, told = deploying.communicate(timeout=_ENDS_WITHIN_S)
        assert deploying.returncode == 143
    assert "to go on with it run the same command again" in told


def test_a_node_drains_when_its_terminal_goes_away(tmp_path: Path) -> None:
    serving = subprocess.Popen(
        [PROGRAM, "serve", "--data-dir", str(tmp_path), "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_takes_hanging_up,
    )
    with serving:
        assert serving.stdout is not None
        assert serving.stdout.readline().startswith("listening on ")
        serving.send_signal(signal.SIGHUP)
        _, told = serving.communicate(timeout=_ENDS_WITHIN_S)
        assert serving.returncode == 0
    assert "node.draining" in told
    assert "node.stopped" in told
