"""What tests do where this machine lacks what they are about."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def do_without(missing: object) -> NoReturn:
    """Skip the rest of the test and say what is missing; with ``LONGSHORE_REQUIRE_SERVICES=1`` fail it."""
    if os.environ.get("LONGSHORE_REQUIRE_SERVICES") == "1":
        pytest.fail(f"LONGSHORE_REQUIRE_SERVICES=1: {missing}", pytrace=False)
    # An exception being handled stays the context, by which `fixtures` knows a service.
    pytest.skip(str(missing))
