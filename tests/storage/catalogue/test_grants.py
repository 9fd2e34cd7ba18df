"""The statements of a role's grants, by their text; ``tests/server/test_least_rights.py`` tries them."""

from __future__ import annotations

import re

from longshore_storage.catalogue.grants import install_grants

_POLICY = re.compile(r'POLICY (?:IF EXISTS )?"([^"]+)"')


def policies(role: str) -> set[str]:
    """The names of the policies that are the role's own."""
    return {name for statement in install_grants(role, node="web-1") for name in _POLICY.findall(statement)}


def test_of_roles_that_are_alike_none_loses_its_policies() -> None:
    """PostgreSQL cuts names off at 63 bytes, those of policies too."""
    for one, other in (("r" * 62 + "1", "r" * 62 + "2"), ("å" * 30, "å" * 30 + "b")):
        assert len(policies(one)) == len({name.encode()[:63] for name in policies(one)}) == 3
        assert not policies(one) & policies(other)
