"""What was forgotten in `staging/` goes while the node runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from longshore_server.collecting.staging import StagingSweep
from longshore_server.disk import DataFolder

from .disk.places import new_staging


class TestStaging:
    def test_only_what_has_long_not_changed_goes(self, tmp_path: Path) -> None:
        with DataFolder.open(tmp_path) as folder:
            forgotten, used = new_staging(folder, "forgotten"), new_staging(folder, "used")
            (forgotten / "tree").mkdir()
            (forgotten / "tree/file").write_text("x")
            (forgotten / "tree/file").chmod(0o444)
            (forgotten / "tree").chmod(0o555)
            (folder.staging / "file").write_text("x")
            (used / "deep/er").mkdir(parents=True)
            sweep = StagingSweep(folder, untouched_for_s=0.2)
            assert sweep.sweep() == 0
            wait_for_the_disks_clock(tmp_path)
            (used / "deep/er/file").write_text("x")
            # What an archive says its time was is no matter.
            os.utime(used / "deep/er/file", (0, 0))
            assert sweep.sweep() == 2
            assert list(folder.staging.iterdir()) == [used]

    def test_what_cannot_be_removed_does_not_stop_the_others(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with DataFolder.open(tmp_path) as folder:
            first, second = sorted(new_staging(folder, name) for name in ("a", "b"))
            discard: Callable[[Path], None] = folder.discard_staging

            def refuse_first(path: Path) -> None:
                if path == first:
                    raise PermissionError(13, "no")
                discard(path)

            monkeypatch.setattr(folder, "discard_staging", refuse_first)
            assert StagingSweep(folder, untouched_for_s=0).sweep() == 1
            assert list(folder.staging.iterdir()) == [first]
            assert not second.exists()


def wait_for_the_disks_clock(folder: Path) -> None:
    """Whatever is written later has another time than all that was written before."""
    probe = folder / "probe"
    probe.write_text("0")
    first_s = probe.stat().st_ctime
    while probe.stat().st_ctime < first_s + 0.3:
        probe.write_text("1")
