"""Holding variables and files of settings against the settings that there are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from unittest import mock

import yaml
from pydantic import BaseModel

from longshore_server.settings import Settings, load_settings

PREFIX: Final = "LONGSHORE_"
# Read by commands, and no keys of the file.
OF_COMMANDS: Final = {"LONGSHORE_CONFIG"}


def assert_is_a_setting(variable: str) -> None:
    """Walked by hand: a variable that no setting has is ignored when settings are read."""
    model: type[BaseModel] = Settings
    for part in variable.removeprefix(PREFIX).lower().split("__"):
        assert part in model.model_fields, f"{variable} is no setting"
        kind = model.model_fields[part].annotation
        model = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else BaseModel


@contextmanager
def only_these(variables: Mapping[str, str]) -> Any:
    """The environment with these variables of ours and no others."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with mock.patch.dict(os.environ, {**others, **variables}, clear=True):
        yield


def settings_of(file: str | None, variables: Mapping[str, str], folder: Path) -> Settings:
    """What a node reads from the text of a file and variables. Every secret file there is says ``secret``."""
    for name in variables:
        if name not in OF_COMMANDS:
            assert_is_a_setting(name)
    secret = folder / "secret"
    secret.write_text("secret\n")
    given = {
        name: str(secret) if name.endswith(("PASSWORD_FILE", "SECRET_KEY_FILE")) else value
        for name, value in variables.items()
        if name not in OF_COMMANDS
    }
    config = None
    if file is not None:
        assert isinstance(yaml.safe_load(file), dict)
        config = folder / "longshore.yaml"
        config.write_text(file)
    with only_these(given):
        return load_settings(config, {})
