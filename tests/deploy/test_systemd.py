"""``deploy/systemd``: a unit that systemd takes, with settings that exist and files that fit each other."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.settings_held import settings_of
from tests.services.missing import do_without

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
UNIT = FOLDER / "longshore.service"


@pytest.fixture(scope="module")
def lines() -> list[tuple[str, str]]:
    text = UNIT.read_text()
    return [(name, value) for name, value in re.findall(r"(?m)^(\w+)=(.*)$", text)]


def every(lines: list[tuple[str, str]], name: str) -> list[str]:
    return [value for key, value in lines if key == name]


def test_its_settings_exist_and_fit(lines: list[tuple[str, str]], tmp_path: Path) -> None:
    variables = dict(value.split("=", 1) for value in every(lines, "Environment"))
    settings = settings_of((FOLDER / "longshore.yaml").read_text(), variables, tmp_path)
    assert settings.database_url.startswith("postgresql://longshore:secret@")
    assert settings.blobs.secret_key.get_secret_value() == "secret"
    assert settings.coordination.password.get_secret_value() == "secret"
    assert settings.access.enabled
    assert not settings.insecure_listen
    assert settings.metrics.listen.startswith("127.0.0.1:")
    (stop_s,) = every(lines, "TimeoutStopSec")
    assert settings.drain_timeout_s < float(stop_s)
    (state,) = every(lines, "StateDirectory")
    assert settings.data_dir == Path("/var/lib") / state


def test_each_credential_is_used(lines: list[tuple[str, str]]) -> None:
    loaded = {value.partition(":")[0] for value in every(lines, "LoadCredential")}
    used = {value.partition("%d/")[2] for value in every(lines, "Environment") if "%d/" in value}
    assert loaded == used


def test_it_starts_a_node_with_the_file_beside_it(lines: list[tuple[str, str]]) -> None:
    (command,) = every(lines, "ExecStart")
    program, *arguments = command.split()
    assert Path(program).name == "longshore"
    assert arguments == ["serve", "--config", "/etc/longshore/longshore.yaml"]
    assert (every(lines, "User"), every(lines, "Group")) == (["longshore"], ["longshore"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("ProtectKernelModules", "yes"),
        ("RestrictNamespaces", "yes"),
        ("RestrictSUIDSGID", "yes"),
        ("CapabilityBoundingSet", ""),
        ("SystemCallFilter", "@system-service"),
        ("LimitCORE", "0"),
    ],
)
def test_it_may_do_little(lines: list[tuple[str, str]], name: str, value: str) -> None:
    assert every(lines, name) == [value]


def test_systemd_takes_it(tmp_path: Path) -> None:
    """With a program that is there in place of the one that will be."""
    verify = shutil.which("systemd-analyze")
    if verify is None:
        do_without("systemd-analyze is not here: it comes with systemd")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/longshore/bin/longshore", sys.executable))
    answer = subprocess.run([verify, "verify", unit], capture_output=True, text=True, timeout=60)
    assert (answer.returncode, answer.stderr) == (0, "")
