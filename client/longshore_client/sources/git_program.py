"""Runs the ``git`` program within bounds: of time, of disk, of what it may speak, and without asking anybody.

The person's own configuration and credential helpers stay in force; what the repository brings along (hooks,
filters, templates) does not.
"""

from __future__ import annotations

import base64
import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from longshore_client.source_errors import SourceTooLarge, SourceUnavailable

from .options import Deadline

_LOOK_EVERY_S: Final = 0.25
_PIECE_BYTES: Final = 64 * 1024
_TOLD_BYTES: Final = 4096
_OUR_SETTINGS: Final = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.autocrlf": "false",
    "core.eol": "lf",
    "core.attributesFile": os.devnull,
    "core.symlinks": "true",
    "core.fileMode": "true",
    "fetch.unpackLimit": "1",
    "fetch.fsckObjects": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "http.followRedirects": "false",
    "advice.detachedHead": "false",
}
_SAID_OF_EVERY_FAILURE: Final = ("Please make sure you have", "and the repository exists")
_TAKEN_OUT: Final = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_SHALLOW_FILE", "GIT_TEMPLATE_DIR"),
    *("GIT_EXTERNAL_DIFF", "GIT_REPLACE_REF_BASE", "GIT_CONFIG", "GIT_CONFIG_PARAMETERS"),
)


class GitFailed(Exception):
    """The program ended with an error; ``told`` is the end of what it said."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.told = told


class GitProgram:
    """``git`` on one repository whose files lie in ``git_folder`` and whose tree is to lie in ``tree``.

    ``settings`` count before the person's own; ``secrets`` are in no error.
    """

    def __init__(
        self,
        git_folder: Path,
        tree: Path,
        *,
        protocols: Sequence[str],
        settings: Mapping[str, str],
        secrets: Sequence[str] = (),
        deadline: Deadline,
        most_bytes: int,
    ) -> None:
        self._git_folder = git_folder
        self._tree = tree
        self._secrets = secrets
        self._deadline = deadline
        self._most_bytes = most_bytes
        self._environment = _environment(protocols, {**_OUR_SETTINGS, **settings})

    def run(self, *arguments: str, take: Callable[[bytes], None] | None = None) -> bytes:
        """Run a command to its end; what it prints, or nothing where ``take`` gets it piece by piece.

        Raises ``GitFailed``, ``SourceUnavailable``, ``SourceTooLarge``, and whatever ``take`` raises.
        """
        printed = bytearray()
        command = ["git", f"--git-dir={self._git_folder}", f"--work-tree={self._tree}", *arguments]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self._tree,
                env=self._environment,
                # Without a terminal of its own ssh cannot ask, and everything it starts ends with it.
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise SourceUnavailable(
                "the program git is not installed here, and repositories need it"
            ) from error
        try:
            told = self._attend(process, take or printed.extend)
        finally:
            _end(process)
        if process.returncode:
            raise GitFailed(self._without_secrets(_last_lines(told)))
        return bytes(printed)

    def _attend(self, process: subprocess.Popen[bytes], take: Callable[[bytes], None]) -> bytes:
        """Read what the program says until it has ended; the last bytes of its complaints."""
        assert process.stdout is not None
        assert process.stderr is not None
        told = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            selector.register(process.stderr, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(min(_LOOK_EVERY_S, self._deadline.left_s()))
                if not ready and process.poll() is not None:
                    # Something that it started stays, such as an ssh that is kept for the next connection.
                    break
                for key, _ in ready:
                    piece = os.read(key.fd, _PIECE_BYTES)
                    if not piece:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is process.stdout:
                        take(piece)
                    else:
                        told = (told + piece)[-_TOLD_BYTES:]
                self._check_size()
        with suppress(subprocess.TimeoutExpired):
            process.wait(self._deadline.left_s())
        self._deadline.left_s()
        return told

    def _without_secrets(self, told: str) -> str:
        """What git repeats of a server's words, which may repeat what the server was sent."""
        for secret in self._secrets:
            told = told.replace(secret, "…")
        return told

    def _check_size(self) -> None:
        packs = self._git_folder / "objects" / "pack"
        with suppress(OSError):
            if sum(each.stat().st_size for each in packs.iterdir()) > self._most_bytes:
                raise SourceTooLarge(
                    f"the repository sends more than {self._most_bytes} bytes for one commit, which is the "
                    "limit"
                )


def encoded_token(token: str) -> str:
    """A token as GitHub and GitLab want it from git."""
    return base64.b64encode(f"x-access-token:{token}".encode()).decode()


def authorization(url: str, token: str) -> dict[str, str]:
    """The setting that has git send a token to the server of ``url``."""
    server = "/".join(url.split("/")[:3])
    return {f"http.{server}/.extraHeader": f"Authorization: Basic {encoded_token(token)}"}


def _environment(protocols: Sequence[str], settings: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _TAKEN_OUT and not name.startswith(("GIT_TRACE", "GIT_CURL_VERBOSE"))
    }
    counted = kept.get("GIT_CONFIG_COUNT", "")
    count = int(counted) if counted.isdecimal() else 0
    # In the environment, not among the arguments, which every user of the machine can read.
    for place, (name, value) in enumerate(settings.items(), start=count):
        kept[f"GIT_CONFIG_KEY_{place}"] = name
        kept[f"GIT_CONFIG_VALUE_{place}"] = value
    return {
        **kept,
        "GIT_CONFIG_COUNT": str(count + len(settings)),
        "GIT_ALLOW_PROTOCOL": ":".join(protocols),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "SSH_ASKPASS_REQUIRE": "never",
        "LC_ALL": "C",
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _last_lines(told: bytes) -> str:
    lines = [line.strip() for line in told.decode("utf-8", "replace").splitlines()]
    said = [line for line in lines if line and not line.startswith(_SAID_OF_EVERY_FAILURE)]
    return "; ".join(said[-3:])[-400:] or "it did not say why"
