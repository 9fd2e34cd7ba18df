"""A fetch that is broken off in the middle leaves nothing behind, and runs nothing on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from longshore_client.sources import Checksum, FetchOptions, UrlSource, fetch
from longshore_client.sources.cache import Cache

from .web_server import WebServer

PROGRAM = """
import signal, sys
from pathlib import Path
from longshore_client.sources import FetchOptions, fetch, parse_source
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
fetch(parse_source(sys.argv[1]), Path(sys.argv[2]), FetchOptions(allow_http=True, timeout_s=60))
"""
GIT_TARGET = "/x/info/refs?service=git-upload-pack"


@pytest.mark.parametrize(
    ("kind", "sent", "code"), [("url", signal.SIGINT, -signal.SIGINT), ("git", signal.SIGTERM, 143)]
)
def test_by_a_signal(
    server: WebServer, into: Path, cache: Path, tmp_path: Path, kind: str, sent: signal.Signals, code: int
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(100_000)
    server.silent("/x.tar", head)
    server.silent(GIT_TARGET)
    source = {"url": f"{server.url('/x.tar')}#sha256={'0' * 64}", "git": f"git+{server.url('/x')}"}[kind]
    folder = tmp_path / "temporary"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, source, str(into)],
        env={**os.environ, "TMPDIR": str(folder)},
        stderr=subprocess.PIPE,
    )
    started = into / "x.tar" if kind == "url" else into / "x"
    while not (server.requests and started.exists()):
        assert process.poll() is None
        server.ended.wait(0.02)
    process.send_signal(sent)
    _, told = process.communicate(timeout=20)
    assert process.returncode == code, told
    assert not list(into.iterdir())
    assert not list(folder.iterdir())
    assert not [path for path in cache.rglob("*") if path.is_file()]
    # The system takes a moment to clear away what was killed.
    assert any(not _running_in(into) or server.ended.wait(0.02) for _ in range(500))


def _running_in(folder: Path) -> list[str]:
    """Programs that still run in a folder or below it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str((process / "cwd").readlink()).startswith(f"{folder}/"):
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found


def test_what_was_killed_while_it_was_kept_goes_in_a_day(
    server: WebServer, into: Path, plain: FetchOptions, cache: Path
) -> None:
    """Half a file never has a name by which it is taken."""
    body = b"bytes"
    checksum = Checksum.parse(f"sha256:{'0' * 64}")
    folder = cache / "sha256" / "00"
    folder.mkdir(parents=True)
    old, new = folder / ".old", folder / ".new"
    for path in (old, new):
        path.write_bytes(body)
    os.utime(old, (1, 1))
    kept = into / "kept"
    kept.write_bytes(body)
    Cache(cache, plain.cache_bytes).keep(checksum, kept)
    assert sorted(path.name for path in folder.iterdir()) == [".new", checksum.digits]


def test_while_it_is_kept(
    server: WebServer, into: Path, plain: FetchOptions, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_off(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("longshore_client.sources.cache.shutil.copyfileobj", broken_off)
    checksum = Checksum.parse("sha256:277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9")
    with pytest.raises(KeyboardInterrupt):
        fetch(UrlSource(server.serve("/x", b"bytes"), checksum), into, plain)
    assert not [path for path in cache.rglob("*") if path.is_file()]
