"""The ``Dockerfile``: pinned, built from what is in this checkout, run by nobody special, and watched."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pathspec
import pytest

from longshore_server.health import READ, UPLOAD
from longshore_server.settings import Settings
from tests.services.certificates import Authority
from tests.services.processes import serve

ROOT = Path(__file__).parents[2]
HEALTHCHECK = ROOT / "deploy" / "healthcheck.py"


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, str]]:
    """Instruction and arguments, continued lines joined, comments gone."""
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text())
    joined = re.sub(r"\\\n\s*", "", text)
    return [(step.split(" ", 1)[0], step.split(" ", 1)[1]) for step in joined.splitlines() if step]


def last(steps: list[tuple[str, str]], instruction: str) -> str:
    return [arguments for name, arguments in steps if name == instruction][-1]


def test_stages_begin_at_the_same_pinned_python(steps: list[tuple[str, str]]) -> None:
    bases = [arguments.split(" ")[0] for name, arguments in steps if name == "FROM"]
    assert len(bases) == 2
    assert len(set(bases)) == 1, "what is built for one Python runs on the other"
    version = re.fullmatch(r"python:(\d+)\.(\d+)\.\d+-slim-[a-z]+", bases[0])
    assert version
    assert (int(version[1]), int(version[2])) >= (3, 11)


def test_every_locked_package_has_a_wheel_for_it(steps: list[tuple[str, str]]) -> None:
    """The image has no compiler: what comes as source only, or for another Python only, breaks its build."""
    tag = "cp" + "".join(last(steps, "FROM").removeprefix("python:").split(".")[:2])
    lock = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    by_name = {package["name"]: package for package in lock}
    wanted = [("longshore", "server"), ("longshore", "tracing"), ("longshore", "")]
    seen: set[tuple[str, str]] = set()
    while wanted:
        name, extra = wanted.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        package = by_name[name]
        needed = package.get("optional-dependencies", {})[extra] if extra else package.get("dependencies", [])
        wanted += [(one["name"], which) for one in needed for which in ("", *one.get("extra", []))]
        wheels = [wheel["url"].rpartition("/")[2] for wheel in package.get("wheels", [])]
        assert name == "longshore" or any(fits(wheel, tag) for wheel in wheels), f"{name}: no wheel for {tag}"
    assert {("grpcio", ""), ("sqlalchemy", "asyncio"), ("psycopg-binary", "")} <= seen


def fits(wheel: str, tag: str) -> bool:
    compiled = f"-{tag}-" in wheel or "-abi3-" in wheel
    return wheel.endswith("-none-any.whl") or (compiled and "manylinux" in wheel and "x86_64" in wheel)


def test_uv_is_the_one_that_make_pins(steps: list[tuple[str, str]]) -> None:
    pinned = re.search(r"(?m)^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text())
    assert pinned
    assert any(name == "RUN" and arguments.endswith(f" uv=={pinned[1]}") for name, arguments in steps)


def test_dependencies_are_the_locked_ones(steps: list[tuple[str, str]]) -> None:
    runs = " ".join(arguments for name, arguments in steps if name == "RUN")
    assert "uv export --frozen --no-dev --no-emit-project --extra server --extra tracing" in runs
    assert "--require-hashes" in runs
    assert "--no-deps /wheels/longshore-*.whl" in runs


def test_it_starts_a_node_as_nobody_special(steps: list[tuple[str, str]]) -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    entry = json.loads(last(steps, "ENTRYPOINT"))
    assert len(entry) == 1
    assert entry[0] in scripts
    assert json.loads(last(steps, "CMD")) == ["serve"]
    user = last(steps, "USER")
    assert any(
        name == "RUN" and f"useradd --system --uid 7420 --gid {user}" in arguments
        for name, arguments in steps
    )
    order = [name for name, _ in steps]
    assert order.index("USER") < order.index("ENTRYPOINT")


def test_its_data_is_in_its_volume(steps: list[tuple[str, str]]) -> None:
    volume = json.loads(last(steps, "VOLUME"))
    assert f"LONGSHORE_DATA_DIR={volume[0]}" in last(steps, "ENV")
    assert any(
        name == "RUN" and f"--home-dir {volume[0]} --create-home" in arguments for name, arguments in steps
    )


def test_it_exposes_the_port_that_nodes_listen_on(steps: list[tuple[str, str]]) -> None:
    assert Settings.model_fields["listen"].default.rpartition(":")[2] == last(steps, "EXPOSE")


def test_its_build_gets_the_packages_and_nothing_else() -> None:
    """`.dockerignore` lets through what the wheel is made of; caches and `.venv` stay outside."""
    ignored = pathspec.GitIgnoreSpec.from_lines((ROOT / ".dockerignore").read_text().splitlines())
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"][
        "wheel"
    ]
    needed = ["pyproject.toml", "uv.lock", "README.md", "LICENSE", "deploy/healthcheck.py"]
    needed += [f"{package}/__init__.py" for package in packages["packages"]]
    needed += ["protos/longshore/v1/deployment_pb2.py"]
    assert [path for path in needed if not passes(ignored, path)] == []
    kept_out = [".venv/bin/python", ".git/HEAD", "tests/conftest.py", "protos/node_modules/x.js", "notes.txt"]
    kept_out += ["client/longshore_client/__pycache__/x.cpython-313.pyc"]
    assert [path for path in kept_out if passes(ignored, path)] == []


def passes(ignored: pathspec.GitIgnoreSpec, path: str) -> bool:
    """Docker's rule, not git's: the last line that matches the path or a folder above it decides."""
    parts = path.split("/")
    prefixes = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    kept = True
    for pattern in ignored.patterns:
        if pattern.include is not None and any(pattern.match_file(prefix) for prefix in prefixes):
            kept = not pattern.include
    return kept


async def test_its_health_check_asks_a_running_node(tmp_path: Path) -> None:
    async with serve(data_dir=tmp_path / "data") as server:
        alive = check_health(server.address)
        assert (alive.returncode, alive.stdout) == (0, "SERVING\n"), alive.stderr
    gone = check_health(server.address)
    assert gone.returncode == 1
    assert gone.stderr.startswith(("UNAVAILABLE:", "DEADLINE_EXCEEDED:"))


@pytest.mark.parametrize("mutual", [False, True], ids=["tls", "mutual"])
async def test_its_health_check_speaks_tls(tmp_path: Path, mutual: bool) -> None:
    """To a certificate for any host, signed by whomever; and it asks for any service."""
    authority = Authority(tmp_path / "authority")
    pair = authority.issue("server", hosts=["node.example"])
    env = {"LONGSHORE_TLS__CERT_FILE": str(pair.cert_file), "LONGSHORE_TLS__KEY_FILE": str(pair.key_file)}
    if mutual:
        env["LONGSHORE_TLS__CLIENT_CA_FILE"] = str(authority.ca_file)
    async with serve(data_dir=tmp_path / "data", env={**env, "LONGSHORE_ACCESS__ENABLED": "true"}) as server:
        for service in ("", READ, UPLOAD):
            answer = check_health(server.address, service, **env)
            assert (answer.returncode, answer.stdout) == (0, "SERVING\n"), answer.stderr
        unknown = check_health(server.address, "longshore.nothing", **env)
        assert unknown.stderr.startswith("NOT_FOUND")
        assert check_health(server.address).returncode == 1
    unread = check_health(server.address, LONGSHORE_TLS__CERT_FILE=str(tmp_path / "none"))
    assert (unread.returncode, "cannot be read" in unread.stderr) == (1, True)


def test_its_health_check_imports_nothing_of_ours() -> None:
    imported = re.findall(r"(?m)^(?:from|import) (\w+)", HEALTHCHECK.read_text())
    assert "grpc" in imported
    assert not [name for name in imported if name.startswith("longshore")]


def check_health(address: str, service: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LONGSHORE_LISTEN": address, **variables}
    command = [sys.executable, str(HEALTHCHECK), *([service] if service else [])]
    return subprocess.run(command, env=environment, capture_output=True, text=True)
