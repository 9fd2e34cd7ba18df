"""Indexes on the command line: made, changed, checked and searched, without a server."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from longshore_bundles import FindingLog, directory_checksum
from longshore_bundles.registry import read_index
from tests.client.command_line import Run

from .conftest import MakePack

URL = "https://packs.example.org/netops-1.4.0.tar"


def loaded(path: Path) -> dict[str, Any]:
    """What an index's file holds, which is always an index."""
    log = FindingLog()
    assert read_index(path.read_bytes(), str(path), log) is not None, log.findings()
    value: dict[str, Any] = json.loads(path.read_text())
    return value


@pytest.fixture
def index(run_alone: Run, make_pack: MakePack, tmp_path: Path) -> Path:
    """An index with one version of one pack."""
    path = tmp_path / "index.json"
    made = run_alone("index", "update", "--index", path, make_pack(), "--name", "ops", "--url", URL)
    assert (made.code, made.out) == (0, f"netops 1.4.0 is in {path}, with 1 pack\n"), made.err
    return path


def test_the_entry_of_a_pack_is_complete(run_alone: Run, make_pack: MakePack, tmp_path: Path) -> None:
    root = make_pack(
        more="dependencies: [core, {ref: dns, version: ^2.1}]\nruntime_deps: {python: '>=3.11'}\n"
    )
    git = ("--git", "https://git.example.org/netops.git", "--git-ref", "v1.4.0")
    printed = run_alone("index", "entry", root, "--url", URL, *git)
    entry = json.loads(printed.out)
    checksum = f"sha256:{directory_checksum(root)}"
    published = entry["releases"][0].pop("published_at")
    assert published.endswith("Z")
    assert entry == {
        "ref": "netops",
        "label": "Net Ops",
        "description": "Tools of netops",
        "version": "1.4.0",
        "author": "",
        "license": "",
        "keywords": [],
        "runtime_deps": {"python": ">=3.11"},
        "dependencies": [{"ref": "core", "version": "*"}, {"ref": "dns", "version": "^2.1"}],
        "install_sources": [
            {"type": "archive", "url": URL, "checksum": checksum},
            {"type": "git", "url": "https://git.example.org/netops.git", "ref": "v1.4.0"},
        ],
        "contents": {
            "actions": [{"name": "restart"}],
            "sensors": [],
            "workflows": [{"name": "roll"}],
        },
        "releases": [{"version": "1.4.0", "checksum": checksum}],
    }
    archive = tmp_path / "netops.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(root, "netops-1.4.0")
    of_archive = json.loads(run_alone("index", "entry", archive).out)
    assert of_archive["releases"][0]["checksum"] == checksum
    template = json.loads(run_alone("checksum", root, "--json").out)
    assert template["install_sources"][0]["checksum"] == checksum
    assert template.keys() == entry.keys()


@pytest.mark.parametrize("command", [("index", "entry"), ("checksum", "--json")])
def test_what_is_no_pack_has_no_entry(
    run_alone: Run, make_pack: MakePack, tree: Path, command: tuple[str, ...]
) -> None:
    refused = run_alone(*command, tree)
    assert (refused.code, refused.out) == (4, "")
    assert "is no pack, but a component" in refused.err
    wrong = make_pack()
    (wrong / "pack.yaml").write_text("ref: netops\nversion: 1\n")
    refused = run_alone(*command, wrong)
    assert (refused.code, refused.out) == (4, "")
    assert "it would be refused" in refused.err
    assert "pack.yaml:2" in refused.err


def test_options_that_do_not_go_together(run_alone: Run, make_pack: MakePack) -> None:
    root = make_pack()
    for arguments in (
        ("index", "entry", root, "--git", "https://x/y"),
        ("index", "entry", root, "--git-ref", "v1"),
        ("checksum", root, "--json", "-o", "json"),
        ("checksum", root, "--json", "-q"),
        ("index", "update", root),
        ("search", "x"),
    ):
        assert run_alone(*arguments).code == 2, arguments


def test_what_is_not_there_is_told_in_one_way(run_alone: Run, index: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", index / "nothing"):
        for arguments in (
            ("index", "entry", path),
            ("index", "update", "--index", index, path),
            ("index", "update", "--index", tmp_path / "nothing", tmp_path / "netops-1.4.0"),
            ("index", "merge", tmp_path / "out.json", path),
            ("index", "verify", path),
            ("index", "verify", index, path),
            ("checksum", path),
            ("validate", path),
            ("dev", path),
            ("search", "--index", tmp_path / "nothing"),
            ("show", "netops", "--index", tmp_path / "nothing"),
        ):
            told = run_alone(*arguments)
            assert (told.code, told.out) == (3, ""), (arguments, told.err)
            assert "nothing" in told.err


def test_versions_come_in_once_each(run_alone: Run, make_pack: MakePack, index: Path, tmp_path: Path) -> None:
    again = run_alone("index", "update", "--index", index, tmp_path / "netops-1.4.0")
    assert again.code == 4
    assert "'netops' 1.4.0 already: replace it with --update" in again.err
    assert run_alone("index", "update", "--index", index, make_pack(version="1.10.0"), "-q").out == (
        "netops@1.10.0\n"
    )
    assert run_alone("index", "update", "--index", index, make_pack("dns", "2.0.0")).code == 0
    packs = loaded(index)["packs"]
    assert [(each["ref"], each["version"]) for each in packs] == [("dns", "2.0.0"), ("netops", "1.10.0")]
    assert [each["version"] for each in packs[1]["releases"]] == ["1.10.0", "1.4.0"]
    assert packs[1]["releases"][1]["install_sources"][0]["url"] == URL
    (tmp_path / "netops-1.10.0" / "new").write_text("new")
    (changed,) = run_alone(
        "index", "update", "--index", index, tmp_path / "netops-1.10.0", "--update", "-o", "json"
    ).objects
    assert changed["checksum"] == f"sha256:{directory_checksum(tmp_path / 'netops-1.10.0')}"
    assert loaded(index)["packs"][1]["releases"][0]["checksum"] == changed["checksum"]


def test_an_index_is_not_made_by_mistake(run_alone: Run, make_pack: MakePack, tmp_path: Path) -> None:
    path = tmp_path / "indx.json"
    refused = run_alone("index", "update", "--index", path, make_pack())
    assert (refused.code, path.exists()) == (3, False)
    assert "--name NAME makes it" in refused.err
    nowhere = run_alone("index", "update", "--index", tmp_path / "no" / "i.json", tmp_path / "netops-1.4.0")
    assert (nowhere.code, "cannot write the index" in nowhere.err) == (4, True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--url", "--output=/etc/passwd"), "ADDRESS_INVALID"),
        (("--url", "a b"), "ADDRESS_INVALID"),
        (("--git", "https://x/y", "--git-ref", "--upload-pack=x"), "ADDRESS_INVALID"),
        (("--git", "-x", "--git-ref", "v1"), "ADDRESS_INVALID"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(
    run_alone: Run, make_pack: MakePack, index: Path, options: tuple[str, ...], told: str
) -> None:
    before = index.read_bytes()
    refused = run_alone("index", "update", "--index", index, make_pack("dns"), *options)
    assert (refused.code, told in refused.err) == (4, True), refused.err
    assert index.read_bytes() == before


def test_merging(run_alone: Run, make_pack: MakePack, index: Path, tmp_path: Path) -> None:
    other, out = tmp_path / "other.json", tmp_path / "all.json"
    run_alone("index", "update", "--index", other, make_pack("netops", "1.5.0"), "--name", "theirs")
    run_alone("index", "update", "--index", other, make_pack("dns"))
    merged = run_alone("index", "merge", out, index, other)
    assert (merged.code, merged.out) == (0, f"{out} has 2 packs in 3 versions\n")
    assert loaded(out)["registry_name"] == "ops"
    again = run_alone("index", "merge", out, other, "--name", "new")
    assert (again.code, "name it among the files" in again.err) == (4, True)
    assert run_alone("index", "merge", out, other, out, "--name", "new", "-q").out == f"{out}\n"
    assert (loaded(out)["registry_name"], len(loaded(out)["packs"])) == ("new", 2)
    out.write_text("no index")
    assert run_alone("index", "merge", out, index, "--force").code == 0
    assert len(loaded(out)["packs"]) == 1


def test_two_claims_for_one_version_are_not_merged(run_alone: Run, index: Path, tmp_path: Path) -> None:
    other, out = tmp_path / "other.json", tmp_path / "all.json"
    (tmp_path / "netops-1.4.0" / "more").write_text("more")
    run_alone("index", "update", "--index", other, tmp_path / "netops-1.4.0", "--name", "ops")
    refused = run_alone("index", "merge", out, index, other)
    assert (refused.code, out.exists()) == (4, False)
    assert "error CHECKSUM_CONFLICT" in refused.err
    assert str(index) in refused.err


def test_verifying(run_alone: Run, make_pack: MakePack, index: Path, tmp_path: Path) -> None:
    root = tmp_path / "netops-1.4.0"
    held = run_alone("index", "verify", index, root)
    assert (held.code, held.out) == (0, f"{index} holds: 1 pack in 1 version\n")
    run_alone("index", "update", "--index", index, make_pack("dns"))
    warned = run_alone("index", "verify", index)
    assert (warned.code, "warning INSTALL_SOURCE_MISSING" in warned.out) == (0, True)
    (root / "more").write_text("more")
    wrong = run_alone("index", "verify", index, root)
    assert (wrong.code, wrong.out) == (4, "")
    assert "error CHECKSUM_MISMATCH" in wrong.err
    (told,) = run_alone("index", "verify", index, root, make_pack("zone"), "-o", "json").objects
    assert (told["valid"], told["packs"]) == (False, 2)
    assert "PACK_NOT_INDEXED" in json.dumps(told["findings"])


def test_searching_and_showing(run_alone: Run, make_pack: MakePack, index: Path, tmp_path: Path) -> None:
    run_alone("index", "update", "--index", index, make_pack(version="2.0.0-rc.1"))
    other = tmp_path / "other.json"
    run_alone("index", "update", "--index", other, make_pack("dns", label="Names"), "--name", "theirs")
    found = run_alone("search", "tools", "--index", index, "--index", other)
    assert [line.split()[0] for line in found.out.splitlines()] == ["REF", "netops", "dns"]
    assert run_alone("search", "names", "--index", index, "--index", other, "-q").out == "dns\n"
    nothing = run_alone("search", "nothing", "--index", index)
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "no pack was found\n")
    both = ("--index", index, "--index", other)
    assert run_alone("show", "netops", *both, "-q").out == "netops@1.4.0\n"
    assert run_alone("show", "netops@>=2.0.0-rc.0", *both, "-q").out == "netops@2.0.0-rc.1\n"
    assert run_alone("show", "dns@latest", *both, "-q").out == "dns@1.4.0\n"
    shown = run_alone("show", "netops", *both).out
    assert URL in shown
    assert "versions      2.0.0-rc.1, 1.4.0" in shown
    missing = run_alone("show", "netops@^3", *both)
    assert (missing.code, "there are 2.0.0-rc.1, 1.4.0" in missing.err) == (3, True)
    for ref in ("nothing", "../index", "--", "-x/y@1", "netops/../../etc", ""):
        assert run_alone("show", *both, "--", ref).code == 3, ref
    for ref in ("netops@newest", "netops@", "netops@1.4.0@"):
        assert run_alone("show", ref, *both).code == 2, ref


@pytest.mark.parametrize(
    "text",
    [b"", b"{}", b"[]", b"<html>", b"\xff\xfe\x00", b"[" * 100_000, b'{"a":1,"a":2}', b"\x1f\x8b\x08"],
    ids=["empty", "object", "list", "html", "utf-16", "deep", "twice", "gzip"],
)
def test_what_is_no_index_is_told_by_every_command_and_left_alone(
    run_alone: Run, make_pack: MakePack, tmp_path: Path, text: bytes
) -> None:
    bad, out = tmp_path / "bad.json", tmp_path / "out.json"
    bad.write_bytes(text)
    for arguments in (
        ("index", "update", "--index", bad, make_pack(), "--name", "ops"),
        ("index", "merge", out, bad),
        ("index", "verify", bad),
        ("search", "--index", bad),
        ("show", "netops", "--index", bad),
    ):
        ran = run_alone(*arguments)
        code = 8 if arguments[0] in ("search", "show") else 4
        assert (ran.code, ran.out, "bad.json" in ran.err) == (code, "", True), arguments
        shutil.rmtree(tmp_path / "netops-1.4.0", ignore_errors=True)
    assert bad.read_bytes() == text
    assert not out.exists()
    (told,) = run_alone("index", "verify", bad, "-o", "json").objects
    assert (told["valid"], told["packs"]) == (False, 0)


def test_words_of_an_index_are_safe_for_a_terminal(run_alone: Run, index: Path) -> None:
    value = json.loads(index.read_text())
    (pack,) = value["packs"]
    hostile = "a\x1b]0;owned\x07b\u202e\nc"
    pack.update(label=hostile, description=hostile, author=hostile, keywords=[hostile], license=hostile)
    pack["install_sources"][0]["url"] = "https://x/\x1b[2J"
    pack["contents"]["actions"][0]["name"] = hostile
    index.write_text(json.dumps(value))
    for arguments in (("search", "--index", index), ("show", "netops", "--index", index)):
        for options in ((), ("-o", "json"), ("-o", "yaml"), ("-q",)):
            printed = run_alone(*arguments, *options)
            assert printed.code == 0
            assert not {"\x1b", "\x07", "\u202e"} & set(printed.out + printed.err), printed.out


def test_a_folder_that_is_not_there(run_alone: Run, make_pack: MakePack, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere" / "index.json"
    refused = run_alone("index", "update", "--index", nowhere, make_pack(), "--name", "ops")
    assert (refused.code, "what to do: choose another destination\n" in refused.err) == (4, True)


def test_an_index_behind_a_link_stays_there_and_keeps_its_mode(
    run_alone: Run, make_pack: MakePack, index: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(index.name)
    index.chmod(0o640)
    assert run_alone("index", "update", "--index", link, make_pack("dns")).code == 0
    assert (link.readlink(), index.stat().st_mode & 0o777) == (Path(index.name), 0o640)
    assert len(loaded(index)["packs"]) == 2
    assert [each.name for each in tmp_path.glob(".*")] == []
