"""The procedure of docs/operations.md#backup, step by step as it is printed there."""

from __future__ import annotations

from pathlib import Path

from tests.services.processes import serve

from .consoles import Shell, console_steps, pattern
from .pages import page


def does(folder: Path, begins_with: str) -> None:
    """Run the console block of the page whose first command is ``longshore admin`` and that."""
    prompt = f"$ longshore admin {begins_with}"
    (block,) = [each for each in page("docs/operations.md").blocks if each.text.startswith(prompt)]
    with Shell(folder, {}) as shell:
        for step in console_steps(block.text.splitlines()):
            status, printed = shell.run(step.command)
            assert status == 0, printed
            assert pattern(step.printed).fullmatch(printed), printed


def deploy(server: str, folder: Path, text: str) -> str:
    """What the command prints when what has ``text`` is live."""
    (folder / "hello").mkdir(exist_ok=True)
    (folder / "hello" / "README.md").write_text(text)
    with Shell(folder, {"LONGSHORE_SERVER": server, "XDG_STATE_HOME": str(folder)}) as shell:
        status, printed = shell.run("longshore deploy hello --project hello")
    assert status == 0, printed
    return printed


async def test_backup_and_restore(tmp_path: Path) -> None:
    data_dir = tmp_path / "node"
    (tmp_path / "longshore.yaml").write_text(f"data_dir: {data_dir}\n")
    live = data_dir / "live" / "hello" / "README.md"
    async with serve(data_dir=data_dir) as server:
        deploy(server.address, tmp_path, "monday")
        does(tmp_path, "backup monday")
        deploy(server.address, tmp_path, "tuesday")
        assert live.read_text() == "tuesday"
    does(tmp_path, "restore")
    async with serve(data_dir=data_dir) as server:
        does(tmp_path, "token")
        assert "1.0.1" in deploy(server.address, tmp_path, "wednesday")
        assert live.read_text() == "wednesday"
