"""A tree is the same in every locale: file names are read as UTF-8, whatever encoding it has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = Path(sys.executable).parent / "longshore"
# The locale that every system has, with all that Python does to have UTF-8 there taken away.
_ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "é.txt").write_text("é")
    return tmp_path / "tree"


def _ran(*command: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "PYTHON"))}
    return subprocess.run(
        command,
        env=environment | env,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_the_checksum_is_the_same(tree: Path) -> None:
    told = {
        _ran(_PROGRAM, "checksum", "-q", tree, **env).stdout for env in (_ASCII, {"LC_ALL": "C.UTF-8"}, {})
    }
    assert len(told) == 1
    assert told.pop().startswith("sha256:")


def test_what_is_given_to_the_program_stays_as_it_is(tree: Path) -> None:
    (tree / "grüße").mkdir()
    (tree / "grüße" / "a b").write_text("")
    ran = _ran(_PROGRAM, "validate", tree / "grüße", **_ASCII)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_process_that_reads_names_otherwise_is_told_so(tree: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from longshore_bundles import CanonicalTar, TreeUnreadable\n"
        "try: list(CanonicalTar(Path(sys.argv[1])))\n"
        "except TreeUnreadable as error: print(error.reason, error)\n"
    )
    told = _ran(sys.executable, "-c", code, tree, **_ASCII).stdout
    assert told == (
        "LOCALE_NOT_UTF8 this process reads file names as ascii: start it with PYTHONUTF8=1, or in a locale "
        "of UTF-8\n"
    )
