"""Several issuers: none can name anybody as another one does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError

from longshore_server.settings import AccessSettings

from .issuer import Issuer


def _settings(issuer: Issuer, prefixes: Sequence[str]) -> AccessSettings:
    issuers = [
        {**issuer.settings, "issuer": f"https://{number}.example", "prefix": prefix}
        for number, prefix in enumerate(prefixes)
    ]
    return AccessSettings.model_validate({"enabled": True, "issuers": issuers})


@pytest.mark.parametrize(
    "prefixes",
    [("corp:", "corp:"), ("", "corp:"), ("corp:", ""), ("corp", "corp:"), ("ci:", "corp:team:", "corp:")],
    ids=" and ".join,
)
def test_no_prefix_begins_another(tmp_path: Path, prefixes: Sequence[str]) -> None:
    with pytest.raises(ValidationError, match="a `prefix` of its own, and none may begin with another's"):
        _settings(Issuer(tmp_path), prefixes)


def test_one_alone_needs_none(tmp_path: Path) -> None:
    for prefixes in ([""], ["ci:", "corp:", "corporate:"]):
        assert [one.prefix for one in _settings(Issuer(tmp_path), prefixes).issuers] == prefixes
