"""The files that settings name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel


def named_files(value: Any, key: str = "") -> Iterator[tuple[str, Path]]:
    """Each setting, as a person finds it (``access.issuers[0].ca_file``), with the file that it names."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from named_files(getattr(value, name), f"{key}.{name}".lstrip("."))
    elif isinstance(value, tuple):
        for number, each in enumerate(value):
            yield from named_files(each, f"{key}[{number}]")
    elif isinstance(value, Path) and key.endswith("_file"):
        yield key, value
