"""docs/operations.md#upgrading, step by step as it is printed; the service manager is the test's own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.ports import ReservedPort

from .consoles import Shell, Step, console_steps, pattern
from .pages import ROOT

# What systemd would do with the first node, and with the second one before the page begins.
_SERVICES = """
serve() { longshore serve --config "$1.yaml" --data-dir "$1" > "$1.out" 2>> "$1.log" & echo $! > "$1.pid"
  until grep -q "listening on" "$1.out"; do kill -0 $! || return 1; sleep 0.1; done; }
systemctl() { case $1 in
  stop) kill -TERM $(cat node-1.pid) && wait $(cat node-1.pid);;
  start) rm node-1.out; serve node-1;;
esac; }
"""


@pytest.fixture
def addresses() -> Iterator[list[str]]:
    ports = [ReservedPort() for _ in range(2)]
    yield [port.address for port in ports]
    for port in ports:
        port.close()


def steps() -> Iterator[Step]:
    text = (ROOT / "docs" / "operations.md").read_text()
    begin = text.index("## Upgrading")
    part = text[begin : text.index("\n## ", begin + 1)]
    for block in re.findall(r"^```console\n(.*?)^```$", part, re.DOTALL | re.MULTILINE):
        yield from console_steps(block.splitlines())


def test_every_step(
    postgres_database: str, s3_url: str, etcd_url: str, addresses: list[str], tmp_path: Path
) -> None:
    settings = {
        "database": {"url": postgres_database},
        "blobs": {"url": s3_url},
        "coordination": {"url": etcd_url},
    }
    (tmp_path / "longshore.yaml").write_text(json.dumps(settings))
    for number, address in enumerate(addresses, 1):
        own = {**settings, "listen": address, "node": {"name": f"node-{number}"}}
        (tmp_path / f"node-{number}.yaml").write_text(json.dumps(own))
    variables = {"LONGSHORE_SERVER": ",".join(addresses), "XDG_STATE_HOME": str(tmp_path)}
    with Shell(tmp_path, variables) as shell:
        try:
            code, printed = shell.run(_SERVICES + "longshore admin migrate --config longshore.yaml")
            assert code == 0, printed
            for node in ("node-1", "node-2"):
                assert shell.run(f"serve {node}")[0] == 0, (tmp_path / f"{node}.log").read_text()
            done = 0
            for step in steps():
                code, printed = shell.run(step.command)
                assert code == 0, f"$ {step.command}\n{printed}"
                if step.printed:
                    assert pattern(step.printed).fullmatch(printed), f"$ {step.command}\n{printed}"
                done += 1
            assert done >= 8
        finally:
            shell.run("kill -KILL $(jobs -p)")
    assert "node.drained" in (tmp_path / "node-1.log").read_text()
