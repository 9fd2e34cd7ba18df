"""Looking packs up: in indexes of others with what these ask for, and in old versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bundles.indexes import checksum, document, pack
from tests.client.command_line import Run
from tests.client.sources.conftest import NewServer
from tests.client.sources.conftest import new_server as new_server
from tests.client.sources.conftest import no_proxy as no_proxy
from tests.client.sources.conftest import public_address as public_address

INDEX = json.dumps(document(pack())).encode()
COMMANDS = pytest.mark.parametrize("command", [("search",), ("show", "netops")], ids=["search", "show"])


@COMMANDS
def test_an_index_behind_a_url_gets_what_it_asks_for(
    run_alone: Run,
    new_server: NewServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: tuple[str, ...],
) -> None:
    monkeypatch.setenv("INDEX_TOKEN", "s3cret")
    own, others = new_server(), new_server()
    own.serve("/index.json", json.dumps(document(pack("dns"))).encode())
    others.serve("/index.json", INDEX)
    beside = tmp_path / "index.json"
    beside.write_text(json.dumps(document(pack("zone"))))
    indexes = ("--index", beside, "--index", own.url("/index.json"), "--index", others.url("/index.json"))
    plain = run_alone(*command, *indexes)
    assert (plain.code, "allow it with --allow-http" in plain.err) == (4, True)
    unset = run_alone(*command, *indexes, "--allow-http", "--source-token-env", "NO_TOKEN")
    assert (unset.code, "is not set" in unset.err) == (4, True)
    told = run_alone(*command, *indexes, "--allow-http", "--source-token-env", "INDEX_TOKEN", "-o", "json")
    assert told.code == 0, told.err
    assert told.objects[-1]["ref"] == "netops"
    assert [each.headers.get("authorization") for each in own.requests] == ["Bearer s3cret"]
    assert [each.headers.get("authorization") for each in others.requests] == [None]
    assert "s3cret" not in told.out + told.err


@COMMANDS
def test_an_index_that_leads_on_to_a_private_address(
    run_alone: Run, new_server: NewServer, public_address: str, command: tuple[str, ...]
) -> None:
    inside, public = new_server(), new_server(public_address)
    url = public.redirect("/index.json", inside.serve("/index.json", INDEX))
    options = ("--index", url, "--allow-http")
    refused = run_alone(*command, *options)
    assert (refused.code, "--allow-private" in refused.err, inside.requests) == (4, True, [])
    assert run_alone(*command, *options, "--allow-private").code == 0


def test_the_first_index_that_has_a_pack_is_the_last_that_is_read(run_alone: Run, tmp_path: Path) -> None:
    (tmp_path / "index.json").write_bytes(INDEX)
    indexes = ("--index", tmp_path / "index.json", "--index", tmp_path / "gone.json")
    assert run_alone("show", "netops", *indexes).code == 0
    assert run_alone("show", "netops@2.0.0", *indexes).code == 3


def test_an_old_version_is_shown_as_itself(run_alone: Run, tmp_path: Path) -> None:
    versions = [f"1.{number}.0" for number in range(30)]
    index = tmp_path / "index.json"
    releases = [
        {
            "version": version,
            "checksum": checksum(str(number % 10)),
            "published_at": f"2026-01-{number + 1:02}T00:00:00Z",
            "install_sources": [{"type": "archive", "url": f"archives/{version}.tar"}],
        }
        for number, version in enumerate(versions)
    ]
    index.write_text(json.dumps(document(pack(version="1.29.0", releases=releases))))
    shown = json.loads(run_alone("show", "netops@1.3.0", "--index", index, "-o", "json").out)
    assert (shown["version"], shown["described_version"]) == ("1.3.0", "1.29.0")
    assert (shown["checksum"], shown["published_at"]) == (checksum("3"), "2026-01-04T00:00:00Z")
    assert [each["url"] for each in shown["install_sources"]] == ["archives/1.3.0.tar"]
    assert shown["versions"] == versions[::-1]
    told = run_alone("show", "netops@1.3.0", "--index", index).out
    assert "described by  1.29.0, the highest" in told
    assert ", ".join(versions[::-1]) in told
    assert "described by" not in run_alone("show", "netops", "--index", index).out
    missing = run_alone("show", "netops@1.99.0", "--index", index)
    assert (missing.code, "and 10 more" in missing.err) == (3, True)


def test_a_version_that_nobody_can_fetch_is_shown_with_that(run_alone: Run, tmp_path: Path) -> None:
    (tmp_path / "index.json").write_bytes(INDEX)
    shown = run_alone("show", "netops", "--index", tmp_path / "index.json").out
    assert "nowhere: the index does not say where" in shown
