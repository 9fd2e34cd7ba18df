"""Whatever the files of a bundle hold: an answer, and every finding in its place."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import longshore_bundles
from longshore_bundles import FindingLog
from longshore_bundles.bundle_files import BundleFile, BundleFiles
from longshore_bundles.bundle_reading import read_bundle
from longshore_bundles.findings import KEPT_FINDINGS
from tests.bundles.sample_bundles import PACK, said, scanned
from tests.bundles.trees import File

PACKAGE = Path(longshore_bundles.__file__).parent
ROOT = Path(__file__).parents[2]

_paths = st.sampled_from(
    [
        *("SKILL.md", "pack.yaml", "package.json", "pyproject.toml", "config.schema.yaml", "execute.sh"),
        *("actions/a.yaml", "actions/b.yml", "actions/c.sh", "actions/workflows/w.yaml", "sensors/s.yaml"),
        *("workflows/w.yaml", "workflows/w.yml", "workflows/x/y.yaml", "workflows/.yaml", "actions/-.yaml"),
    ]
)
_lines = st.sampled_from(
    [
        *(
            "---",
            "ref: a",
            "name: b",
            "label: x",
            "description: y",
            "version: 1.0.0",
            "tasks:",
            "  - name: t",
        ),
        *("    action: a.b", "    on_success: t", "runner_type: orquesta", "entry_point: workflows/w.yaml"),
        *(
            "tasks: {t: {action: x, next: [{do: t}]}}",
            "input: [a]",
            "output: [{b: c}]",
            "- x",
            "\t",
            "[",
            "~",
        ),
        *(
            "parameters: {p: {type: 7}}",
            "&a [*a]",
            "x: !y z",
            "when: ''",
            "next: 3",
            "vars: 1",
            "enabled: maybe",
        ),
    ]
)
_contents = st.one_of(
    st.binary(max_size=60), st.lists(_lines, max_size=10).map(lambda lines: "\n".join(lines).encode())
)


@settings(deadline=None)
@given(st.dictionaries(_paths, st.builds(BundleFile, _contents, st.booleans()), max_size=8))
def test_reading_never_raises(tree: dict[str, BundleFile]) -> None:
    files, log = BundleFiles(), FindingLog()
    for path, file in tree.items():
        files.add(path, file)
    bundle = read_bundle(files, log)
    assert all(finding.path in tree or finding.code for finding in log.findings())
    assert set(bundle.workflow_files) == {workflow.path for workflow in bundle.workflows}
    names = [workflow.ref.casefold() for workflow in bundle.workflows if workflow.valid]
    assert len(set(names)) == len(names)


def test_what_is_wrong_in_one_file_does_not_hide_what_is_wrong_in_another() -> None:
    found = scanned(
        {
            **PACK,
            "pack.yaml": File(b"ref: netops\nlabel: x\ndescription: x\nversion: 1\n"),
            "actions/bad.yaml": File(b"\xff"),
            "sensors/bad.yaml": File(b"a: b: c"),
            "workflows/bad.yaml": File(b"label: x\nversion: 1.0.0\ntasks: []\n"),
            "workflows/worse.yaml": File(b"\t"),
        }
    )
    assert {path for _, severity, path, _ in said(found) if severity == "error"} == {
        *("pack.yaml", "actions/bad.yaml", "sensors/bad.yaml", "workflows/bad.yaml", "workflows/worse.yaml")
    }
    assert {workflow.name for workflow in found.workflows if workflow.valid} == {"roll"}


def test_findings_are_bounded_and_counted() -> None:
    flood = b"".join(b"k: 1\n" for _ in range(3 * KEPT_FINDINGS))
    found = scanned({**PACK, "workflows/flood.yaml": File(flood)})
    assert len(found.findings) == KEPT_FINDINGS
    assert found.total_findings > 3 * KEPT_FINDINGS - 2


def test_every_code_is_told_in_the_documentation() -> None:
    documented = (ROOT / "docs" / "errors.md").read_text()
    own = [
        path
        for folder in ("documents", "schemas", "packs")
        for path in (PACKAGE / folder).glob("*.py")
        if path.name != "__init__.py"
    ]
    own += [PACKAGE / name for name in ("kinds.py", "skills.py", "bundle_reading.py")]
    codes = {code for path in own for code in re.findall(r'"([A-Z]+(?:_[A-Z0-9]+)+)"', path.read_text())}
    assert {"UNKNOWN_KEY", "YAML_INVALID", "KIND_AMBIGUOUS", "STACKSTORM_SPELLING"} <= codes
    assert {code for code in codes if f"`{code}`" not in documented} == set()
