"""Real bundles with one thing changed, every field to everything it must not be: an answer each time."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore_bundles import FindingLog, Severity
from longshore_bundles.bundle_files import BundleFile, BundleFiles
from longshore_bundles.bundle_reading import Bundle, read_bundle
from longshore_bundles.findings import KEPT_FINDINGS
from longshore_bundles.packs import PackManifest, read_pack_manifest
from longshore_bundles.workflows import parsed_form

_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_PACK: dict[str, Any] = {
    "ref": "netops",
    "label": "Net Ops",
    "description": "Network tools",
    "version": "1.4.0",
    "author": "Ops",
    "email": "ops@example.org",
    "license": "MIT",
    "homepage": "https://example.org",
    "repository": "https://example.org/r.git",
    "keywords": ["net"],
    "tags": ["a"],
    "meta": {"team": 7},
    "dependencies": ["core", {"ref": "dns", "version": "^2.1"}],
    "runtime_deps": {"python": ">=3.11"},
    "conf_schema": {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]},
    "tests": "pytest tests",
}
_STACKSTORM: dict[str, Any] = {
    "name": "NetOps",
    "description": "Network tools",
    "version": "1.4",
    "author": "Ops",
    "keywords": ["net"],
    "stackstorm_version": ">=3.0.0",
    "python_versions": ["2", "3"],
    "contributors": ["somebody"],
    "dependencies": ["excel=0.2.4", "https://example.org/stackstorm-jira.git"],
}
_ROLL: dict[str, Any] = {
    "label": "Roll",
    "version": "1.0.0",
    "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}},
    "tasks": [
        {
            "name": "a",
            "action": "netops.restart",
            "retry": {"count": 3, "delay": 1},
            "next": [{"when": "x", "publish": {"k": 1}, "do": ["b"]}],
            "decision": [{"when": "y", "next": "b", "default": True}],
            "on_failure": ["b"],
        },
        {"name": "b", "type": "parallel", "tasks": {"c": {"action": "core.http", "with_items": [1]}}},
    ],
}
_ORQUESTA: dict[str, Any] = {
    "version": 1.0,
    "input": ["host", {"port": 22}],
    "vars": [{"n": 1}],
    "output": [{"out": "<% ctx(n) %>"}],
    "tasks": {
        "a": {
            "action": "core.local cmd='ls'",
            "with": {"items": "<% ctx(host) %>", "concurrency": 1},
            "retry": {"count": 2},
            "next": [{"when": "x", "publish": "k=1", "do": "b, noop"}],
        },
        "b": {"action": "core.noop", "join": "all"},
    },
}
_TREE: dict[str, Any] = {
    "pack.yaml": _PACK,
    "config.schema.yaml": {"url": {"type": "object", "required": True, "properties": {"a": {}}}},
    "actions/restart.yaml": {"name": "restart", "description": "x", "entry_point": "restart.sh"},
    "actions/flow.yaml": {
        "name": "flow",
        "runner_type": "orquesta",
        "entry_point": "workflows/flow.yaml",
        "enabled": True,
        "tags": ["x"],
        "parameters": {"host": {"type": "string", "required": True}},
    },
    "actions/workflows/flow.yaml": _ORQUESTA,
    "sensors/link.yaml": {"class_name": "Link", "entry_point": "link.py", "enabled": True},
    "workflows/roll.yaml": _ROLL,
    "package.json": {"name": "netops", "version": "1.4.0"},
}
_OTHERS: dict[str, dict[str, Any]] = {
    "pack": _TREE,
    "stackstorm": {**_TREE, "pack.yaml": _STACKSTORM},
    "component": {"package.json": {"name": "@a/b", "version": "1.0.0"}},
}
_BESIDE = {
    "actions/workflows/flow.yaml": ["actions/flow.yaml"],
    "actions/flow.yaml": ["actions/workflows/flow.yaml"],
}
_WRONG: list[Any] = [
    *(None, True, 0, -1, 1.5, 10**39, "", " ", "text", "../x", "-x", "a" * 3_000, "é\u2028", "'", "*a: {"),
    *([], [None], [[]], [{}], ["x", "x"], {}, {"": None}, {"a": {"b": []}}, {"required": True}),
]


def files_of(tree: dict[str, Any]) -> dict[str, bytes]:
    return {path: _written(path, content) for path, content in tree.items()}


def _written(path: str, content: object) -> bytes:
    if path.endswith(".json"):
        return json.dumps(content).encode()
    return yaml.dump(content, Dumper=_DUMPER, sort_keys=False, allow_unicode=True).encode()


def read(files: dict[str, bytes]) -> tuple[Bundle, FindingLog]:
    kept, log = BundleFiles(), FindingLog()
    for path, content in files.items():
        kept.add(path, BundleFile(content, executable=True))
    bundle = read_bundle(kept, log)
    for finding in log.findings():
        assert finding.code.isupper()
        assert finding.path in ("", "execute.sh", "test.sh", *files)
        assert finding.line is None or 1 <= finding.line <= files[finding.path].count(b"\n") + 1
        assert 0 < len(finding.message.encode()) < 3_000
    assert len(log.findings()) == min(log.total, KEPT_FINDINGS)
    for workflow in bundle.workflows:
        assert json.dumps(parsed_form(workflow))
        assert len(workflow.path) <= 500
    return bundle, log


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield way
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in pairs:
        yield from places(inner, (*way, step))


def changed(value: Any, way: tuple[Any, ...], new: Any) -> Any:
    if not way:
        return new
    copy = value.copy()
    copy[way[0]] = changed(value[way[0]], way[1:], new)
    return copy


@pytest.mark.parametrize("kind", _OTHERS)
def test_the_bundles_themselves_are_good(kind: str) -> None:
    assert not read(files_of(_OTHERS[kind]))[1].has_errors


@pytest.mark.parametrize(
    ("kind", "path"),
    [*(("pack", path) for path in _TREE), ("stackstorm", "pack.yaml"), ("component", "package.json")],
)
def test_any_value_at_any_field_is_answered(kind: str, path: str) -> None:
    tree = _OTHERS[kind]
    files = files_of({name: tree[name] for name in (*_BESIDE.get(path, ()), "pack.yaml") if name in tree})
    for way in places(tree[path]):
        for wrong in _WRONG:
            # JSON is YAML, and sooner written.
            read({**files, path: json.dumps(changed(tree[path], way, wrong)).encode()})


@pytest.mark.parametrize("path", [path for path in _TREE if path.endswith(".yaml")])
@pytest.mark.parametrize("kind", ["bom", "crlf", "latin", "utf16", "cut", "twice", "tab", "nul"])
def test_any_file_may_be_written_oddly(path: str, kind: str) -> None:
    good = _written(path, _TREE[path])
    odd = {
        "bom": b"\xef\xbb\xbf" + good,
        "crlf": good.replace(b"\n", b"\r\n"),
        "latin": good + b"# \xe9\n",
        "utf16": good.decode().encode("utf-16"),
        "cut": good[: len(good) // 2] + b"\n[",
        "twice": good + b"---\n" + good,
        "tab": good + b"\t\n\tx: 1\n",
        "nul": good + b"\0",
    }[kind]
    bundle, log = read({**files_of(_TREE), path: odd})
    # Beside a manifest's own schema the other one is not read.
    is_read = path != "config.schema.yaml"
    assert log.has_errors is (is_read and kind not in ("bom", "crlf"))
    if not log.has_errors:
        before = read(files_of(_TREE))[0]
        assert (bundle.manifest, bundle.actions, bundle.sensors) == (
            before.manifest,
            before.actions,
            before.sensors,
        )
        assert [parsed_form(each) for each in bundle.workflows] == [
            parsed_form(each) for each in before.workflows
        ]


_keys = sorted(
    {
        step
        for tree in _OTHERS.values()
        for content in tree.values()
        for way in places(content)
        for step in way
        if isinstance(step, str)
    }
)
_structures = st.recursive(
    st.sampled_from([each for each in _WRONG if not isinstance(each, (list, dict))]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_keys), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*_TREE, "SKILL.md"]), _structures, max_size=6), st.booleans())
def test_any_structure_in_any_file_is_answered(tree: dict[str, Any], is_pack: bool) -> None:
    files = files_of({**({"pack.yaml": _PACK} if is_pack else {}), **tree})
    if "SKILL.md" in files:
        files["SKILL.md"] = b"---\n" + files["SKILL.md"] + b"---\n"
    read(files)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(_PACK)), _structures | st.text(max_size=5), max_size=2),
    st.sets(st.sampled_from(sorted(_PACK))),
)
def test_an_accepted_manifest_is_the_same_when_it_is_written_down_again(
    other: dict[str, Any], kept: set[str]
) -> None:
    required = ("ref", "label", "description", "version")
    fields = {key: _PACK[key] for key in _PACK if key in kept or key in required} | other
    manifest, accepted = _manifest(fields)
    if not accepted:
        return
    assert _manifest(_fields(manifest)) == (manifest, True)


def _manifest(fields: dict[str, Any]) -> tuple[PackManifest, bool]:
    files, log = BundleFiles(), FindingLog()
    try:
        content = _written("pack.yaml", fields)
    except UnicodeEncodeError:
        content = b""
    files.add("pack.yaml", BundleFile(content))
    manifest = read_pack_manifest(files, log)
    return manifest, not any(each.severity is Severity.ERROR for each in log.findings())


def _fields(manifest: PackManifest) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "ref": manifest.name,
        **{key: getattr(manifest, key) for key in ("label", "description", "version", "author", "email")},
        **{key: getattr(manifest, key) for key in ("license", "homepage", "repository")},
        "keywords": list(manifest.keywords),
        "tags": list(manifest.tags),
        "meta": manifest.meta,
        "dependencies": [{"ref": each.ref, "version": each.constraint} for each in manifest.dependencies],
        "runtime_deps": manifest.runtime_deps,
    }
    if manifest.conf_schema is not None:
        fields["conf_schema"] = manifest.conf_schema
    if manifest.test_command:
        fields["tests"] = shlex.join(manifest.test_command)
    return fields
