"""Real releases of npm and PyPI as components, one after another, with rollbacks between them.

Where their registry cannot be reached they are skipped and say so; where services are required they fail.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.services.processes import ServerProcess

from .command_line import Run
from .real_packages import deployed


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetched each time."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("package", "project", "versions"),
    [
        ("left-pad", "left-pad", ["1.1.3", "1.2.0", "1.3.0"]),
        ("@sindresorhus/is", "sindresorhus.is", ["4.5.0", "4.6.0"]),
        ("semver", "semver", ["7.6.2", "7.6.3"]),
    ],
)
def test_releases_of_npm(
    run: Run, server: ServerProcess, package: str, project: str, versions: list[str]
) -> None:
    manifest = server.data_dir / "live" / project / "package.json"
    before = ""
    for version in versions:
        ran = deployed(run, f"npm:{package}@{version}")
        assert ran.out == f"{project} {version} is live in default on 1 node\n"
        assert "verified by npm integrity" in ran.err
        assert json.loads(manifest.read_bytes())["version"] == version
        if before:
            assert run("rollback", project).out == f"{project} {before} is live in default on 1 node\n"
            assert json.loads(manifest.read_bytes())["version"] == before
            assert run("deploy-release", project, version).code == 0
        before = version
    assert run("releases", project, "-q").out.split() == versions[::-1]
    assert run("verify", project).code == 0
    (release,) = run("releases", f"{project}@{versions[-1]}", "-o", "json").objects
    source: Any = release["source"]
    assert (source["kind"], source["ref"], source["verified"]) == ("npm", f"{package}@{versions[-1]}", True)


def test_releases_of_pypi(run: Run, server: ServerProcess) -> None:
    """A wheel as the file that it is, the next one unpacked, and back."""
    live = server.data_dir / "live" / "iniconfig"
    assert deployed(run, "pypi:iniconfig==2.0.0").out.startswith("iniconfig 2.0.0 is live")
    wheel = [path.name for path in live.iterdir()]
    assert wheel == ["iniconfig-2.0.0-py3-none-any.whl"]
    assert deployed(run, "pypi:iniconfig==2.1.0", "--unpack").out.startswith("iniconfig 2.1.0 is live")
    assert (live / "iniconfig" / "__init__.py").is_file()
    assert run("rollback", "iniconfig").out == "iniconfig 2.0.0 is live in default on 1 node\n"
    assert [path.name for path in live.iterdir()] == wheel


def test_sources_of_pypi(run: Run, server: ServerProcess) -> None:
    """An archive without a manifest that tells a version: the package's own counts."""
    assert deployed(run, "pypi:docopt==0.6.2").out == "docopt 0.6.2 is live in default on 1 node\n"
    assert (server.data_dir / "live" / "docopt").is_dir()


def test_a_project_of_pypi_that_is_told(run: Run, server: ServerProcess, project: str) -> None:
    deployed(run, "pypi:tomli==2.0.1", "--unpack", "-p", project)
    package = server.data_dir / "live" / project / "tomli"
    assert "def loads" in (package / "_parser.py").read_text()
    assert run("releases", project, "-q").out == "2.0.1\n"
