"""What is kept of an archive while it passes by: enough, and never too much."""

from __future__ import annotations

import pytest

from longshore_bundles import BundleKind
from longshore_bundles import bundle_files as module
from longshore_bundles.bundle_files import BundleFile, BundleFiles, FileKeeper, is_read
from longshore_bundles.documents import MAX_DOCUMENT_BYTES
from tests.bundles.sample_bundles import PACK, WORKFLOW, said, scanned
from tests.bundles.trees import File, Tree


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("SKILL.md", True),
        ("pack.yaml", True),
        ("package.json", True),
        ("config.schema.yaml", True),
        ("execute.sh", False),
        ("workflows/a.yaml", True),
        ("workflows/a.YML", True),
        ("workflows/a.json", False),
        ("actions/a.yml", True),
        ("actions/workflows/a.yaml", True),
        ("sensors/a.yaml", True),
        ("sensors/deep/a.yaml", False),
        ("rules/a.yaml", False),
        ("workflows", False),
        ("", False),
    ],
)
def test_what_is_read(path: str, read: bool) -> None:
    assert is_read(path) is read


def test_the_root_shows_at_the_end() -> None:
    keeper = FileKeeper()
    keeper.add("top/pack.yaml", b"1", executable=False)
    keeper.add("top/actions/a.sh", b"", executable=True)
    keeper.add("top/lib/x", b"", executable=True)
    keeper.add_link("top/workflows/a.yaml")
    inside = keeper.kept(inside_top=True)
    assert dict(inside) == {"pack.yaml": BundleFile(b"1"), "actions/a.sh": BundleFile(executable=True)}
    assert inside.links == {"workflows/a.yaml"}
    assert dict(keeper.kept(inside_top=False)) == {}
    keeper.has_several_tops()
    assert not keeper.wants("top/pack.yaml")
    assert keeper.wants("pack.yaml")


def test_a_file_is_kept_up_to_one_byte_too_many() -> None:
    keeper = FileKeeper()
    keeper.add("pack.yaml", bytes(MAX_DOCUMENT_BYTES * 2), executable=False)
    assert len(keeper.kept(inside_top=False)["pack.yaml"].content) == MAX_DOCUMENT_BYTES + 1


def test_too_much_is_let_go_but_never_the_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT_FILES", 3)
    files = BundleFiles()
    for number in range(5):
        files.add(f"workflows/{number}.yaml", BundleFile(b"x"))
    files.add("pack.yaml", BundleFile(b"x"))
    assert files.first_not_kept == "workflows/3.yaml"
    assert sorted(files) == ["pack.yaml", *(f"workflows/{number}.yaml" for number in range(3))]
    monkeypatch.setattr(module, "MAX_KEPT_BYTES", 10)
    files = BundleFiles()
    files.add("actions/a.yaml", BundleFile(b"x" * 6))
    files.add("actions/b.yaml", BundleFile(b"x" * 6))
    assert (files.first_not_kept, list(files)) == ("actions/b.yaml", ["actions/a.yaml"])


def test_a_pack_of_too_many_files_is_refused_and_a_component_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT_FILES", 2)
    many: Tree = {f"workflows/{number}.yaml": File(WORKFLOW) for number in range(4)}
    found = scanned({**PACK, **many})
    assert "PACK_TOO_LARGE" in [code for code, *_ in said(found)]
    assert found.is_safe
    found = scanned({**many, "z": File(b"")})
    assert (found.kind, found.findings) == (BundleKind.COMPONENT, ())


def test_a_file_above_the_limit_is_told_by_its_path() -> None:
    found = scanned({**PACK, "workflows/big.yaml": File(b" " * (MAX_DOCUMENT_BYTES + 1))})
    assert said(found) == [("DOCUMENT_TOO_LARGE", "error", "workflows/big.yaml", None)]
