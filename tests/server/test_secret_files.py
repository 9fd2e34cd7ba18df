"""Passwords that stand in files: read once, never beside the same in words, and told of by their key."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from longshore_server.settings import Settings, load_settings
from longshore_storage.errors import Misconfigured

URL = "postgresql://longshore@postgres.example/longshore?sslmode=require"
ETCD = {"url": "etcd://etcd.example/longshore"}


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_line_end_is_no_part_of_a_password(tmp_path: Path, end: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(f" with spaces /@: {end}".encode())
    database = {"url": URL, "password_file": file}
    settings = load_settings(None, {"database": database, "coordination": ETCD})
    assert make_url(settings.database_url).password == " with spaces /@: "
    assert "spaces" not in repr(settings)


@given(password=st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_password_comes_through_the_url(password: str) -> None:
    settings = Settings.model_validate({"database": {"url": URL, "password": password}, "coordination": ETCD})
    url = make_url(settings.database_url)
    assert (url.username, url.password, url.host) == ("longshore", password, "postgres.example")
    assert url.query == {"sslmode": "require"}


def test_each_store_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("secret_key", "password"):
        (tmp_path / name).write_text(f"{name}-value\n")
    monkeypatch.setenv("LONGSHORE_BLOBS__SECRET_KEY_FILE", str(tmp_path / "secret_key"))
    monkeypatch.setenv("LONGSHORE_COORDINATION__PASSWORD_FILE", str(tmp_path / "password"))
    settings = load_settings(None, {})
    assert settings.blobs.secret_key.get_secret_value() == "secret_key-value"
    assert settings.coordination.password.get_secret_value() == "password-value"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"`secret_key_file`\) cannot be read: No such file"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff", "no text"),
    ],
    ids=["missing", "empty", "blank", "binary"],
)
def test_a_file_without_a_secret_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Misconfigured, match=message):
        load_settings(None, {"blobs": {"secret_key_file": str(file)}})


def test_both_ways_at_once_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("one")
    both = {"secret_key": "hidden", "secret_key_file": str(tmp_path / "secret")}
    with pytest.raises(Misconfigured, match="set one of them") as refused:
        load_settings(None, {"blobs": both})
    assert "hidden" not in str(refused.value)


def test_a_password_wants_a_user() -> None:
    database = {"url": "postgresql://postgres.example/longshore", "password": "secret"}
    with pytest.raises(Misconfigured, match="names its user"):
        load_settings(None, {"database": database, "coordination": ETCD})
