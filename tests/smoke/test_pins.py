"""What npm, Go and Maven fetch is pinned to exact versions, and checked by hash where the tool can do so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
EXACT = re.compile(r"\d+(\.\d+)+")


@pytest.mark.parametrize("folder", ["protos", "tests/smoke/node"])
def test_npm(folder: str) -> None:
    manifest = json.loads((ROOT / folder / "package.json").read_text())
    wanted = {**manifest.get("dependencies", {}), **manifest.get("devDependencies", {})}
    assert wanted
    assert [name for name, version in wanted.items() if not EXACT.fullmatch(version)] == []
    lock = json.loads((ROOT / folder / "package-lock.json").read_text())["packages"]
    locked = {name: package for name, package in lock.items() if name}
    for name, version in wanted.items():
        assert locked[f"node_modules/{name}"]["version"] == version
    assert [name for name, package in locked.items() if "integrity" not in package] == []
    # Whoever installs it has a registry of their own.
    assert [name for name, package in locked.items() if "resolved" in package] == []


def test_the_contracts_linter_is_locked_for_every_platform() -> None:
    lock = json.loads((ROOT / "protos/package-lock.json").read_text())["packages"]
    optional = lock["node_modules/@bufbuild/buf"]["optionalDependencies"]
    assert len(optional) >= 5
    assert [name for name in optional if f"node_modules/{name}" not in lock] == []


def test_go() -> None:
    module = (ROOT / "tests/smoke/go/go.mod").read_text()
    tools = re.search(r"tool \(\n(.*?)\n\)", module, re.DOTALL)
    assert tools
    assert {tool.strip().rpartition("/")[2] for tool in tools[1].splitlines()} == {
        "protoc-gen-go",
        "protoc-gen-go-grpc",
    }
    sums = (ROOT / "tests/smoke/go/go.sum").read_text()
    required = re.findall(r"(?m)^\t(\S+) (v\S+)", module)
    assert required
    assert [name for name, version in required if f"{name} {version} h1:" not in sums] == []


def test_maven() -> None:
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    project = ElementTree.parse(ROOT / "tests/smoke/java/pom.xml").getroot()
    properties = {
        one.tag.rpartition("}")[2]: one.text or "" for one in project.findall("m:properties/*", space)
    }
    managed = {
        one.findtext("m:artifactId", namespaces=space)
        for one in project.findall("m:dependencyManagement//m:dependency", space)
    }
    assert "grpc-bom" in managed
    versioned = [*project.iterfind(".//m:plugin", space), *project.iterfind(".//m:binaryMavenPlugin", space)]
    versioned += project.findall("m:dependencyManagement//m:dependency", space)
    versioned += [
        one
        for one in project.findall("m:dependencies/m:dependency", space)
        if one.findtext("m:groupId", namespaces=space) != "io.grpc"
    ]
    assert len(versioned) >= 7
    for one in versioned:
        version = one.findtext("m:version", "", space)
        exact = re.sub(r"\$\{(.*?)\}", lambda name: properties[name[1]], version)
        assert EXACT.fullmatch(exact), one.findtext("m:artifactId", namespaces=space)
