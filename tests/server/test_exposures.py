"""What settings leave open is told, and what is sound is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from longshore_server.commands import admin
from longshore_server.doctor import State, look_at_everything
from longshore_server.exposures import exposures
from longshore_server.settings import Settings, load_settings
from longshore_server.settings.effective import secrets_in

AWAY = {
    "database": {"url": "postgresql://u@db.example/longshore?sslmode=verify-full"},
    "blobs": {"url": "s3+https://k:s@s3.example/longshore"},
    "coordination": {"url": "etcds://etcd.example/longshore"},
}
LOCAL = {
    "database": {"url": "postgresql://u@127.0.0.1:5432/longshore"},
    "blobs": {"url": "s3+http://k:s@localhost:9000,[::1]:9000/longshore"},
    "coordination": {"url": "etcd://127.0.0.1:2379/longshore", "user": "u", "password": "p"},
}


@pytest.fixture(autouse=True)
def only_what_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGSSLMODE", "PGHOST"):
        monkeypatch.delenv(name, raising=False)


def told(**values: Any) -> list[str]:
    return [exposure.what for exposure in exposures(Settings(**values), None)]


@pytest.mark.parametrize("stores", [AWAY, LOCAL, {}], ids=["away", "local", "embedded"])
def test_what_is_sound_is_not_told(stores: dict[str, Any]) -> None:
    assert told(**stores) == []


@pytest.mark.parametrize(
    ("store", "url", "says"),
    [
        ("database", "postgresql://u@db.example/longshore", "sslmode=prefer"),
        ("database", "postgresql://u@db.example/longshore?sslmode=require", "sslmode=require"),
        ("database", "postgresql://u@/longshore?host=127.0.0.1,db.example", "sslmode=prefer"),
        ("blobs", "s3+http://k:s@127.0.0.1:9000,s3.example:9000/longshore", "`blobs.url` is s3+http://"),
        ("coordination", "etcd://127.0.0.1:2379,etcd.example:2379/longshore", "the password"),
    ],
)
def test_a_store_that_is_spoken_to_in_the_clear(store: str, url: str, says: str) -> None:
    section: dict[str, Any] = {"url": url}
    if store == "coordination":
        section |= {"user": "u", "password": "p"}
    (what,) = told(**{**AWAY, store: section})
    assert says in what


def test_a_replica_that_is_spoken_to_in_the_clear() -> None:
    blobs = {**AWAY["blobs"], "read_urls": ["s3+http://replica.example:9000/longshore"]}
    (what,) = told(**{**AWAY, "blobs": blobs})
    assert "`blobs.read_urls` is s3+http://" in what


def test_postgresql_by_its_socket_is_this_machine() -> None:
    for url in ("postgresql://u@/longshore", "postgresql://u@/longshore?host=/run/postgresql"):
        assert told(**{**LOCAL, "database": {"url": url}}) == []


def test_the_environment_of_postgresql_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert told(**{**AWAY, "database": {"url": "postgresql://u@db.example/longshore"}}) == []


def test_secrets_and_keys_that_others_may_read(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("tls.crt", "tls.key", "password", "longshore.db", "secret")}
    for path in files.values():
        path.write_text("a secret of some length")
        path.chmod(0o644)
    values: dict[str, Any] = {
        "tls": {"cert_file": files["tls.crt"], "key_file": files["tls.key"]},
        "database": {"url": f"sqlite:///{files['longshore.db']}"},
        "notifications": [{"name": "chat", "url": "https://chat.example/", "secret_file": files["secret"]}],
    }
    whats = told(**values)
    assert [what.split(" may be read")[0] for what in whats] == [
        f"{files['tls.key']} (`tls.key_file`)",
        f"{files['secret']} (`notifications[0].secret_file`)",
        f"{files['longshore.db']}, the database,",
    ]
    for path in files.values():
        path.chmod(0o640)
    assert told(**values) == []


def test_secrets_in_a_file_of_settings_that_others_may_read(tmp_path: Path) -> None:
    config = tmp_path / "longshore.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "data_dir": str(tmp_path),
                "blobs": {
                    "url": "s3+https://s3.example/longshore",
                    "access_key": "k",
                    "secret_key": "s" * 16,
                },
                "database": {"url": "postgresql://u:p@127.0.0.1/longshore"},
                "coordination": LOCAL["coordination"],
            }
        )
    )
    config.chmod(0o644)
    result = CliRunner().invoke(admin, ["config", "check", "--config", str(config)])
    (line,) = result.stderr.splitlines()
    told_of = line.removeprefix(f"warning: {config} has secrets in it (").partition(")")[0]
    assert set(told_of.split(", ")) == {"`database.url`", "`blobs.secret_key`", "`coordination.password`"}
    config.chmod(0o600)
    assert not CliRunner().invoke(admin, ["config", "check", "--config", str(config)]).stderr
    named = tmp_path / "secret"
    named.touch(0o600)
    named.write_text("s" * 16)
    config.write_text(
        yaml.safe_dump(
            {
                "data_dir": str(tmp_path),
                "database": {"url": "postgresql://u@127.0.0.1/longshore"},
                "coordination": {"url": "etcd://127.0.0.1:2379/longshore"},
                "blobs": {
                    "url": "s3+https://s3.example/longshore",
                    "access_key": "k",
                    "secret_key_file": str(named),
                },
            }
        )
    )
    config.chmod(0o644)
    assert not CliRunner().invoke(admin, ["config", "check", "--config", str(config)]).stderr


def keys_told(folder: Path, **values: Any) -> list[str]:
    config = folder / "longshore.yaml"
    config.write_text(yaml.safe_dump({"data_dir": str(folder), **values}))
    return secrets_in(load_settings(config, {}), config)


@pytest.mark.parametrize(
    ("url", "is_told"),
    [
        ("postgresql://u@db.example/longshore", False),
        ("postgresql://u@db.example/longshore?sslmode=verify-full&application_name=a:b@c", False),
        ("sqlite:////var/lib/a:b@c/longshore.db", False),
        ("postgresql://u:p@db.example/longshore", True),
        ("postgresql://u:pa/ss@db.example/longshore", True),
        ("postgresql://u@db.example/longshore?password=p", True),
        ("postgresql://u:p@db.example:port/longshore", True),
        ("postgresql://u@db.example:port/longshore", False),
        ("nonsense", False),
    ],
)
def test_a_database_url_is_a_secret_by_the_password_in_it(tmp_path: Path, url: str, is_told: bool) -> None:
    stores = {"database": {"url": url}}
    if url.startswith("postgresql"):
        stores |= {name: AWAY[name] for name in ("blobs", "coordination")}
    assert ("database.url" in keys_told(tmp_path, **stores)) is is_told


def test_a_list_is_a_secret_by_a_password_in_it_or_by_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s" * 32)
    hook = {"name": "web", "forge": "github", "secret_file": str(tmp_path / "secret"), "project": "web"}
    push = {"listen": "127.0.0.1:7430", "hooks": [{**hook, "source": "ssh://git@git.example/acme/web"}]}
    assert keys_told(tmp_path, push=push) == []
    command = {
        "when": "after_switch",
        "command": ["/bin/tell", "https://u:p@chat.example/"],
    }
    assert keys_told(tmp_path, node={"hooks": [command]}) == ["node.hooks"]
    command["command"] = ["/bin/tell"]
    assert (
        keys_told(tmp_path, node={"hooks": [command | {"environment": {"TO": "https://u@c.example/"}}]}) == []
    )
    environment = {"TO": "https://u:p@chat.example/"}
    assert keys_told(tmp_path, node={"hooks": [command | {"environment": environment}]}) == ["node.hooks"]
    # Chat services put a secret into the path.
    receiver = {"name": "chat", "url": "https://chat.example/T0", "secret_file": str(tmp_path / "secret")}
    assert keys_told(tmp_path, notifications=[receiver]) == ["notifications"]
    assert keys_told(tmp_path, coordination={**LOCAL["coordination"], "password": "a://b"}) == [
        "coordination.password"
    ]


def test_a_replica_is_a_secret_by_the_password_in_its_url(tmp_path: Path) -> None:
    for login, told_keys in (("", []), ("k:s@", ["blobs.read_urls"])):
        blobs = {
            "url": "s3+https://s3.example/longshore",
            "read_urls": [f"s3+https://{login}replica.example/longshore"],
            "access_key": "k",
        }
        assert keys_told(tmp_path, blobs=blobs) == told_keys


def test_config_check_warns_and_the_node_could_start(tmp_path: Path) -> None:
    config = tmp_path / "longshore.yaml"
    stores = {**AWAY, "database": {"url": "postgresql://u@db.example/longshore"}}
    config.touch(0o600)
    config.write_text(yaml.safe_dump({**stores, "data_dir": str(tmp_path)}))
    result = CliRunner().invoke(admin, ["config", "check", "--config", str(config)])
    assert result.exit_code == 0
    assert result.stdout.startswith("nothing is wrong with the settings and their files; `longshore doctor`")
    (line,) = result.stderr.splitlines()
    assert line.startswith("warning: `database.url` has sslmode=prefer")


async def test_doctor_warns(tmp_path: Path) -> None:
    (tmp_path / "longshore.db").touch(0o644)
    (tmp_path / "blobs").mkdir()
    found = [finding async for finding in look_at_everything(Settings(data_dir=tmp_path))]
    (warned,) = [finding for finding in found if finding.part == "settings"]
    assert warned.state is State.WARN
    assert "longshore.db, the database, may be read" in warned.what
