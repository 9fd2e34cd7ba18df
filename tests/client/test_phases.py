"""The line of phases: what is done, where it is and what comes, in whatever width there is."""

from __future__ import annotations

import pytest

from longshore_client.cli.phases import Phases
from longshore_client.models import DeploymentKind, DeploymentStatus

S = DeploymentStatus


@pytest.mark.parametrize(
    ("statuses", "kind", "shown"),
    [
        ([S.RECEIVING], DeploymentKind.UPLOAD, "● uploading  ○ examining  ○ queued  ○ rolling out  ○ live"),
        ([S.QUEUED], DeploymentKind.ROLLBACK, "● queued  ○ rolling out  ○ live"),
        ([S.QUEUED, S.ROLLING_OUT], DeploymentKind.UNDEPLOY, "✓ queued  ● rolling out  ○ removed"),
        ([S.STAGED], DeploymentKind.RELEASE, "● staged  ○ queued  ○ rolling out  ○ live"),
        (
            [S.QUEUED, S.ROLLING_OUT, S.REVERTING],
            DeploymentKind.RELEASE,
            "✓ queued  ✓ rolling out  ✗ going back",
        ),
        ([S.RECEIVING, S.FAILED], DeploymentKind.UPLOAD, "✓ uploading  ✗ failed"),
        ([S.QUEUED, S.ROLLING_OUT, S.SUCCEEDED], DeploymentKind.RELEASE, "✓ queued  ✓ rolling out  ✓ live"),
    ],
)
def test_a_way(statuses: list[DeploymentStatus], kind: DeploymentKind, shown: str) -> None:
    phases = Phases()
    for status in statuses:
        phases.move(status, kind)
    line = phases.line(80, 2.1).plain
    assert line.removesuffix("2.1 s").rstrip() == shown
    assert len(line) == 80


@pytest.mark.parametrize("status", list(DeploymentStatus))
@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
def test_it_fits_whatever_the_status(status: DeploymentStatus, width: int) -> None:
    phases = Phases()
    phases.move(S.RECEIVING, DeploymentKind.UPLOAD)
    phases.move(status)
    line = phases.line(width, 3_725.0)
    assert line.cell_len <= max(width, 26)
    assert line.plain.endswith("1 h 2 min")


def test_before_anything_is_known() -> None:
    assert Phases().line(40, 0.0).plain.split("  ")[0] == "● connecting"


def test_where_it_is_narrow_the_present_stays() -> None:
    phases = Phases()
    phases.move(S.ROLLING_OUT, DeploymentKind.UPLOAD)
    assert phases.line(40, 2.1).plain.split("  ")[0] == "● rolling out"
