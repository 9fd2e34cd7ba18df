"""docs/operations.md, "From an empty machine to a TLS cluster", step by step as it is printed.

Only the step that names the stores is another one: those of the tests stand where a reader has his own.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from longshore_storage.blobs.urls import S3Location, parse_blob_url
from tests.services.ports import ReservedPort

from .consoles import Shell, Step, console_steps, pattern
from .pages import ROOT

HEADING = "## From an empty machine to a TLS cluster"


def section() -> Iterator[Step]:
    text = (ROOT / "docs" / "operations.md").read_text()
    begin = text.index(HEADING)
    part = text[begin : text.index("\n## ", begin + 1)]
    for block in re.findall(r"^```console\n(.*?)^```$", part, re.DOTALL | re.MULTILINE):
        yield from console_steps(block.splitlines())


@pytest.fixture
def addresses() -> Iterator[list[str]]:
    ports = [ReservedPort() for _ in range(3)]
    yield [port.address for port in ports]
    for port in ports:
        port.close()


def exported(command: str) -> list[str]:
    """The names that a step gives values to, where that is all it does."""
    words = shlex.split(command)
    return [word.partition("=")[0] for word in words[1:]] if words[0] == "export" else []


def logs(folder: Path) -> str:
    return "\n".join(path.read_text()[-3000:] for path in sorted(folder.glob("*.log")))


def own(database: str, store: str, etcd: str, addresses: list[str]) -> dict[str, str]:
    """What the first step exports, by the names that it gives."""
    url = make_url(database)
    place = parse_blob_url(store)
    assert isinstance(place, S3Location)
    return {
        "DATABASE": f"postgresql://{url.username}@{url.host}:{url.port}/{url.database}",
        "DATABASE_PASSWORD": str(url.password),
        "STORE": re.sub(r"//[^@]*@", "//", store),
        "STORE_KEY": place.access_key,
        "STORE_SECRET": place.secret_key,
        "ETCD": etcd,
        "NODE_1": addresses[0],
        "NODE_2": addresses[1],
        "METRICS": addresses[2],
    }


def test_every_step(
    postgres_database: str, s3_url: str, etcd_url: str, addresses: list[str], tmp_path: Path
) -> None:
    variables = {
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    given = own(postgres_database, s3_url, etcd_url, addresses)
    named: set[str] = set()
    with Shell(tmp_path, variables) as shell:
        try:
            for step in section():
                command = step.command
                names = exported(command)
                if names and set(names) <= given.keys():
                    named |= set(names)
                    command = "export " + " ".join(f"{name}={shlex.quote(given[name])}" for name in names)
                code, printed = shell.run(command)
                assert code == 0, f"$ {step.command}\n{printed}{logs(tmp_path)}"
                if step.printed:
                    assert pattern(step.printed).fullmatch(printed), f"$ {step.command}\n{printed}"
        finally:
            shell.run("kill -KILL $(jobs -p)")
    assert named == given.keys()
