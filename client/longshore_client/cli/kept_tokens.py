"""The tokens that ``longshore login`` keeps: in the system's keyring, else in a file for its owner only.

A token is kept for each address of a server that was named at `longshore login`, and goes nowhere else: where
several are named later, in any order, it goes along only if it is kept for all of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from longshore_client.addresses import checked_addresses
from longshore_client.file_replacing import replace_file

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_SERVICE: Final = "longshore"
_LARGEST_FILE_BYTES: Final = 1 << 20
_KEYRING: Final = "the system's keyring"


class TokensUnusable(click.ClickException):
    """The place where tokens are kept cannot be read or written."""


def kept_token(server: str) -> str:
    """The token that is kept for every address of a server; empty where none is.

    Raises ``TokensUnusable``.
    """
    addresses = checked_addresses(server)
    in_file = _read(tokens_file())
    keyring = None if all(address in in_file for address in addresses) else _keyring()
    tokens = {in_file.get(address) or _in_keyring(keyring, address) for address in addresses}
    return tokens.pop() if len(tokens) == 1 else ""


def _in_keyring(keyring: KeyringBackend | None, address: str) -> str:
    if keyring is None:
        return ""
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(_SERVICE, address) or ""
    except KeyringError:
        # A keyring that is locked keeps nobody from calling a server that needs no token.
        return ""


def keep_token(server: str, token: str) -> str:
    """Keep a token for a server's addresses, in the place of those before; tells where.

    Raises ``TokensUnusable``.
    """
    forget_token(server)
    addresses = checked_addresses(server)
    if (keyring := _keyring()) is not None:
        from keyring.errors import KeyringError

        try:
            for address in addresses:
                keyring.set_password(_SERVICE, address, token)
        except KeyringError:
            pass
        else:
            return _KEYRING
    path = tokens_file()
    _change(path, lambda kept: {**kept, **dict.fromkeys(addresses, token)})
    return str(path)


def forget_token(server: str) -> bool:
    """Forget what is kept for a server's addresses; False where nothing was. Raises ``TokensUnusable``."""
    addresses = checked_addresses(server)
    path = tokens_file()
    forgotten = not _read(path).keys().isdisjoint(addresses)
    if forgotten:
        _change(path, lambda kept: {name: token for name, token in kept.items() if name not in addresses})
    if (keyring := _keyring()) is not None:
        from keyring.errors import KeyringError

        try:
            for address in addresses:
                if keyring.get_password(_SERVICE, address):
                    keyring.delete_password(_SERVICE, address)
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
