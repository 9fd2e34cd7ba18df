"""What an archive is, told by what stands at its root or in its only top-level directory."""

from __future__ import annotations

import pytest

from longshore_bundles import BundleKind
from tests.bundles.sample_bundles import PACK, PACK_YAML, SKILL, SKILL_MD, said, scanned, scanned_every_way
from tests.bundles.trees import File, Link, Tree

COMPONENT: Tree = {"package.json": File(b'{"name": "web", "version": "1.0.0"}'), "lib/a": File(b"1")}


@pytest.mark.parametrize(
    ("tree", "kind", "project", "version"),
    [
        (SKILL, BundleKind.SKILL, "log-rotate", "1.2.0"),
        (PACK, BundleKind.PACK, "netops", "1.4.0"),
        (COMPONENT, BundleKind.COMPONENT, "web", "1.0.0"),
    ],
    ids=["skill", "pack", "component"],
)
def test_a_bundle_is_the_same_however_it_is_packed(
    tree: Tree, kind: BundleKind, project: str, version: str
) -> None:
    first, *others = scanned_every_way(tree)
    assert first.kind is kind
    assert first.accepted
    assert first.manifest is not None
    assert (first.manifest.project, first.manifest.version) == (project, version)
    for other in others:
        assert other.content_sha256 == first.content_sha256
        assert said(other) == said(first)
        assert (other.kind, other.manifest) == (first.kind, first.manifest)
        assert (other.actions, other.sensors) == (first.actions, first.sensors)
        assert (other.workflows, other.workflow_files) == (first.workflows, first.workflow_files)


def test_a_manifest_further_down_says_nothing() -> None:
    found = scanned({"a/SKILL.md": File(SKILL_MD), "b/pack.yaml": File(PACK_YAML)})
    assert (found.kind, found.manifest, found.findings) == (BundleKind.COMPONENT, None, ())
    found = scanned({"a/b/pack.yaml": File(PACK_YAML)})
    assert (found.kind, found.stripped_directory) == (BundleKind.COMPONENT, "")


def test_a_second_top_leaves_the_first_where_it_is() -> None:
    found = scanned({"skill/SKILL.md": File(SKILL_MD), "zz": File(b"")})
    assert (found.kind, found.stripped_directory) == (BundleKind.COMPONENT, "")


def test_a_skill_and_a_pack_at_once_is_an_error() -> None:
    found = scanned({**SKILL, "pack.yaml": File(PACK_YAML)})
    assert said(found) == [("KIND_AMBIGUOUS", "error", "pack.yaml", None)]
    assert found.is_safe
    assert not found.accepted


@pytest.mark.parametrize("name", ["skill.md", "Skill.MD", "pack.yml", "Pack.yaml"])
def test_a_name_that_was_meant_for_a_manifest_is_told(name: str) -> None:
    found = scanned({name: File(b"x"), "a": File(b"")})
    assert said(found) == [("MANIFEST_MISNAMED", "warning", name, None)]
    assert found.accepted


def test_links_are_not_read() -> None:
    found = scanned({**PACK, "workflows/other.yaml": Link("roll.yaml")})
    assert said(found) == [("LINK_NOT_READ", "warning", "workflows/other.yaml", None)]
    found = scanned({**SKILL, "execute.sh": Link("test.sh")})
    assert [code for code, *_ in said(found)] == ["REQUIRED_FILE_MISSING", "LINK_NOT_READ"]


def test_a_manifest_that_is_a_link_makes_no_bundle_and_is_told() -> None:
    found = scanned({"pack.yaml": Link("other.yaml"), "other.yaml": File(PACK_YAML), "actions/x": Link("y")})
    assert said(found) == [("LINK_NOT_READ", "warning", "pack.yaml", None)]
    assert (found.kind, found.accepted) == (BundleKind.COMPONENT, True)


def test_an_unsafe_archive_is_not_read_any_further() -> None:
    found = scanned({"pack.yaml": File(b"{"), "up": Link("../out")})
    assert said(found) == [("LINK_ESCAPES", "error", "up", None)]
    assert not found.is_safe


def test_what_a_bundle_says_wrongly_does_not_make_it_unsafe() -> None:
    found = scanned({"pack.yaml": File(b"{")})
    assert [code for code, *_ in said(found)] == ["YAML_INVALID"]
    assert (found.is_safe, found.accepted) == (True, False)
    assert found.content_sha256


@pytest.mark.parametrize(
    ("tree", "severity", "manifest", "line"),
    [(SKILL, "error", "SKILL.md", 3), (PACK, "warning", "pack.yaml", 4)],
)
def test_a_package_of_another_version_beside_it_is_told(
    tree: Tree, severity: str, manifest: str, line: int
) -> None:
    found = scanned({**tree, "package.json": File(b'{"name": "x", "version": "9.0.0"}')})
    assert said(found) == [("VERSION_CONFLICT", severity, manifest, line)]
    version = found.manifest.version if found.manifest is not None else ""
    assert version != "9.0.0"
    same = f'{{"name": "x", "version": "{version}"}}'.encode()
    assert said(scanned({**tree, "package.json": File(same)})) == []
