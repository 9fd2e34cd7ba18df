"""``longshore new``: what it writes is valid whatever its name, and nothing is overwritten."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore_bundles import BundleKind
from longshore_client.cli.checked import check_payload
from longshore_client.cli.new_bundles import NameRefused, check_name, write_bundle

from .command_line import Run

# What YAML reads as something else than text where it stands without quotes.
TELLING = ("yes", "on", "null", "true", "0x1f", "1e3", "1_000", "123", "n", "~", "Null", "0o17", "12e03")
NAMES = st.sampled_from(TELLING) | st.from_regex(r"\A[a-zA-Z0-9_-]{1,100}\Z")


@pytest.mark.parametrize("kind", ["skill", "pack"])
def test_what_is_written_is_valid_and_works(run_alone: Run, tmp_path: Path, kind: str) -> None:
    ran = run_alone("new", kind, "netops", "--into", tmp_path / "a" / "my own")
    root = tmp_path / "a" / "my own" / "netops"
    assert (ran.code, ran.err) == (0, "")
    first, *steps = ran.out.splitlines()
    assert first.startswith(f"the {kind} netops is in {root}: ")
    assert [shlex.split(step)[-3:] for step in steps] == [
        ["longshore", command, str(root)] for command in ("validate", "dev", "deploy")
    ]
    checked = run_alone("validate", root, "--strict")
    assert (checked.code, checked.out.count("\n"), "is valid" in checked.out) == (0, 1, True)
    test = root / ("test.sh" if kind == "skill" else "tests/actions.sh")
    assert subprocess.run([test], cwd=root, check=False).returncode == 0


def test_nothing_is_overwritten(run_alone: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "folder", "link"):
        ran = run_alone("new", "skill", name)
        assert (ran.code, "is there already, nothing was written" in ran.err) == (2, True)
    assert (tmp_path / "file").read_text() == "mine"
    assert not list((tmp_path / "folder").iterdir())
    assert (tmp_path / "link").readlink() == Path("nowhere")
    assert run_alone("new", "pack", "inside", "--into", tmp_path / "file" / "deeper").code == 2


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".", "Größe", "a b", "a" * 101, "_", "-", "a.b"])
def test_names_that_are_none(run_alone: Run, tmp_path: Path, name: str) -> None:
    for kind in ("skill", "pack"):
        ran = run_alone("new", "--into", tmp_path, kind, "--", name)
        assert (ran.code, "is no name for a" in ran.err) == (2, True)
    assert not list(tmp_path.iterdir())


def test_it_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """Killed at the first and at a later file that it writes."""
    root = tmp_path / "netops"
    for files in ("0", "3"):
        killed = subprocess.run([sys.executable, "-c", _KILLED, str(root), files], check=False)
        assert (killed.returncode, root.exists()) == (-signal.SIGKILL, False)
    write_bundle(BundleKind.PACK, "netops", root)
    assert check_payload(root).findings == ()


_KILLED = """
import os, pathlib, signal, sys
from longshore_bundles import BundleKind
from longshore_client.cli.new_bundles import write_bundle
left, write = int(sys.argv[2]), pathlib.Path.write_text
def write_some(path, *rest, **options):
    global left
    if not left:
        write(path, "half")
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return write(path, *rest, **options)
pathlib.Path.write_text = write_some
write_bundle(BundleKind.PACK, "netops", pathlib.Path(sys.argv[1]))
"""


@given(name=NAMES, kind=st.sampled_from([BundleKind.SKILL, BundleKind.PACK]))
def test_a_name_is_refused_or_valid(
    tmp_path_factory: pytest.TempPathFactory, name: str, kind: BundleKind
) -> None:
    root = tmp_path_factory.mktemp("new") / "bundle"
    try:
        check_name(kind, name)
    except NameRefused:
        return
    write_bundle(kind, name, root)
    checked = check_payload(root)
    assert (checked.findings, checked.project) == ((), name.lower())
    assert checked.bundle is not None
    assert (checked.bundle.kind.value, checked.bundle.name) == (kind.value, name)
