"""`longshore admin config show` and `check`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from longshore_server.commands import admin

SECRET = "hunter2-is-a-secret"


def config(tmp_path: Path, command: str, settings: object, *options: str, **variables: str) -> Result:
    path = tmp_path / "longshore.yaml"
    path.write_text(yaml.safe_dump(settings))
    env = {f"LONGSHORE_{name}": value for name, value in variables.items()}
    return CliRunner().invoke(admin, ["config", command, "--config", str(path), *options], env=env)


class TestShow:
    def test_each_setting_with_where_it_is_from(self, tmp_path: Path) -> None:
        settings = {"poll_s": 3, "node": {"labels": {"zone": "eu"}}, "drain_timeout_s": 5}
        result = config(
            tmp_path,
            "show",
            settings,
            "--data-dir",
            str(tmp_path),
            "-o",
            "json",
            POLL_S="4",
            LOG__LEVEL="error",
        )
        assert result.exit_code == 0, result.output
        shown = {one["key"]: (one["value"], one["source"]) for one in json.loads(result.stdout)}
        file = str(tmp_path / "longshore.yaml")
        assert shown["data_dir"] == (str(tmp_path), "--data-dir")
        assert shown["poll_s"] == (4.0, "LONGSHORE_POLL_S")
        assert shown["log.level"] == ("error", "LONGSHORE_LOG__LEVEL")
        assert shown["drain_timeout_s"] == (5.0, file)
        assert shown["node.labels"] == ({"zone": "eu"}, file)
        assert shown["node.bundle_tests.run"] == (False, "default")
        assert shown["database.url"] == (f"sqlite:///{tmp_path}/longshore.db", "default")

    def test_no_secret_is_shown(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text(SECRET)
        settings = {
            "database": {"url": f"postgresql://u:{SECRET}@db/longshore"},
            "blobs": {
                "url": f"s3+http://key:{SECRET}@s3:9000/longshore",
                "read_urls": [f"s3+http://key:{SECRET}@replica:9000/longshore"],
                "secret_key_file": str(tmp_path / "secret"),
            },
            "coordination": {"url": "etcd://etcd:2379", "user": "u", "password": SECRET},
            "notifications": [
                {"name": "chat", "url": f"https://chat/{SECRET}", "secret_file": str(tmp_path / "secret")}
            ],
        }
        for output in ("table", "json"):
            result = config(tmp_path, "show", settings, "-o", output)
            assert result.exit_code == 0, result.output
            assert SECRET not in result.output
            assert result.stdout.count("********") == 4
        shown = {one["key"]: one["source"] for one in json.loads(result.stdout)}
        assert shown["blobs.secret_key"] == str(tmp_path / "longshore.yaml")

    @pytest.mark.parametrize(
        ("section", "key", "written", "shown"),
        [
            ("database", "url", "postgresql://db:5433/longshore", "postgresql://db:5433/longshore"),
            (
                "database",
                "url",
                f"postgresql://u:{SECRET}@db/longshore?sslmode=verify-full",
                "postgresql://********@db/longshore?sslmode=verify-full",
            ),
            (
                "database",
                "url",
                f"postgresql://u@db/longshore?sslmode=require&password={SECRET}",
                "postgresql://********@db/longshore?sslmode=require&********",
            ),
            ("database", "url", f"postgresql://{SECRET}@db/longshore", "postgresql://********@db/longshore"),
            ("database", "url", f"postgresql://u:a@b/{SECRET}@db/longshore", "********"),
            (
                "database",
                "url",
                f"postgresql://u:a/{SECRET}@db/longshore",
                "postgresql://********@db/longshore",
            ),
            ("database", "url", f"postgresql://db:{SECRET}/longshore", "********"),
            (
                "database",
                "url",
                f"postgresql://db/longshore?sslmode={SECRET}",
                "postgresql://db/longshore?********",
            ),
            (
                "blobs",
                "url",
                "s3+https://s3:9000/bucket?region=eu-1",
                "s3+https://s3:9000/bucket?region=eu-1",
            ),
            ("blobs", "url", f"s3+https://k:{SECRET}@s3/bucket/at", "s3+https://s3/bucket/at"),
            ("blobs", "url", f"s3+https://k:a/{SECRET}@s3/bucket", "********"),
            ("blobs", "url", f"s3+https://k:12/abc/{SECRET}@s3/bucket", "********"),
            ("coordination", "url", f"etcd://u:a/{SECRET}@one:1,u:{SECRET}@two:2", "etcd://********@two:2"),
            ("push", "server", f"https://u:{SECRET}@git/a?token={SECRET}", "https://********@git/a?********"),
        ],
    )
    def test_of_an_address_what_is_secret_is_hidden(
        self, tmp_path: Path, section: str, key: str, written: str, shown: str
    ) -> None:
        settings: dict[str, dict[str, str]] = {"coordination": {"url": "etcd://etcd:2379"}}
        settings[section] = {key: written}
        result = config(tmp_path, "show", settings, "-o", "json")
        assert result.exit_code == 0, result.output
        assert SECRET not in result.output
        told = {one["key"]: one["value"] for one in json.loads(result.stdout)}
        assert told[f"{section}.{key}"] == shown

    def test_what_is_asked_for_keys_is_hidden(self, tmp_path: Path) -> None:
        url = f"https://u:{SECRET}@identity/keys?token={SECRET}"
        issuer = {"issuer": "https://identity", "audience": "us", "algorithms": ["RS256"], "jwks_url": url}
        result = config(tmp_path, "show", {"access": {"enabled": True, "issuers": [issuer]}})
        assert SECRET not in result.output
        assert "https://********@identity/keys?********" in result.stdout


class TestCheck:
    def test_settings_that_a_node_starts_with(self, tmp_path: Path) -> None:
        result = config(tmp_path, "check", {"data_dir": str(tmp_path / "none" / "yet")})
        assert result.exit_code == 0
        assert result.stdout.startswith(
            "nothing is wrong with the settings and their files; `longshore doctor`"
        )
        assert not (tmp_path / "none").exists()

    def test_every_problem_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "policy.yaml").write_text("grants: [{role: nobody, principals: [a]}]\nrols: {}\n")
        (tmp_path / "cert.pem").write_text("no certificate")
        settings = {
            "data_dir": str(tmp_path / "policy.yaml" / "data"),
            "tls": {"cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "cert.pem")},
            "access": {
                "enabled": True,
                "policy_file": str(tmp_path / "policy.yaml"),
                "issuers": [
                    {
                        "issuer": "https://issuer",
                        "audience": "longshore",
                        "algorithms": ["RS256"],
                        "jwks_file": str(tmp_path / "keys.json"),
                    }
                ],
            },
            "database": {"url": "mysql://db/longshore"},
            "blobs": {"url": "ftp://store/longshore"},
            "coordination": {"url": "zookeeper://zk"},
        }
        result = config(tmp_path, "check", settings)
        assert result.exit_code == 1
        lines = result.stderr.splitlines()
        assert all(line.startswith("error: ") for line in lines)
        for words in (
            "keys.json (`access.issuers[0].jwks_file`) cannot be read",
            "(`tls.cert_file`, `tls.key_file`) are no certificate with its key",
            "`database.url` names 'mysql'",
            "blobs.url",
            "coordination.url",
            "policy.yaml: rols: ",
            "(`data_dir`) cannot be written",
        ):
            assert sum(words in line for line in lines) == 1, (words, lines)

    def test_what_cannot_even_be_read(self, tmp_path: Path) -> None:
        result = config(tmp_path, "check", {"poll_s": 0, "nod": {}})
        assert result.exit_code == 1
        assert ["poll_s" in result.stderr, "nod: " in result.stderr] == [True, True]
