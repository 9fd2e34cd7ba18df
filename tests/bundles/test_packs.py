"""Packs: every field of the manifest, and what is listed from the tree."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_bundles import Dependency, FindingLog
from longshore_bundles.bundle_files import BundleFile, BundleFiles
from longshore_bundles.packs import PackItem, PackManifest, read_items, read_pack_manifest

GOOD = {"ref": "netops", "label": "Net Ops", "description": "Network tools", "version": "1.4.0"}


def files_of(pack_yaml: bytes, **more: bytes) -> BundleFiles:
    files = BundleFiles()
    files.add("pack.yaml", BundleFile(pack_yaml))
    for name, content in more.items():
        files.add(name.replace("__", "."), BundleFile(content))
    return files


def read(pack_yaml: bytes, **more: bytes) -> tuple[PackManifest, list[tuple[str, str, int | None]]]:
    log = FindingLog()
    manifest = read_pack_manifest(files_of(pack_yaml, **more), log)
    return manifest, [(each.code, each.severity.value, each.line) for each in log.findings()]


def read_with(**fields: Any) -> tuple[PackManifest, list[tuple[str, str, int | None]]]:
    return read(yaml.safe_dump({**GOOD, **fields}, sort_keys=False, width=10_000).encode())


def test_every_field() -> None:
    manifest, findings = read_with(
        author="Ops",
        email="ops@example.org",
        license="MIT",
        homepage="https://example.org",
        repository="https://example.org/r.git",
        keywords=["net"],
        tags=["a", "b"],
        meta={"team": {"id": 7}},
        dependencies=["core", {"ref": "dns", "version": "^2.1"}],
        runtime_deps={"python": ">=3.11", "nodejs": ">=18"},
        conf_schema={"type": "object", "properties": {"url": {"type": "string"}}},
        tests="pytest tests",
    )
    assert findings == []
    assert manifest == PackManifest(
        ("pack.yaml",),
        name="netops",
        project="netops",
        version="1.4.0",
        label="Net Ops",
        description="Network tools",
        author="Ops",
        email="ops@example.org",
        license="MIT",
        homepage="https://example.org",
        repository="https://example.org/r.git",
        keywords=("net",),
        tags=("a", "b"),
        meta={"team": {"id": 7}},
        dependencies=(Dependency("core"), Dependency("dns", "^2.1")),
        runtime_deps={"python": ">=3.11", "nodejs": ">=18"},
        conf_schema={"type": "object", "properties": {"url": {"type": "string"}}},
        test_command=("pytest", "tests"),
    )


@pytest.mark.parametrize("field", ["ref", "label", "description", "version"])
def test_what_must_be_there(field: str) -> None:
    fields = {key: value for key, value in GOOD.items() if key != field}
    manifest, findings = read(yaml.safe_dump(fields).encode())
    assert findings == [("KEY_MISSING", "error", 1)]
    assert manifest.version == ("" if field == "version" else "1.4.0")


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("ref", "Netops", "INVALID_NAME_FORMAT"),
        ("ref", "../netops", "INVALID_NAME_FORMAT"),
        ("ref", "-rf", "INVALID_NAME_FORMAT"),
        ("ref", "a.b", "INVALID_NAME_FORMAT"),
        ("ref", "a" * 101, "INVALID_NAME_FORMAT"),
        ("ref", "", "INVALID_NAME_FORMAT"),
        ("ref", 7, "WRONG_TYPE"),
        ("version", "1.4", "INVALID_VERSION_FORMAT"),
        ("version", "1.4.0+build", "INVALID_VERSION_FORMAT"),
        ("version", 1.4, "WRONG_TYPE"),
        ("label", "", "VALUE_INVALID"),
        ("description", None, "WRONG_TYPE"),
        ("author", ["Ops"], "WRONG_TYPE"),
        ("keywords", "net", "WRONG_TYPE"),
        ("tags", [1], "WRONG_TYPE"),
        ("meta", [], "WRONG_TYPE"),
        ("dependencies", "core", "WRONG_TYPE"),
        ("dependencies", [3], "WRONG_TYPE"),
        ("dependencies", ["Core"], "INVALID_NAME_FORMAT"),
        ("dependencies", [{"version": "1"}], "KEY_MISSING"),
        ("dependencies", [{"ref": "a", "version": 1}], "WRONG_TYPE"),
        ("dependencies", [{"ref": "a", "version": "latest please"}], "CONSTRAINT_INVALID"),
        ("dependencies", ["dns", {"ref": "dns"}], "DEPENDENCY_DUPLICATE"),
        ("dependencies", ["netops"], "DEPENDENCY_CYCLE"),
        ("runtime_deps", {"python": 3.11}, "WRONG_TYPE"),
        ("runtime_deps", ["python"], "WRONG_TYPE"),
        ("runtime_deps", {"python": "=> 3"}, "CONSTRAINT_INVALID"),
        ("conf_schema", [], "WRONG_TYPE"),
        ("conf_schema", {"type": "objekt"}, "JSON_SCHEMA_INVALID"),
        ("conf_schema", {"properties": {"a": {"pattern": "("}}}, "JSON_SCHEMA_INVALID"),
        ("tests", ["pytest"], "WRONG_TYPE"),
        ("tests", "pytest 'tests", "VALUE_INVALID"),
        ("tests", "pytest \\", "VALUE_INVALID"),
        ("tests", "  ", "VALUE_INVALID"),
        ("tests", "x" * 2_001, "VALUE_INVALID"),
        ("label", "x" * 256, "VALUE_INVALID"),
        ("description", "x" * 10_001, "VALUE_INVALID"),
        ("author", "x" * 2_001, "VALUE_INVALID"),
        ("tags", ["x" * 256], "VALUE_INVALID"),
        ("keywords", ["x"] * 201, "VALUE_INVALID"),
        ("dependencies", [f"p{n}" for n in range(201)], "VALUE_INVALID"),
        ("runtime_deps", {f"r{n}": "*" for n in range(51)}, "VALUE_INVALID"),
        ("runtime_deps", {"r" * 101: "*"}, "VALUE_INVALID"),
        ("licence", "MIT", "UNKNOWN_KEY"),
    ],
)
def test_what_is_wrong_is_one_finding(field: str, value: object, code: str) -> None:
    _, findings = read_with(**{field: value})
    lines = {"ref": 1, "label": 2, "description": 3, "version": 4}
    assert [found for found, *_ in findings] == [code]
    assert findings[0][1] == ("warning" if code == "UNKNOWN_KEY" else "error")
    assert (findings[0][2] or 0) >= lines.get(field, 5)


def test_what_is_too_much_is_cut_off_as_it_may_be_recorded_all_the_same() -> None:
    manifest, findings = read_with(
        ref="a" * 5_000,
        label="x" * 5_000,
        description="x" * 11_000,
        author="x" * 5_000,
        tags=["x" * 300] * 300,
        keywords=["x"] * 500,
        dependencies=[f"p{n}" for n in range(500)],
        runtime_deps={f"r{n}": "*" for n in range(500)},
        tests="x" * 5_000,
    )
    assert {code for code, *_ in findings} == {"VALUE_INVALID", "INVALID_NAME_FORMAT"}
    assert (manifest.project, manifest.name, manifest.label) == ("", "a" * 100, "x" * 255)
    assert (len(manifest.description), len(manifest.author)) == (10_000, 2_000)
    assert (manifest.tags, len(manifest.keywords)) == (("x" * 255,) * 200, 200)
    assert (len(manifest.dependencies), len(manifest.runtime_deps)) == (200, 50)
    assert manifest.test_command == ()


def test_the_words_of_the_test_command_are_told_apart() -> None:
    manifest, findings = read_with(tests="sh -c 'a b' \"c d\"")
    assert (manifest.test_command, findings) == (("sh", "-c", "a b", "c d"), [])


@pytest.mark.parametrize("end", ["", " "])
def test_a_dependency_that_is_no_address_is_not_searched_again_and_again(end: str) -> None:
    written = "https" + "/a@" * 100_000 + end
    _, findings = read_with(stackstorm_version=">=3", dependencies=[written])
    assert {code for code, *_ in findings} == {"INVALID_NAME_FORMAT", "STACKSTORM_SPELLING"}


def test_all_findings_are_told_at_once() -> None:
    text = b"ref: Net\nref: net\nversion: 1\ndependencies:\n  - a\n  - {ref: b, version: '?'}\n"
    assert read(text + b"runtime_deps:\n  x: '!'\n")[1] == [
        ("KEY_DUPLICATE", "error", 2),
        ("KEY_MISSING", "error", 1),
        ("KEY_MISSING", "error", 1),
        ("INVALID_NAME_FORMAT", "error", 1),
        ("WRONG_TYPE", "error", 3),
        ("CONSTRAINT_INVALID", "error", 6),
        ("CONSTRAINT_INVALID", "error", 8),
    ]


def test_a_schema_that_names_an_address_is_not_fetched() -> None:
    schema = {"$schema": "http://127.0.0.1:9/none", "$ref": "http://127.0.0.1:9/other"}
    assert read_with(conf_schema=schema)[1] == []


def listed(folder: str, **tree: tuple[bytes, bool] | bytes) -> tuple[list[PackItem], list[str]]:
    files, log = BundleFiles(), FindingLog()
    for name, file in tree.items():
        content, executable = file if isinstance(file, tuple) else (file, False)
        files.add(folder + name.replace("__", "."), BundleFile(content, executable))
    return list(read_items(files, folder, log)), [each.code for each in log.findings()]


def test_actions_are_listed_by_their_metadata_and_by_what_can_be_run() -> None:
    items, codes = listed(
        "actions/",
        restart__yaml=b"name: restart\ndescription: Restarts\nentry_point: run.py\n",
        run__py=(b"", True),
        probe__sh=(b"", True),
        helper__py=b"",
        unnamed__yml=b"description: Named by its file\n",
        unnamed__py=(b"", True),
    )
    assert codes == []
    assert items == [
        PackItem("probe", path="actions/probe.sh"),
        PackItem("restart", "Restarts", "actions/restart.yaml", "run.py"),
        PackItem("unnamed", "Named by its file", "actions/unnamed.yml"),
    ]


def test_without_any_metadata_every_script_is_an_action() -> None:
    items, codes = listed("actions/", a__py=b"", b__txt=b"", __init____py=b"")
    assert ([item.name for item in items], codes) == (["a"], [])


def test_sensors_are_called_by_their_class() -> None:
    items, codes = listed(
        "sensors/", s__yaml=b"class_name: LinkSensor\nentry_point: s.py\npoll_interval: 5\n", s__py=b""
    )
    assert (items, codes) == ([PackItem("LinkSensor", "", "sensors/s.yaml", "s.py")], [])


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        (b"name: 7", "WRONG_TYPE"),
        (b"name: x\ndescription: []", "WRONG_TYPE"),
        (b"name: x\nparameters: []", "WRONG_TYPE"),
        (b"[]", "WRONG_TYPE"),
        (b"", "DOCUMENT_EMPTY"),
        (b"\xff", "DOCUMENT_NOT_UTF8"),
        (b"name: ../x", "INVALID_NAME_FORMAT"),
        (b"name: -x", "INVALID_NAME_FORMAT"),
        (b"name: RESTART", "NAME_DUPLICATE"),
    ],
)
def test_what_is_wrong_with_metadata(metadata: bytes, code: str) -> None:
    items, codes = listed("actions/", restart__yaml=b"name: restart", x__yaml=metadata)
    assert codes == [code]
    assert items


@pytest.mark.parametrize(
    ("metadata", "code", "line"),
    [
        (b"description: x\nname: ../x", "INVALID_NAME_FORMAT", 2),
        (b"\n\nname: Restart", "NAME_DUPLICATE", 3),
        (b"entry_point: x.py\nclass_name: RESTART", "NAME_DUPLICATE", 2),
    ],
)
def test_a_name_is_told_with_its_line(metadata: bytes, code: str, line: int) -> None:
    files, log = BundleFiles(), FindingLog()
    files.add("actions/restart.yaml", BundleFile(b"name: restart"))
    files.add("actions/x.yaml", BundleFile(metadata))
    read_items(files, "actions/", log)
    assert [(each.code, each.path, each.line) for each in log.findings()] == [(code, "actions/x.yaml", line)]


_texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
_refs = st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True)


@settings(deadline=None)
@given(
    _refs,
    _texts,
    st.lists(_texts, max_size=3),
    st.dictionaries(_refs, st.sampled_from(["^1.2", ">=1, <3", "*"])),
)
def test_every_accepted_pack_is_read_as_it_was_written(
    ref: str, words: str, keywords: list[str], needs: dict[str, str]
) -> None:
    needs.pop(ref, None)
    dependencies = [{"ref": name, "version": constraint} for name, constraint in needs.items()]
    manifest, findings = read_with(
        ref=ref, label=words, description=words, author=words, keywords=keywords, dependencies=dependencies
    )
    assert findings == []
    assert (manifest.name, manifest.project, manifest.label, manifest.description) == (ref, ref, words, words)
    assert manifest.keywords == tuple(keywords)
    assert manifest.dependencies == tuple(Dependency(*each) for each in needs.items())


_lines = st.sampled_from(
    [
        *("ref: a", "name: b", "label: x", "version: 1.0.0", "version: 1.0", "dependencies:", "  - a"),
        *("  - {ref: b}", "  - https://x/y", "runtime_deps: {a: 1}", "python_versions: [3]", "meta: ~"),
        *("conf_schema: {type: 1}", "[", "\t", "x: &a ", "y: *a"),
    ]
)
_texts_of_lines = st.lists(_lines, max_size=12).map(lambda lines: "\n".join(lines).encode())


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=200), _texts_of_lines))
def test_reading_never_raises(data: bytes) -> None:
    manifest, findings = read(data, config__schema__yaml=data)
    errors = [code for code, severity, _ in findings if severity == "error"]
    assert errors or (manifest.project and manifest.version)
    listed("actions/", x__yaml=data)
