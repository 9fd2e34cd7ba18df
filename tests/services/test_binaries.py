"""Programs are found in the promised order, built once, whole or not at all, and missed out loud."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.services import binaries
from tests.services.binaries import GRPCURL, MINIO, ServiceMissingError, find

ROOT = Path(__file__).parents[2]


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a PATH with nothing on it but what the test puts into ``bin``."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    for program in binaries.PROGRAMS:
        monkeypatch.delenv(program.variable, raising=False)
    return tmp_path / "cache" / "longshore" / "services"


# Writes a program where `go build -o` would, and a line for every build.
GO = """
if [ "$1" = env ]; then printf 'go1.26\\nlinux\\namd64\\n'; exit; fi
echo build >> "$(dirname "$0")/builds"
while [ "$1" != -o ]; do shift; done
mkdir -p "$(dirname "$2")" && printf '#!/bin/sh\\necho grpcurl dev\\n' > "$2" && chmod +x "$2"
"""


def silent(line: str) -> None:
    del line


def test_the_variable_comes_first_and_a_wrong_one_is_named(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "bin" / "grpcurl", "echo grpcurl on the path")
    named = script(tmp_path / "elsewhere", "echo grpcurl named")
    monkeypatch.setenv(GRPCURL.variable, str(named))
    assert find(GRPCURL, silent) == binaries.Found(named, GRPCURL.variable)
    monkeypatch.setenv(GRPCURL.variable, "/nonexistent")
    with pytest.raises(ServiceMissingError, match=f"{GRPCURL.variable}=/nonexistent"):
        find(GRPCURL, silent)


def test_the_path_comes_before_a_build_unless_it_is_something_else_or_too_old(
    cache: Path, tmp_path: Path
) -> None:
    etcd = script(tmp_path / "bin" / "etcd", "echo etcd Version: 3.6.1")
    assert find(binaries.ETCD, silent) == binaries.Found(etcd, "PATH")
    assert not binaries.usable(binaries.ETCD, script(tmp_path / "old", "echo etcd Version: 3.4.30"))
    assert not binaries.usable(binaries.ETCD, script(tmp_path / "other", "echo something else"))
    assert not binaries.usable(binaries.ETCD, script(tmp_path / "broken", "exit 1"))


def test_two_runs_at_once_build_once_and_the_next_finds_it(cache: Path, tmp_path: Path) -> None:
    script(tmp_path / "bin" / "go", GO)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: find(GRPCURL, silent), range(4)))
    assert len({each.path for each in found}) == 1
    assert (tmp_path / "bin" / "builds").read_text().splitlines() == ["build"]
    assert find(GRPCURL, silent).origin == "built before"
    assert cache in found[0].path.parents


def test_a_person_is_told_about_the_build(cache: Path, tmp_path: Path) -> None:
    script(tmp_path / "bin" / "go", GO)
    said: list[str] = []
    find(GRPCURL, said.append)
    assert said[0].startswith("building grpcurl")
    assert said[-1].startswith("the build of grpcurl took")


def test_a_failed_build_says_why_and_leaves_nothing(cache: Path, tmp_path: Path) -> None:
    go = "if [ $1 = env ]; then echo go1.26; exit; fi; echo first >&2; echo no space left >&2; exit 1"
    script(tmp_path / "bin" / "go", go)
    with pytest.raises(ServiceMissingError, match="no space left") as failure:
        find(GRPCURL, silent)
    assert "\n" not in str(failure.value)
    assert [path.name for path in cache.iterdir() if path.is_dir()] == []


def test_a_carried_cache_serves_where_there_is_no_go(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = script(tmp_path / "bin" / "go", GO)
    built = find(GRPCURL, silent).path
    go.unlink()
    monkeypatch.setattr(binaries, "_go", lambda: None)
    assert find(GRPCURL, silent).path == built
    with pytest.raises(ServiceMissingError, match=MINIO.variable):
        find(MINIO, silent)


TWO_TESTS = """
def test_one(bucket): pass
def test_two(s3_url): pass
"""


@pytest.mark.parametrize("required", [False, True])
def test_a_missing_service_skips_with_one_line_or_fails_where_it_is_required(
    tmp_path: Path, required: bool
) -> None:
    (tmp_path / "test_inner.py").write_text(TWO_TESTS)
    env = {**os.environ, MINIO.variable: "/nonexistent", "LONGSHORE_REQUIRE_SERVICES": str(int(required))}
    options = ["-p", "tests.services.fixtures", "-p", "no:cacheprovider", "-ra", "-c", "/dev/null"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path)],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
    )
    lines = [line for line in run.stdout.splitlines() if f"{MINIO.variable}=/nonexistent" in line]
    if required:
        assert run.returncode == 1
        assert "2 errors" in run.stdout
    else:
        assert run.returncode == 0
        assert len(lines) == 1
        assert lines[0].startswith("SKIPPED [2]")
