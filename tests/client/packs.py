"""Packs on disk, as their authors write them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

GREET = """\
label: Greet
version: 1.0.0
tags: [demo]
tasks:
  - name: say
    action: core.echo
    input: {message: hello}
    on_success: count
  - name: count
    action: core.count
"""
OFF = """\
label: Switched off
version: 0.1.0
enabled: false
tasks: [{name: only, action: core.echo}]
"""
LOST = """\
label: Lost
version: 1.0.0
tasks:
  - name: say
    action: core.echo
    on_success: nowhere
"""
"""Its sixth line is wrong."""


def write_pack(
    root: Path,
    ref: str,
    workflows: Mapping[str, str] | None = None,
    *,
    version: str = "1.0.0",
    needs: str = "",
    more: str = "",
) -> Path:
    """A pack at ``root``, with files of workflows by their names; ``needs`` is a pack with a constraint."""
    (root / "workflows").mkdir(parents=True, exist_ok=True)
    (root / "actions").mkdir(exist_ok=True)
    lines = [f"ref: {ref}", "label: A Pack", "description: For tests", f"version: {version}", "author: ada"]
    lines += ["tags: [one, two]", "runtime_deps: {python: '>=3.9'}"]
    if needs:
        name, constraint = needs.split()
        lines.append(f"dependencies: [{{ref: {name}, version: '{constraint}'}}]")
    (root / "pack.yaml").write_text("\n".join([*lines, more]))
    script = root / "actions" / "restart.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    for old in (root / "workflows").iterdir():
        old.unlink()
    for name, text in (workflows or {}).items():
        (root / "workflows" / f"{name}.yaml").write_text(text)
    return root
