"""What a node holds in memory while it takes a large payload, which does not depend on its size."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from longshore_server.deploying.opening import payload_settings
from longshore_server.settings import UploadSettings
from tests.services.processes import serve

from .calls import PROJECT, LargeFile, assert_succeeded, connected, outcome

_MIB = 1 << 20
_SIZE_BYTES = 1 << 30


def peak_bytes(pid: int) -> int:
    """The most that the process ever had resident."""
    told = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert told is not None
    return int(told[1]) << 10


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell")
async def test_a_gibibyte_of_what_cannot_be_compressed(place: Path) -> None:
    settings = payload_settings(UploadSettings())
    # For the one upload that there is.
    bound = settings.upload_bytes + settings.packs_in_flight * settings.pack_bytes
    async with serve(data_dir=place / "node") as server, connected(server) as stub:
        before = peak_bytes(server.pid)
        file = LargeFile(_SIZE_BYTES, random.Random(1))
        await file.upload(stub)
        received = peak_bytes(server.pid)
        assert_succeeded(await outcome(stub, file.deployment_id, deadline_s=120))
        installed = peak_bytes(server.pid)
    assert (place / "node" / "live" / PROJECT / "file").stat().st_size == _SIZE_BYTES
    told = (
        f"{before >> 20} MiB at first, +{(received - before) >> 20} by the upload, "
        f"+{(installed - before) >> 20} in all; the bound is {bound >> 20}"
    )
    # Seen with `pytest -s`.
    print(told)
    assert installed - before <= bound, told
