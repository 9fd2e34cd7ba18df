"""Packs as StackStorm's documentation and its exchange write them."""

from __future__ import annotations

import pytest

from longshore_bundles import BundleKind, Dependency
from longshore_bundles.packs import PackManifest
from tests.bundles.sample_bundles import said, scanned
from tests.bundles.trees import File, Tree

PACK_YAML = b"""\
---
ref: napalm
name: napalm
description: NAPALM network automation library integration pack
keywords:
  - network
  - napalm
version: 0.2.5
author: mierdin, Rob Woodward
email: info@example.org
contributors:
  - "Somebody <somebody@example.org>"
stackstorm_version: ">=2.2.0, <3.0.0"
python_versions:
  - "2"
  - "3"
system:
  centos: ["6"]
dependencies:
  - core
  - excel=0.2.4
  - https://github.com/StackStorm-Exchange/stackstorm-jira.git
"""
CONFIG_SCHEMA = b"""\
---
html_table_css:
  description: "Any custom CSS"
  type: "string"
  required: true
  default: ""
credentials:
  type: "object"
  additionalProperties: true
  secret: true
"""
ACTION = b"""\
---
name: get_facts
runner_type: python-script
description: Get device info
enabled: true
entry_point: get_facts.py
parameters:
  hostname: {type: "string", required: true, position: 0}
"""
ORQUESTA_ACTION = b"""\
---
name: interface_down_workflow
pack: napalm
description: Handle a link that is down
runner_type: orquesta
entry_point: workflows/interface_down.yaml
enabled: true
parameters:
  hostname: {type: string, required: true}
"""
ORQUESTA = b"""\
version: 1.0
description: Handle a link that is down
input:
  - hostname
tasks:
  facts:
    action: napalm.get_facts hostname=<% ctx().hostname %>
    next:
      - when: <% succeeded() %>
        publish: facts=<% result() %>
        do: told
  told:
    action: core.noop
output:
  - facts: <% ctx().facts %>
"""
TREE: Tree = {
    "README.md": File(b"# napalm\n"),
    "actions/get_facts.py": File(b"pass\n"),
    "actions/get_facts.yaml": File(ACTION),
    "actions/interface_down_workflow.yaml": File(ORQUESTA_ACTION),
    "actions/lib/__init__.py": File(b""),
    "actions/workflows/interface_down.yaml": File(ORQUESTA),
    "config.schema.yaml": File(CONFIG_SCHEMA),
    "icon.png": File(b"\x89PNG"),
    "pack.yaml": File(PACK_YAML),
    "requirements.txt": File(b"napalm\n"),
    "rules/a.yaml": File(b"not: [looked at"),
    "sensors/lldp_sensor.py": File(b"pass\n"),
    "sensors/lldp_sensor.yaml": File(
        b"class_name: LLDPSensor\nentry_point: lldp_sensor.py\ntrigger_types: []\n"
    ),
    "tests/test_action_get_facts.py": File(b""),
}


def test_a_pack_of_the_exchange_is_read_with_notes() -> None:
    found = scanned(TREE, prefix="stackstorm-napalm-0.2.5/")
    assert found.kind is BundleKind.PACK
    assert found.accepted, found.findings
    assert {severity for _, severity, *_ in said(found)} == {"info"}
    assert ("STACKSTORM_SPELLING", "info", "pack.yaml", 3) in said(found)
    manifest = found.manifest
    assert isinstance(manifest, PackManifest)
    assert (manifest.project, manifest.label, manifest.version) == ("napalm", "napalm", "0.2.5")
    assert manifest.runtime_deps == {"python": "2 || 3"}
    assert manifest.dependencies == (
        Dependency("core"),
        Dependency("excel", "0.2.4"),
        Dependency("jira"),
    )
    assert manifest.meta == {
        "stackstorm_version": ">=2.2.0, <3.0.0",
        "contributors": ["Somebody <somebody@example.org>"],
        "system": {"centos": ["6"]},
    }
    assert manifest.conf_schema is not None
    assert manifest.conf_schema["required"] == ["html_table_css"]
    assert [action.name for action in found.actions] == ["get_facts", "interface_down_workflow"]
    assert [sensor.name for sensor in found.sensors] == ["LLDPSensor"]
    assert [workflow.ref for workflow in found.workflows] == ["napalm.interface_down_workflow"]
    assert found.workflow_files == {"actions/workflows/interface_down.yaml": ORQUESTA}


def manifest_of(text: str) -> tuple[PackManifest, list[str]]:
    found = scanned({"pack.yaml": File(text.encode()), "a": File(b"")})
    assert isinstance(found.manifest, PackManifest)
    return found.manifest, [code for code, *_ in said(found)]


def test_a_name_alone_is_label_and_ref() -> None:
    manifest, codes = manifest_of("name: Hello_St2\ndescription: x\nversion: '0.1'\n")
    assert codes == ["STACKSTORM_SPELLING"]
    assert (manifest.label, manifest.project, manifest.version) == ("Hello_St2", "hello_st2", "0.1.0")


def test_a_name_that_is_no_ref_needs_one() -> None:
    assert manifest_of("name: Hello St2\ndescription: x\nversion: 1.0.0\n")[1] == [
        "KEY_MISSING",
        "STACKSTORM_SPELLING",
    ]


@pytest.mark.parametrize(
    "text", ["name: 7", "name: [a]", "python_versions: 3\nname: a", "contributors: {}\nmeta: []", "system: ~"]
)
def test_wrong_types_are_told_and_never_raised(text: str) -> None:
    codes = manifest_of(text)[1]
    assert "KEY_MISSING" in codes


STACKSTORM = "ref: a\nname: A\ndescription: x\nversion: 1.0.0\n"


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("python_versions: 3", "WRONG_TYPE", 5),
        ("python_versions: '3'", "WRONG_TYPE", 5),
        ("python_versions:\n  - 3\n  - 3.10", "WRONG_TYPE", 7),
        ("python_versions: [true]", "WRONG_TYPE", 5),
        ("python_versions: ['2', three]", "CONSTRAINT_INVALID", 5),
        ("python_versions: ['']", "CONSTRAINT_INVALID", 5),
        (f"python_versions: {['3'] * 21}", "VALUE_INVALID", 5),
        ("contributors: {a: 1}", "WRONG_TYPE", 5),
        ("contributors:\n  - a\n  - b: c", "WRONG_TYPE", 7),
        ("stackstorm_version: [1]", "WRONG_TYPE", 5),
        ("stackstorm_version: 2.8", "WRONG_TYPE", 5),
        ("system: centos", "WRONG_TYPE", 5),
    ],
)
def test_wrong_types_are_errors(text: str, code: str, line: int) -> None:
    found = scanned({"pack.yaml": File((STACKSTORM + text).encode()), "a": File(b"")})
    errors = [each for each in said(found) if each[1] == "error"]
    assert errors == [(code, "error", "pack.yaml", line)]


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("['3.x', '>=3.6, <4']", "3.x || >=3.6, <4"),
        ("[2, 3]", "2 || 3"),
        ("['3.10']", "3.10"),
        ("['3']\nruntime_deps: {nodejs: '>=18'}", "3"),
        ("['2']\nruntime_deps: {python: '>=3.11'}", ">=3.11"),
    ],
)
def test_versions_of_python_are_a_need_of_the_pack(text: str, python: str) -> None:
    manifest, codes = manifest_of(f"{STACKSTORM}python_versions: {text}\n")
    assert codes == ["STACKSTORM_SPELLING"]
    assert manifest.runtime_deps["python"] == python


def test_what_is_empty_says_nothing() -> None:
    empty = "python_versions:\ncontributors:\nstackstorm_version:\nsystem:\n"
    manifest, codes = manifest_of(STACKSTORM + empty)
    assert (dict(manifest.runtime_deps), codes) == ({}, ["STACKSTORM_SPELLING"])


def test_metadata_that_cannot_be_read_is_told_once() -> None:
    tree = {**TREE, "actions/bad.yaml": File(b"runner_type: orquesta\n\tname: x\n")}
    errors = [each for each in said(scanned(tree)) if each[1] == "error"]
    assert errors == [("YAML_INVALID", "error", "actions/bad.yaml", 2)]


def test_a_workflow_of_either_kind_has_a_name_of_its_own() -> None:
    own = b"label: x\nversion: 1.0.0\ntasks: [{name: a, action: core.noop}]\n"
    found = scanned({**TREE, "workflows/Interface_down_workflow.yaml": File(own)})
    assert [code for code, severity, *_ in said(found) if severity == "error"] == ["WORKFLOW_NAME_NOT_UNIQUE"]
    assert [workflow.path for workflow in found.workflows] == ["workflows/Interface_down_workflow.yaml"]


@pytest.mark.parametrize(("name", "syntax"), [("", "longshore"), ("name: A\n", "orquesta")])
def test_whose_form_a_workflow_has_that_could_be_in_either_is_told_by_its_packs_spelling(
    name: str, syntax: str
) -> None:
    pack = f"ref: a\nlabel: A\ndescription: x\nversion: 1.0.0\n{name}"
    bare = b"version: 1.0\ntasks: {a: {action: core.noop, input: {x: 1}}}\n"
    found = scanned({"pack.yaml": File(pack.encode()), "workflows/bare.yaml": File(bare)})
    (workflow,) = found.workflows
    assert (workflow.syntax, workflow.valid) == (syntax, syntax == "orquesta")


def test_a_schema_of_the_configuration_that_is_none() -> None:
    tree = {**TREE, "config.schema.yaml": File(b"a: {type: objekt}\nb: 7\n")}
    errors = [each for each in said(scanned(tree)) if each[1] == "error"]
    assert errors == [
        ("JSON_SCHEMA_INVALID", "error", "config.schema.yaml", 1),
        ("WRONG_TYPE", "error", "config.schema.yaml", 2),
    ]
