"""A node that has to know who calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.running import RunningNode, StartNode

from .issuer import Issuer
from .policies import write_policy


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path)


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    """Who may do what; tests write it anew."""
    path = tmp_path / "policy.yaml"
    write_policy(path, {"role": "admin", "principals": ["root"]})
    return path


@pytest.fixture
def access(issuer: Issuer, policy_file: Path) -> dict[str, Any]:
    return {
        "enabled": True,
        "policy_file": policy_file,
        "issuers": [issuer.settings],
        "look_again_s": 0.1,
    }


@pytest.fixture
async def guarded(start_node: StartNode, access: dict[str, Any]) -> AsyncIterator[RunningNode]:
    async with start_node(access=access) as running:
        yield running
