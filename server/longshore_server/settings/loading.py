"""Reading the settings, and telling of every wrong one where it was set."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from longshore_storage.errors import Misconfigured

from .sections import Section
from .settings import PREFIX, Settings


def load_settings(config: Path | None, options: Mapping[str, Any]) -> Settings:
    """Read the settings; raises ``Misconfigured`` naming every wrong one with its file or variable."""
    if config is not None and not config.is_file():
        raise Misconfigured(f"{config}: there is no such file; `--config` names a YAML file")
    _refuse_misspelt_variables()

    class FromFile(Settings):
        model_config = SettingsConfigDict(yaml_file=config)

    try:
        return FromFile(**{key: value for key, value in options.items() if value is not None})
    except ValidationError as error:
        lines = [_line(detail, config, options) for detail in error.errors()]
        raise Misconfigured("\n".join(lines)) from None
    except yaml.MarkedYAMLError as error:
        # Its own text quotes the file, and that may be a secret that was not put into quotes.
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise Misconfigured(
            f"{config}{place}: this is no YAML; a text that begins with one of * & ! % @ ` needs quotes"
        ) from None
    except Exception as error:  # what a YAML parser or a settings source raises has no common ancestor
        raise Misconfigured(f"{config or 'the environment'}: {' '.join(str(error).split())}") from None


def _refuse_misspelt_variables() -> None:
    """A variable with one underscore too few would be ignored, and the node start on something else."""
    sections = {
        name
        for name, info in Settings.model_fields.items()
        if isinstance(info.annotation, type) and issubclass(info.annotation, Section)
    }
    for variable in os.environ:
        section, _, key = variable.removeprefix(PREFIX).partition("_")
        # Kubernetes injects variables of this form for a service whose name begins with ours.
        injected = re.search(r"(^|_)(PORT|SERVICE_HOST|SERVICE_PORT)(_|$)", key)
        if injected or not variable.startswith(PREFIX):
            continue
        if section.lower() in sections and key and key[0] != "_":
            raise Misconfigured(
                f"{variable}: there is no such setting; did you mean {PREFIX}{section}__{key}?"
            )


def _line(detail: Any, config: Path | None, options: Mapping[str, Any]) -> str:
    path = [str(part) for part in detail["loc"]]
    variable = PREFIX + "__".join(path).upper()
    message = str(detail["msg"]).removeprefix("Value error, ")
    if not path:
        return message
    if options.get(path[0]) is not None:
        place = f"--{path[0].replace('_', '-')}"
    elif any(variable.startswith(name) for name in os.environ if name.startswith(PREFIX)):
        place = variable
    else:
        place = f"{config or 'settings'}: {'.'.join(path)}"
    return f"{place}: {message}"
