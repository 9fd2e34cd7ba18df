"""`longshore admin token list`: a table."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from longshore_server.commands import admin


def run(folder: Path, *words: str) -> Result:
    result = CliRunner().invoke(admin, [*words, "--data-dir", str(folder)])
    assert result.exit_code == 0, result.output
    return result


def test_its_columns_stand_below_one_another(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    run(folder, "migrate")
    none = run(folder, "token", "list")
    assert (none.stdout, "no tokens" in none.stderr) == ("", True)
    run(folder, "token", "create", "ci", "--role", "deployer", "--project", "shop-*")
    run(folder, "token", "create", "a-long-name", "--role", "viewer")
    run(folder, "token", "revoke", "ci")
    heading, *lines = run(folder, "token", "list").stdout.splitlines()
    assert heading.split() == ["NAME", "STATE", "ROLES"]
    roles = heading.index("ROLES")
    assert {line.split()[0]: line[roles:] for line in lines} == {
        "ci": "deployer of shop-* in *",
        "a-long-name": "viewer of * in *",
    }
    state = heading.index("STATE")
    assert {line.split()[0]: line[state:].split()[0] for line in lines} == {
        "ci": "revoked",
        "a-long-name": "good",
    }
