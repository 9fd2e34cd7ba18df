"""What the pages say is so: links lead somewhere, tables are whole, code can be used as it is shown."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from pydantic import BaseModel, SecretStr

from longshore.v1.errors_pb2 import ErrorReason
from longshore_client.cli.exit_codes import EXIT_CODES
from longshore_server.deploying.opening import payload_settings
from longshore_server.rpc.statuses import STATUS_OF
from longshore_server.settings import Settings, load_settings
from longshore_storage.catalogue.tables import metadata

from .pages import ROOT, Page, page, pages, unquoted

PAGES = list(pages())
MIB = 1 << 20
# Never leave the package, so no page needs to tell them.
INTERNAL_CODES = {"CONTENT_REFUSED"}


@pytest.fixture(params=PAGES, ids=lambda each: each.name)
def each_page(request: pytest.FixtureRequest) -> Page:
    found: Page = request.param
    return found


def test_links_and_anchors_resolve(each_page: Page) -> None:
    for link in each_page.links:
        if link.startswith("https://"):
            continue
        location, _, anchor = link.partition("#")
        target = each_page.path.parent / location if location else each_page.path
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in Page(target).anchors, f"{link}: no such heading"


def test_every_page_is_linked() -> None:
    """From the README; the pages of the API reference from their list, which the README links to."""
    linked = {link.partition("#")[0] for link in page("README.md").links}
    linked |= {f"docs/api/{link.partition('#')[0]}" for link in page("docs/api/README.md").links}
    assert {each.name for each in PAGES} - {"README.md"} <= linked


def test_paths_in_the_checkout_exist(each_page: Page) -> None:
    top = {entry.name for entry in ROOT.iterdir()}
    for code in each_page.inline_code:
        first, slash, _ = code.partition("/")
        looks_like_a_path = re.fullmatch(r"[\w./-]+", code) is not None
        if looks_like_a_path and first in top and (slash or "." in code.lstrip(".")):
            assert (ROOT / code).exists(), f"{code} does not exist"


def test_make_targets_exist(each_page: Page) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = [
        *each_page.inline_code,
        *(line for block in each_page.blocks for line in block.text.splitlines()),
    ]
    for code in shown:
        made = re.match(r"(?:\$ )?make ([a-z-]+)", code)
        assert made is None or made[1] in targets, f"{code}: no such target"


def test_python_blocks_compile(each_page: Page) -> None:
    for block in each_page.blocks:
        if block.language == "python":
            compile(block.text, each_page.name, "exec")


def test_settings_files_shown_are_accepted(each_page: Page, tmp_path: Path) -> None:
    for block in each_page.blocks:
        if block.text.startswith("# longshore.yaml"):
            path = tmp_path / "longshore.yaml"
            path.write_text(block.text)
            settings = load_settings(path, {})
            assert settings.model_fields_set, "it sets nothing"


def test_no_page_names_a_machine(each_page: Page) -> None:
    text = each_page.path.read_text()
    assert not re.search(r"/(home|root|Users|work)/|pypi\.org|npmjs|proxy\.golang|maven\.org", text)


def settings(model: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    """Every key with its default."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= settings(field.annotation, f"{prefix}{name}.")
        else:
            found[prefix + name] = field.get_default(call_default_factory=True)
    return found


def written(key: str, default: Any) -> str:
    """A default as the table writes it."""
    if key == "node.name":
        return "the host's name"
    if key in ("database.url", "blobs.url"):
        at_home = Settings(data_dir=Path("/DATA_DIR"))
        return str(getattr(at_home, key.replace(".", "_"))).replace("/DATA_DIR", "DATA_DIR")
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if default in (None, ""):
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    return ", ".join(sorted(default)) if isinstance(default, frozenset) else str(default)


def test_the_settings_table_is_complete() -> None:
    expected = {key: written(key, default) for key, default in settings(Settings).items()}
    shown = {}
    for key, variable, default, meaning in page("docs/operations.md").table("key"):
        assert unquoted(variable) == "LONGSHORE_" + unquoted(key).replace(".", "__").upper()
        assert meaning
        shown[unquoted(key)] = unquoted(default) if default.startswith("`") else default
    assert shown == expected


def reasons_in_the_contract() -> dict[str, str]:
    """Every reason with the first word of its comment: its gRPC code, or `outcome`."""
    text = (ROOT / "protos/longshore/v1/errors.proto").read_text()
    found = {}
    for comment, name in re.findall(r"((?: *//.*\n)+) *ERROR_REASON_(\w+) = [1-9]", text):
        sentence = " ".join(line.strip(" /") for line in comment.splitlines())
        code = re.match(r"([A-Z_]+)\. |A deployment's (outcome)", sentence)
        assert code is not None, f"{name}: its comment tells no code"
        found[name] = code[1] or code[2]
    return found


def test_the_error_table_is_complete() -> None:
    promised = reasons_in_the_contract()
    assert {f"ERROR_REASON_{name}" for name in promised} == set(ErrorReason.keys()) - {
        "ERROR_REASON_UNSPECIFIED"
    }
    shown = {}
    for reason, code, meaning, advice in page("docs/errors.md").table("reason"):
        assert meaning
        assert advice
        shown[unquoted(reason)] = code if code == "outcome" else unquoted(code)
    assert shown == promised
    for reason, status in STATUS_OF.items():
        assert shown[reason.value] in (status.name, "outcome")


def texts_in(path: Path) -> Iterator[str]:
    """Every text in a file of Python, but for the names that it exports."""
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Assign) and [ast.unparse(each) for each in node.targets] == ["__all__"]:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        waiting += ast.iter_child_nodes(node)


def test_every_finding_is_explained() -> None:
    """What the bundles package makes a finding or an error of: its texts that are words in upper case."""
    paths = [
        *(ROOT / "bundles/longshore_bundles").rglob("*.py"),
        ROOT / "client/longshore_client/index_addresses.py",
    ]
    code = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
    codes = {text for path in paths for text in texts_in(path) if code.fullmatch(text)}
    assert len(codes) > 90
    assert codes - INTERNAL_CODES <= {
        *page("docs/errors.md").inline_code,
        *page("docs/formats.md").inline_code,
    }


def test_the_exit_codes_are_those_of_the_command_line() -> None:
    shown = {int(code): meaning for code, meaning in page("docs/command-line.md").table("code")}
    assert shown == EXIT_CODES


def test_the_architecture_tells_every_table() -> None:
    shown = {unquoted(row[0]) for row in page("docs/architecture.md").table("table")}
    assert set(metadata.tables) <= shown


def test_the_memory_bound_is_that_of_the_settings() -> None:
    of = payload_settings(Settings().uploads)
    shown = {unquoted(row[0]): row[1] for row in page("docs/performance.md").table("term")}
    assert shown == {
        "uploads_at_once": str(of.uploads_at_once),
        "pack_bytes": f"{of.pack_bytes // MIB} MiB",
        "batches_in_flight": str(of.batches_in_flight),
        "batch_bytes": f"{of.batch_bytes // MIB} MiB",
        "packs_in_flight": str(of.packs_in_flight),
    }
    text = page("docs/performance.md").path.read_text()
    assert f"that is {of.memory_bytes // MIB} MiB" in text
    assert f"{of.stream_bytes // MIB} MiB. A node installs" in text
    assert f"at most {of.reads_in_flight} reads under way" in text


def test_the_picture_is_whole_and_needs_nothing_from_outside() -> None:
    picture = ROOT / "docs/architecture.svg"
    root = ElementTree.parse(picture).getroot()
    texts = {element.text for element in root.iter() if element.text}
    assert {"Blob store", "SQL", "etcd", "Node: receive", "Node: control", "Nodes: install"} <= texts
    assert "prefers-color-scheme: dark" in picture.read_text()
    outside = re.findall(r"(?:href|src|url)\W+(https?:[^\"')]+)", picture.read_text())
    assert outside == []
