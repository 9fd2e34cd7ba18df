"""What a policy file may be; what is wrong in one is told with its place, and none of it is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore_server.access.callers import Identity
from longshore_server.access.permissions import Permission
from longshore_server.access.policy import read_policy
from longshore_storage.errors import Misconfigured

GRANT = "grants: [{role: admin, principals: [root]}]\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "holds nothing"),
        ("# nothing yet\n", "holds nothing"),
        (GRANT + GRANT, r"policy\.yaml:2: the key 'grants' stands in line 1 already"),
        ("grants: [{role: admin, principals: [root]", "no YAML"),
        ("[]", "the file"),
        ("grants: [{role: none, principals: [root]}]", "no role 'none'"),
        ("grants: [{role: admin}]", "names nobody"),
        ("grants: [{role: admin, principals: ['r*t']}]", "no pattern"),
        ("grants: [{role: admin, principals: [root], project: shop}]", "project"),
        ("grants: [{role: admin, principals: [0]}]", "principals"),
        ("roles: {mine: [deployment.all]}", "roles"),
        ("roles: {admin: [deployment.read]}", "built in"),
        ("x" * (1 << 20) + "x", "larger|at most"),
    ],
    ids=lambda value: value[:30] or "nothing",
)
def test_what_is_none(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(content)
    with pytest.raises(Misconfigured, match=told):
        read_policy(path)


def test_one_that_grants_nothing_is_one(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("{}")
    rights = read_policy(path).rights_of(Identity("root"))
    assert not any(rights.allow(one, None, None) for one in Permission)
