"""What every test may ask for: the real services."""

import gc
import os
import signal
import sys
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parent

pytest_plugins = ["tests.services.fixtures", "tests.services.migrated"]

# A run that was started in the background ignores Ctrl-C, and so would every program that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Where Python may not write bytecode beside the sources, hundreds of programs that tests start would each
# compile for seconds what the one before has compiled; a folder of our own is beside nothing.
if sys.dont_write_bytecode:
    bytecode = str(TESTS.parent / ".cache" / "bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = bytecode
    sys.dont_write_bytecode = False

# Whoever runs on several processes takes the files in this order: the few that take minutes first, so that at
# the end there is something short to do for all.
LONG: Final = ("cluster", "benchmarks", "storage/machine", "faults", "docs")


def pytest_configure(config: pytest.Config) -> None:
    """Keep pytest-xdist from beginning with the files of many tests, which are not those that take long."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


@pytest.fixture(autouse=True)
def commands_leave_the_log_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command writes its log to its own streams, which end with it; a process that runs tests lives on."""
    monkeypatch.setattr("longshore_server.commands.running.configure_logging", lambda level, form: None)


def pytest_collection_finish() -> None:
    """Look for no garbage in what is loaded now: it stays to the end, and is most of what there is."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((at for at, long in enumerate(LONG) if item.path.is_relative_to(TESTS / long)), len(LONG))

    items.sort(key=place)
