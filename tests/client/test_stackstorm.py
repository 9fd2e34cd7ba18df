"""Packs in StackStorm's format, by the command line against a node: deployed, published, and taken back.

``watchdog`` and ``office`` are written from StackStorm's documentation. What there is of its own in package
registries is the template that its SDK makes packs from.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .command_line import Run
from .real_packages import fetched
from .stackstorm_packs import OFFICE, WATCHDOG, write


def test_packs_are_deployed_and_their_workflows_published(run: Run, tmp_path: Path) -> None:
    watchdog, office = write(tmp_path / "w", WATCHDOG), write(tmp_path / "o", OFFICE)
    for pack in (watchdog, office):
        (told,) = run("validate", pack, "-o", "json").objects
        found: Any = told["findings"]
        assert (told["valid"], {each["severity"] for each in found}) == (True, {"info"}), found
        assert {each["code"] for each in found} <= {"STACKSTORM_SPELLING", "ORQUESTA_FORM"}
    missing = run("deploy", office)
    assert (missing.code, "Required pack 'watchdog'" in missing.err) == (4, True)
    assert run("deploy", watchdog).out == "watchdog 0.3.1 is live in default on 1 node\n"
    assert run("deploy", office).out == "office 1.2.0 is live in default on 1 node\n"

    (release,) = run("releases", "watchdog@0.3.1", "-o", "json").objects
    bundle: Any = release["bundle"]
    assert (bundle["name"], bundle["label"]) == ("watchdog", "Watch Dog")
    assert bundle["actions"] == ["ask", "check_host", "list_chain", "notify", "recover", "restart"]
    assert bundle["sensors"] == ["DownSensor"]
    assert run("workflows", "list", "watchdog", "-q").out.split() == ["watchdog.notify", "watchdog.recover"]
    assert run("workflows", "list", "office", "-q").out.split() == ["office.morning"]

    (recover,) = run("workflows", "get", "watchdog.recover", "-o", "json").objects
    definition: Any = recover["definition"]
    assert recover["source"] == WATCHDOG["actions/workflows/recover.yaml"]
    assert definition["parameters"]["required"] == ["hosts"]
    assert definition["parameters"]["properties"]["hosts"] == {"type": "array", "items": {"type": "string"}}
    look, restart, note, told_task = definition["tasks"]
    assert (look["action"], look["concurrency"]) == ("watchdog.check_host", 2)
    assert look["input"] == {"hostname": "<% item(host) %>"}
    assert [branch["do"] for branch in look["next"]] == [["restart", "note"], ["told"]]
    assert (restart["retry"]["count"], restart["delay"]) == (3, 2)
    assert note["input"] == {"cmd": "echo {{ ctx('states') }}"}
    assert told_task["join"] == "all"

    recovered = WATCHDOG["actions/workflows/recover.yaml"].replace("count: 3", "count: 5")
    manifest = WATCHDOG["pack.yaml"].replace("0.3.1", "0.4.0")
    notify = WATCHDOG["actions/notify.yaml"].replace("enabled: false", "enabled: true")
    write(watchdog, {"actions/workflows/recover.yaml": recovered, "pack.yaml": manifest})
    write(watchdog, {"actions/notify.yaml": notify})
    # What is live needs exactly 0.3.1.
    refused = run("deploy", watchdog)
    assert (refused.code, "office 1.2.0 needs watchdog 0.3.1" in refused.err) == (4, True)
    assert run("deploy", watchdog, "--skip-dependencies").code == 0
    changed = run("workflows", "diff", "watchdog", "0.3.1", "0.4.0").out
    assert changed.splitlines() == [
        "~ watchdog.notify: enabled",
        "~ watchdog.recover",
        "  ~ task restart: retry",
    ]
    assert run("rollback", "watchdog").out == "watchdog 0.3.1 is live in default on 1 node\n"
    (recover,) = run("workflows", "get", "watchdog.recover", "-o", "json").objects
    assert recover["source"] == WATCHDOG["actions/workflows/recover.yaml"]
    for project in ("office", "watchdog"):
        assert run("undeploy", project, "--yes").code == 0


def test_a_workflow_of_either_form_goes_by_its_packs_spelling_everywhere(run: Run, tmp_path: Path) -> None:
    bare = "version: 1.0\ntasks:\n  first:\n    action: core.noop\n"
    manifest = "ref: netx\nname: Net\ndescription: Nets\nversion: 1.0.0\nauthor: us\nemail: us@example.com\n"
    pack = write(tmp_path / "netx", {"pack.yaml": manifest, "workflows/plain.yaml": bare})
    assert run("validate", pack).code == 0
    assert run("workflows", "validate", pack).code == 0
    assert run("deploy", pack).code == 0
    assert run("workflows", "validate", "netx@1.0.0").code == 0
    shown = run("workflows", "get", "netx.plain")
    assert (shown.code, "core.noop" in shown.out) == (0, True)
    write(
        pack,
        {"pack.yaml": manifest.replace("1.0.0", "1.1.0"), "workflows/plain.yaml": bare + "  second: {}\n"},
    )
    assert run("deploy", pack).code == 0
    compared = run("workflows", "diff", "netx", "1.0.0", "1.1.0")
    assert "netx.plain" in compared.out
    assert run("undeploy", "netx", "--yes").code == 0


def test_the_template_of_stackstorms_own_tool(run: Run, tmp_path: Path) -> None:
    """It leaves the description to its author; with one it is a pack."""
    tree = fetched("pypi:st2sdk==0.5.2", tmp_path)
    template = (tree / "st2sdk" / "templates" / "pack.yaml").read_text()
    filled_in = {"pack_name": "fromsdk", "author_name": "Ada", "author_email": "a@example.org"}
    for name, value in filled_in.items():
        template = template.replace(f"{{{{ {name} }}}}", value)
    pack = write(tmp_path / "pack", {"pack.yaml": template})
    (told,) = run("validate", pack, "-o", "json").objects
    found: Any = told["findings"]
    assert [(each["code"], each["line"]) for each in found if each["severity"] == "error"] == [
        ("VALUE_INVALID", 4)
    ], json.dumps(found)
    write(pack, {"pack.yaml": template.replace("description: ''", "description: From a template")})
    assert run("deploy", pack).out == "fromsdk 0.1.0 is live in default on 1 node\n"
