"""Addresses in indexes: the same archives wherever an index lies, usable by others, and nobody's secret."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import pytest

from longshore_bundles import directory_checksum
from tests.client.command_line import Run

from .conftest import MakePack, MakeRegistry


def urls(index: Path) -> list[str]:
    return [
        source["url"]
        for pack in json.loads(index.read_text())["packs"]
        for release in (pack, *pack["releases"])
        for source in release.get("install_sources", ())
    ]


def test_archives_stay_the_same_where_their_index_is_merged_elsewhere(
    run_alone: Run, make_registry: MakeRegistry, tmp_path: Path
) -> None:
    one, two = make_registry("one"), make_registry("two/deep", "dns")
    # Known by two paths, it is one archive.
    (tmp_path / "again.json").write_text(one.read_text().replace("archives/", "one/../one/archives/"))
    out = tmp_path / "all.json"
    assert run_alone("index", "merge", out, one, two).code == 0
    assert urls(out) == ["two/deep/archives/dns.tar.gz", "one/archives/netops.tar.gz"]
    assert run_alone("index", "verify", out).out == f"{out} holds: 2 packs in 2 versions\n"
    assert run_alone("index", "merge", out, out, one, two).code == 0
    assert urls(out) == ["two/deep/archives/dns.tar.gz", "one/archives/netops.tar.gz"]
    # Beside one of them its own stay as they are.
    assert run_alone("index", "merge", one.with_name("new.json"), one).code == 0
    assert urls(one.with_name("new.json")) == ["archives/netops.tar.gz"]


def test_an_index_behind_a_link_is_where_the_link_leads(
    run_alone: Run, make_registry: MakeRegistry, tmp_path: Path
) -> None:
    index = make_registry("one")
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.json"
    link.symlink_to(index)
    out = tmp_path / "all.json"
    assert run_alone("index", "merge", out, link).code == 0
    assert urls(out) == ["one/archives/netops.tar.gz"]
    assert run_alone("index", "verify", link).code == 0


def test_archives_out_of_reach_are_not_merged(
    run_alone: Run, make_registry: MakeRegistry, tmp_path: Path
) -> None:
    one, two = make_registry("one"), make_registry("two", "dns")
    before = one.read_bytes()
    refused = run_alone("index", "merge", one, one, two)
    assert refused.code == 4
    assert "'../two/archives/dns.tar.gz' does not lie below the folder of the index" in refused.err
    assert one.read_bytes() == before


def test_folders_with_strange_names(run_alone: Run, make_registry: MakeRegistry, tmp_path: Path) -> None:
    for folder in ("-x", "https:", "~"):
        index = make_registry(folder, f"p{len(folder)}")
        out = tmp_path / "all.json"
        assert run_alone("index", "merge", out, index, "--force").code == 0
        assert urls(out) == [f"./{folder}/archives/p{len(folder)}.tar.gz"]
        assert run_alone("index", "verify", out).code == 0
        shutil.rmtree(index.parent)


def test_archives_beside_an_index_are_held_against_it(
    run_alone: Run, make_registry: MakeRegistry, tmp_path: Path
) -> None:
    index = make_registry("one")
    archive = index.parent / "archives" / "netops.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(index, "other")
    changed = run_alone("index", "verify", index)
    assert (changed.code, "CHECKSUM_MISMATCH" in changed.err) == (4, True)
    archive.unlink()
    gone = run_alone("index", "verify", index)
    assert (gone.code, "ARCHIVE_UNREADABLE" in gone.err) == (4, True)
    archive.symlink_to("/etc/hostname")
    outside = run_alone("index", "verify", index)
    assert (outside.code, "ADDRESS_INVALID" in outside.err) == (4, True)
    assert "leads out of its own folder" in outside.err
    archive.unlink()
    archive.symlink_to(archive)
    assert "ARCHIVE_UNREADABLE" in run_alone("index", "verify", index).err


def archived(index: Path, root: Path) -> str:
    """Put a directory in the place of the archive beside an index; its checksum."""
    with tarfile.open(index.parent / "archives" / "netops.tar.gz", "w:gz") as tar:
        tar.add(root, ".")
    return f"sha256:{directory_checksum(root)}"


def test_archives_are_the_versions_that_their_index_says(
    run_alone: Run, make_registry: MakeRegistry, make_pack: MakePack, tmp_path: Path
) -> None:
    index = make_registry("one")
    before = index.read_text()
    old = archived(index, tmp_path / "netops-1.4.0")
    assert old in before
    component = tmp_path / "component"
    component.mkdir()
    (component / "a.txt").write_text("a")
    skill = tmp_path / "skill"
    skill.mkdir()
    (skill / "SKILL.md").write_text("---\nname: netops\nversion: 1.4.0\ndescription: For tests\n---\n")
    (skill / "execute.sh").write_text("#!/bin/sh\n")
    (skill / "execute.sh").chmod(0o755)
    lost = make_pack("netops", "1.4.1")
    manifest = lost / "pack.yaml"
    manifest.write_text(manifest.read_text().replace("version: 1.4.1", "version: 1.4.0\nruntime_deps: 3"))
    for root, code, why in (
        (make_pack("other", "1.4.0"), "ARCHIVE_DIFFERS", "the pack.yaml in netops.tar.gz says other 1.4.0"),
        (make_pack("netops", "1.5.0"), "ARCHIVE_DIFFERS", "the pack.yaml in netops.tar.gz says netops 1.5.0"),
        (component, "ARCHIVE_DIFFERS", "netops.tar.gz is a component: an index has packs only"),
        (skill, "ARCHIVE_DIFFERS", "netops.tar.gz is a skill: an index has packs only"),
        (lost, "ARCHIVE_REFUSED", "netops.tar.gz would be refused: pack.yaml: "),
    ):
        index.write_text(before.replace(old, archived(index, root)))
        wrong = run_alone("index", "verify", index)
        assert (wrong.code, wrong.out) == (4, "")
        assert f"error {code} {index}: 'netops' 1.4.0: " in wrong.err
        assert why in wrong.err, wrong.err
    index.write_text(before)
    archived(index, tmp_path / "netops-1.4.0")
    assert run_alone("index", "verify", index).code == 0


_SECRET = "s3cret"
_UNUSABLE = {
    "user": (f"https://me:{_SECRET}@packs.example.org/x.tar", "ADDRESS_WITH_CREDENTIALS"),
    "token-user": (f"https://{_SECRET}@packs.example.org/x.tar", "ADDRESS_WITH_CREDENTIALS"),
    "token": (f"https://packs.example.org/x.tar?token={_SECRET}", "ADDRESS_WITH_CREDENTIALS"),
    "signature": (f"https://s3.example.org/x?X-Amz-Signature={_SECRET}", "ADDRESS_WITH_CREDENTIALS"),
    "empty-key": ("https://packs.example.org/x.tar?api_key=", "ADDRESS_WITH_CREDENTIALS"),
    "fragment": (f"https://packs.example.org/x#access_token={_SECRET}", "ADDRESS_WITH_CREDENTIALS"),
    "no-scheme": (f"//me:{_SECRET}@packs.example.org/x", "ADDRESS_INVALID"),
    "one-slash": (f"https:me:{_SECRET}@packs.example.org/x", "ADDRESS_INVALID"),
    "script": ("javascript:alert(1)", "ADDRESS_INVALID"),
    "data": ("data:application/x-tar;base64,AAAA", "ADDRESS_INVALID"),
    "ftp": ("ftp://packs.example.org/x.tar", "ADDRESS_INVALID"),
    "file": ("file:///etc/passwd", "ADDRESS_INVALID"),
    "absolute": ("/etc/passwd", "ADDRESS_INVALID"),
    "home": ("~/x.tar", "ADDRESS_INVALID"),
    "outside": ("archives/../../x.tar", "ADDRESS_INVALID"),
    "option": ("-x", "ADDRESS_INVALID"),
    "empty": ("", "ADDRESS_INVALID"),
    "no-host": ("https:///x.tar", "ADDRESS_INVALID"),
    "bracket": ("https://[x/y.tar", "ADDRESS_INVALID"),
    "escape": ("archives/\x1b[2J.tar", "ADDRESS_INVALID"),
    "long": (f"https://packs.example.org/{'x' * 9_000}", "ADDRESS_INVALID"),
}


@pytest.mark.parametrize(("url", "code"), _UNUSABLE.values(), ids=_UNUSABLE)
def test_an_address_that_no_index_should_name_is_refused(
    run_alone: Run, make_registry: MakeRegistry, tmp_path: Path, url: str, code: str
) -> None:
    index = make_registry("one")
    root, before = tmp_path / "netops-1.4.0", index.read_bytes()
    value = json.loads(index.read_text())
    value["packs"][0]["install_sources"][0]["url"] = url
    bad = index.with_name("bad.json")
    bad.write_text(json.dumps(value))
    for arguments in (
        ("index", "update", "--index", index, root, "--update", "--url", url),
        ("index", "entry", root, "--url", url),
        ("index", "verify", bad),
        ("index", "merge", index.with_name("new.json"), bad),
    ):
        refused = run_alone(*arguments)
        assert (refused.code, refused.out, f"error {code}" in refused.err) == (4, "", True), refused.err
        assert _SECRET not in refused.err
        assert len(refused.err) < 1500
    assert index.read_bytes() == before
    assert not index.with_name("new.json").exists()


@pytest.mark.parametrize(
    ("url", "ref"),
    [
        (f"https://me:{_SECRET}@git.example.org/x", "v1"),
        (f"git+https://me:{_SECRET}@git.example.org/x", "v1"),
        (f"ssh://git:{_SECRET}@git.example.org/x", "v1"),
        (f"https://git.example.org/x?private_token={_SECRET}", "v1"),
        ("file:///srv/x", "v1"),
        ("git+file:///srv/x", "v1"),
        ("../x", "v1"),
        ("ext::sh", "v1"),
        ("https://git.example.org/x", "v1..v2"),
        ("https://git.example.org/x", "a:b"),
    ],
)
def test_a_repository_that_no_index_should_name_is_refused(
    run_alone: Run, make_pack: MakePack, url: str, ref: str
) -> None:
    refused = run_alone("index", "entry", make_pack(), "--git", url, "--git-ref", ref)
    assert (refused.code, refused.out, "error ADDRESS_" in refused.err) == (4, "", True), refused.err
    assert _SECRET not in refused.err


def test_addresses_that_are_as_they_should_be(run_alone: Run, make_pack: MakePack) -> None:
    root = make_pack()
    for url in (
        "https://packs.example.org/x?raw=1",
        "http://10.0.0.1:8080/x",
        "a/./b.tar",
        "https://bücher.example/x",
    ):
        assert run_alone("index", "entry", root, "--url", url).code == 0, url
    for url in ("https://git.example.org/x.git", "git+ssh://git@git.example.org/x", "git@git.example.org:x"):
        assert run_alone("index", "entry", root, "--git", url, "--git-ref", "v1").code == 0, url
    assert directory_checksum(root) in run_alone("index", "entry", root).out
