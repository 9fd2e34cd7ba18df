"""One command: however it ends, what it leaves behind, and how much it says."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from longshore_server.hooks import CommandEnd, OutputTail, run_command
from tests.server.hooked import alive

PATH = {"PATH": os.environ["PATH"]}
GRACE_S = 0.3


class Shell:
    """Runs scripts, and finds what they wrote down about their processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = OutputTail()

    async def run(self, script: str, *, timeout_s: float = 20) -> CommandEnd:
        command = ["sh", "-c", script]
        environment = {**PATH, "D": str(self.folder)}
        self.output = OutputTail()
        async with asyncio.timeout(15):
            return await run_command(
                command, environment, timeout_s=timeout_s, output=self.output, grace_s=GRACE_S
            )

    def pid(self, name: str = "pid") -> int:
        return int((self.folder / name).read_text())

    async def began(self, name: str = "pid") -> int:
        async with asyncio.timeout(10):
            while True:
                with suppress(FileNotFoundError, ValueError):
                    return self.pid(name)
                await asyncio.sleep(0.01)

    @property
    def lines(self) -> list[str]:
        return self.output.lines(whole=True)


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    before = descriptors()
    made = Shell(tmp_path)
    yield made
    for path in tmp_path.glob("*daemon"):
        with suppress(ProcessLookupError):
            os.kill(int(path.read_text()), 9)
    # What an earlier test left behind may have been closed meanwhile.
    assert descriptors() <= before


@pytest.fixture(autouse=True)
async def the_loop_goes_on() -> AsyncIterator[None]:
    """Whatever a command does, the node is never held up by it."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - before)

    ticking = asyncio.create_task(tick())
    yield
    ticking.cancel()
    assert longest < 5


async def gone(pid: int) -> bool:
    """Whether a process has ended, a moment after its end was ordered."""
    async with asyncio.timeout(5):
        while alive(pid):
            await asyncio.sleep(0.01)
    return True


class TestEnds:
    async def test_well(self, shell: Shell) -> None:
        end = await shell.run("echo out; echo err >&2")
        assert (end, end.well) == (CommandEnd(0, "ended with exit code 0"), True)
        assert shell.lines == ["out", "err"]

    async def test_with_an_exit_code(self, shell: Shell) -> None:
        end = await shell.run("exit 3")
        assert (end, end.well) == (CommandEnd(3, "ended with exit code 3"), False)

    @pytest.mark.parametrize("name", ["KILL", "SEGV", "TERM", "PIPE"])
    async def test_by_a_signal(self, shell: Shell, name: str) -> None:
        assert await shell.run(f"kill -{name} $$") == CommandEnd(None, f"was ended by SIG{name}")

    async def test_by_a_signal_without_a_name(self, shell: Shell) -> None:
        assert await shell.run("kill -40 $$") == CommandEnd(None, "was ended by signal 40")

    async def test_before_it_begins(self, tmp_path: Path) -> None:
        (tmp_path / "plain").write_text("")
        for command, why in (
            (tmp_path / "missing", "No such file or directory"),
            (tmp_path / "plain", "Permission denied"),
            (tmp_path, "Permission denied"),
        ):
            end = await run_command([str(command)], PATH, timeout_s=1, output=OutputTail())
            assert end == CommandEnd(None, f"could not be started: {why}")


class TestItsTimeIsOver:
    async def test_it_is_asked_first(self, shell: Shell) -> None:
        end = await shell.run("trap 'echo going; exit 0' TERM; sleep 100 & wait", timeout_s=0.2)
        assert end == CommandEnd(None, "took longer than 0.2 s and was ended")
        assert shell.lines == ["going"]

    async def test_then_it_is_killed(self, shell: Shell) -> None:
        end = await shell.run("trap '' TERM; echo $$ > $D/pid; while :; do sleep 100; done", timeout_s=0.2)
        assert "was ended" in end.how
        assert await gone(shell.pid())

    async def test_with_its_whole_group(self, shell: Shell) -> None:
        script = "sh -c 'trap \"\" TERM; echo $$ > $D/pid; while :; do sleep 100; done' & sleep 100"
        await shell.run(script, timeout_s=0.3)
        assert await gone(shell.pid())

    async def test_while_it_is_stopped(self, shell: Shell) -> None:
        await shell.run("echo $$ > $D/pid; kill -STOP $$", timeout_s=0.2)
        assert await gone(shell.pid())

    async def test_it_is_cancelled(self, shell: Shell) -> None:
        running = asyncio.create_task(shell.run("(echo $$ > $D/pid; exec sleep 100) & wait"))
        pid = await shell.began()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await gone(pid)

    async def test_it_is_cancelled_twice(self, shell: Shell) -> None:
        """The second one comes while its group is being ended."""
        script = "trap 'touch $D/asked' TERM; echo $$ > $D/pid; while :; do sleep 0.01; done"
        running = asyncio.create_task(shell.run(script))
        pid = await shell.began()
        running.cancel()
        async with asyncio.timeout(5):
            while not (shell.folder / "asked").exists():
                await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await gone(pid)


class TestWhatItLeaves:
    async def test_the_group_does_not_outlive_it(self, shell: Shell) -> None:
        end = await shell.run("sleep 100 & echo $! > $D/pid")
        assert end.well
        assert await gone(shell.pid())

    async def test_a_daemon_that_holds_the_pipe_holds_up_nobody(self, shell: Shell) -> None:
        script = "setsid sh -c 'echo $$ > $D/daemon; exec sleep 100' & while [ ! -s $D/daemon ]; do :; done"
        end = await shell.run(f"{script}; echo done")
        assert end.well
        assert shell.lines == ["done"]
        # What leaves the group on purpose is let go: a service that was started, say.
        assert alive(shell.pid("daemon"))

    async def test_a_daemon_that_floods_the_pipe_holds_up_nobody(self, shell: Shell) -> None:
        script = "setsid sh -c 'echo $$ > $D/daemon; exec yes' & while [ ! -s $D/daemon ]; do :; done"
        assert (await shell.run(script)).well


class TestOutput:
    async def test_closed_pipes(self, shell: Shell) -> None:
        end = await shell.run("echo said; exec >&- 2>&-; sleep 0.2; exit 4")
        assert (end.exit_code, shell.lines) == (4, ["said"])

    async def test_closed_pipes_and_no_end(self, shell: Shell) -> None:
        end = await shell.run("exec >&- 2>&-; sleep 100", timeout_s=0.3)
        assert "took longer" in end.how

    async def test_it_reads_nothing(self, shell: Shell) -> None:
        assert (await shell.run("cat; echo end")).well
        assert shell.lines == ["end"]

    async def test_a_flood_without_an_end(self, shell: Shell) -> None:
        end = await shell.run("yes", timeout_s=0.5)
        assert "took longer" in end.how
        # Slowed down: what no reader takes, nobody writes.
        assert 200 << 10 < shell.output.size_bytes < 64 << 20
        assert shell.lines == ["y"] * 200

    async def test_a_flood_with_an_end(self, shell: Shell) -> None:
        assert (await shell.run("head -c 20000000 /dev/zero; echo; seq 3")).well
        assert shell.output.size_bytes == 20_000_007
        assert shell.lines[-3:] == ["1", "2", "3"]

    async def test_all_there_is_when_it_ends(self, shell: Shell) -> None:
        for _ in range(20):
            assert (await shell.run("seq 1000")).well
            assert shell.lines[-1] == "1000"
            assert shell.output.line_count(whole=True) == 1000

    async def test_any_bytes(self, shell: Shell) -> None:
        await shell.run(r"printf 'a\377b\0c\nd\r\n\033[31mred\nend'")
        assert shell.lines == ["a�b�c", "d", "\x1b[31mred", "end"]


class TestItsPlace:
    async def test_nothing_of_the_nodes_environment(
        self, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LONGSHORE_DATABASE__URL", "secret")
        await shell.run("env | sort")
        assert {line.partition("=")[0] for line in shell.lines} == {"D", "PATH", "PWD"}

    async def test_a_session_and_a_group_of_its_own(self, shell: Shell) -> None:
        await shell.run("echo $$; cut -d' ' -f5,6 /proc/$$/stat; pwd")
        pid, group_and_session, folder = shell.lines
        assert group_and_session == f"{pid} {pid}"
        assert folder == "/"

    async def test_no_descriptors_of_the_node(self, shell: Shell) -> None:
        await shell.run("ls /proc/$$/fd")
        assert shell.lines == ["0", "1", "2"]
