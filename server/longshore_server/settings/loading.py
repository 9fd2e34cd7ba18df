"""Reading the settings, and telling of every wrong one where it was set."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from longshore_storage.errors import Misconfigured

from .sections import Section
from .settings import PREFIX, Settings

# For a service whose name is ours, or begins with it.
_INJECTED: Final = re.compile(r"(^|_)(PORT|SERVICE_HOST|SERVICE_PORT)(_|$)")
# `LISTNE` and `LISTEN`, but not `SERVER` and `TLS`.
_ALIKE: Final = 0.8


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
    """A variable with a letter too few would be ignored, and the node start on something else.

    Those of the command line, which are none of a node's, begin as ours do; so do what Kubernetes injects.
    """
    for variable in os.environ:
        name = variable.removeprefix(PREFIX).upper()
        if not variable.startswith(PREFIX) or _INJECTED.search(name):
            continue
        section, parted, key = name.partition("__")
        meant = _meant(section, key if parted else None)
        if meant is not None:
            advice = f"; did you mean {PREFIX}{meant}?" if meant else ""
            raise Misconfigured(f"{variable}: there is no such setting{advice}")


def _meant(name: str, key: str | None) -> str | None:
    """What a variable was to be: None where it may be what it is, empty where nobody knows.

    ``key`` is what comes after two underscores, where there are two: such a variable is a setting or wrong.
    """
    known = {field.upper(): _is_section(field) for field in Settings.model_fields}
    if name in known:
        return None
    if key is not None:
        sections = [field for field, is_section in known.items() if is_section]
        like = get_close_matches(name, sections, n=1)
        return f"{like[0]}__{key}" if like else ""
    section, _, rest = name.partition("_")
    if rest and known.get(section):
        return f"{section}__{rest}"
    return next(iter(get_close_matches(name, known, n=1, cutoff=_ALIKE)), None)


def _is_section(field: str) -> bool:
    annotation = Settings.model_fields[field].annotation
    return isinstance(annotation, type) and issubclass(annotation, Section)


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
