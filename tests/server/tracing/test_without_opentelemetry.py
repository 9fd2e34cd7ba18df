"""Who traces nothing needs nothing of OpenTelemetry; a node that is to trace says what it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
# As where the extra is not installed.
_WITHOUT = "import sys; sys.modules['opentelemetry'] = None; "
_DEPLOYS = """
import asyncio, pathlib
from longshore_client import Client
from longshore_server.node import running_node
from longshore_server.settings import load_settings

async def main():
    folder = pathlib.Path(sys.argv[1])
    async with running_node(load_settings(None, {"data_dir": folder, "listen": "127.0.0.1:0"})) as node:
        async with Client(node.address) as client:
            deployment = await client.deploy(sys.argv[2], project="x")
            print((await client.wait(deployment.deployment_id)).status)

asyncio.run(main())
"""
_PROGRAM = "from longshore_client.cli import main; main()"


def _python(code: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _WITHOUT + code, *arguments],
        env={**os.environ, **variables},
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_nothing_of_it_is_loaded_when_off(tmp_path: Path) -> None:
    (tmp_path / "payload").write_text("content")
    ran = _python(_DEPLOYS, str(tmp_path / "node"), str(tmp_path / "payload"))
    assert ran.returncode == 0, ran.stderr
    assert "succeeded" in ran.stdout.splitlines()


@pytest.mark.parametrize("command", [("serve",), ("admin", "config", "check")], ids=["serve", "check"])
def test_what_is_missing_is_told_at_the_start(tmp_path: Path, command: tuple[str, ...]) -> None:
    ran = _python(
        _PROGRAM,
        *command,
        "--data-dir",
        str(tmp_path / "node"),
        LONGSHORE_TRACING__ENDPOINT="http://127.0.0.1:4317",
    )
    assert ran.returncode == 1
    assert [line for line in ran.stderr.splitlines() if line.startswith("error:")] == [
        "error: `tracing.endpoint` is set, and OpenTelemetry is not installed: "
        "pip install 'longshore[server,tracing]', or leave it empty"
    ]


def test_the_command_line_goes_on_without_it(tmp_path: Path) -> None:
    ran = _python(
        _PROGRAM,
        *("list", "--server", "127.0.0.1:1"),
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1",
        XDG_CONFIG_HOME=str(tmp_path),
    )
    assert "127.0.0.1:1" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.returncode != 0
