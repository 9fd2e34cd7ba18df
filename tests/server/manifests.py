"""Skills and packs for the tests, as trees."""

from __future__ import annotations

from collections.abc import Mapping

from tests.bundles.trees import File, Tree

from .contents import canonical_tar


def skill(name: str = "log-rotate", version: str = "", *, text: str = "", runs: bool = True) -> bytes:
    """A skill; one that does not run has a script that is not executable."""
    head = f"---\nname: {name}\ndescription: Rotates logs\n" + (f"version: {version}\n" if version else "")
    return canonical_tar(
        {
            "SKILL.md": File(f"{head}---\n# {name}\n{text}\n".encode()),
            "execute.sh": File(b"#!/bin/sh\n", executable=runs),
            "test.sh": File(b"#!/bin/sh\n", executable=True),
        }
    )


def pack(
    ref: str = "netops",
    version: str = "1.0.0",
    *,
    needs: Mapping[str, str] | None = None,
    workflows: Mapping[str, str] | None = None,
    more: Tree | None = None,
) -> bytes:
    """A pack; ``needs`` are constraints by pack, ``workflows`` files by name without ending."""
    lines = [f"ref: {ref}", "label: Net Ops", "description: Network tools", f"version: {version}"]
    if needs:
        lines += ["dependencies:", *(f"  - {{ref: {name}, version: {of!r}}}" for name, of in needs.items())]
    tree: Tree = {"pack.yaml": File("\n".join([*lines, ""]).encode())}
    for name, text in (workflows or {}).items():
        tree[f"workflows/{name}.yaml"] = File(text.encode())
    return canonical_tar({**tree, **(more or {})})


def workflow(label: str = "Rolling restart", *, after: str = "restart") -> str:
    """A workflow of two tasks; the first one is followed by ``after``."""
    return (
        f"label: {label}\nversion: 1.0.0\ntags: [ops]\ntasks:\n"
        f"  - name: drain\n    action: core.http\n    on_success: {after}\n"
        "  - {name: restart, action: core.local}\n"
    )
