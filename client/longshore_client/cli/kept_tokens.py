"""The tokens that ``longshore login`` keeps: in the system's keyring, else in a file for its owner only.

A token is kept for the addresses of a server as they are named, and goes nowhere else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from longshore_client.file_replacing import replace_file

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_SERVICE: Final = "longshore"
_LARGEST_FILE_BYTES: Final = 1 << 20
_KEYRING: Final = "the system's keyring"


class TokensUnusable(click.ClickException):
    """The place where tokens are kept cannot be read or written."""


def kept_token(server: str) -> str:
    """The token for a server; empty where none is kept. Raises ``TokensUnusable``."""
    if token := _read(tokens_file()).get(server, ""):
        return token
    keyring = _keyring()
    if keyring is None:
        return ""
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(_SERVICE, server) or ""
    except KeyringError:
        # A keyring that is locked keeps nobody from calling a server that needs no token.
        return ""


def keep_token(server: str, token: str) -> str:
    """Keep a token in the place of the one before; tells where. Raises ``TokensUnusable``."""
    forget_token(server)
    if (keyring := _keyring()) is not None:
        from keyring.errors import KeyringError

        try:
            keyring.set_password(_SERVICE, server, token)
        except KeyringError:
            pass
        else:
            return _KEYRING
    path = tokens_file()
    _change(path, lambda kept: {**kept, server: token})
    return str(path)


def forget_token(server: str) -> bool:
    """Forget a server's token; False where none was kept. Raises ``TokensUnusable``."""
    path = tokens_file()
    forgotten = server in _read(path)
    if forgotten:
        _change(path, lambda kept: {name: token for name, token in kept.items() if name != server})
    if (keyring := _keyring()) is not None:
        from keyring.errors import KeyringError

        try:
            if keyring.get_password(_SERVICE, server):
                keyring.delete_password(_SERVICE, server)
                forgotten = True
        except KeyringError as error:
            raise TokensUnusable(f"{_KEYRING}: {error}") from error
    return forgotten


def tokens_file() -> Path:
    """Where tokens are without a keyring. Raises ``ContextError`` where there is no home."""
    from .contexts import contexts_file

    return contexts_file().with_name("tokens.json")


def _keyring() -> KeyringBackend | None:
    """The system's keyring; None where there is none, or nothing that keeps tokens safe."""
    try:
        import keyring
        from keyring.backends import chainer, fail
    except ImportError:
        return None
    backend = keyring.get_keyring()
    if isinstance(backend, chainer.ChainerBackend):
        # It is as safe as the first of those that it chains, where it keeps things.
        backend = next(iter(backend.backends), backend)
    usable = not isinstance(backend, fail.Keyring) and backend.priority >= 1
    return backend if usable else None


def _read(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise TokensUnusable(
                    f"{path}: others may read it, so its tokens may be known: chmod 600 {path}"
                )
            content = file.read(_LARGEST_FILE_BYTES)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise TokensUnusable(f"{path}: {error.strerror}") from error
    try:
        kept = json.loads(content)
    except ValueError as error:
        raise TokensUnusable(f"{path} is broken: remove it, and log in again") from error
    if not isinstance(kept, dict):
        raise TokensUnusable(f"{path} is broken: remove it, and log in again")
    return {str(server): token for server, token in kept.items() if isinstance(token, str)}


def _change(path: Path, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    import fcntl

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            content = json.dumps(change(_read(path)), indent=1).encode() + b"\n"
            replace_file(path, content, mode=0o600)
        finally:
            os.close(folder)
    except OSError as error:
        raise TokensUnusable(f"{path}: {error.strerror}") from error
