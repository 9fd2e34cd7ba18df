"""Real git repositories, and git's own way to serve them over HTTP."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from .web_server import WebServer

_SETTINGS = ("user.name=a", "user.email=a@a.test", "init.defaultBranch=main", "uploadpack.allowFilter=true")


class Repository:
    """A repository with a work tree in ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet")

    def git(self, *arguments: str) -> str:
        settings = [part for each in _SETTINGS for part in ("-c", each)]
        done = subprocess.run(
            ["git", "-C", self.path, *settings, *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str]) -> str:
        """Write files, and commit everything there is. The commit's id."""
        for name, text in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "--message=m")
        return self.git("rev-parse", "HEAD")

    @property
    def url(self) -> str:
        return f"file://{self.path}"


def serve_repository(server: WebServer, repository: Repository, target: str = "/repository") -> str:
    """Serve a repository over smart HTTP. Its URL."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        path, _, query = handler.path.partition("?")
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(repository.path / ".git"),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": handler.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
            "REQUEST_METHOD": handler.command,
            "PATH_INFO": path.removeprefix(target),
            "QUERY_STRING": query,
            "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True)
        head, _, answered = done.stdout.partition(b"\r\n\r\n")
        length = f"\r\nContent-Length: {len(answered)}\r\n\r\n".encode()
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n" + head + length + answered)

    server.answers[f"{target}/info/refs?service=git-upload-pack"] = answer
    server.answers[f"{target}/git-upload-pack"] = answer
    return server.url(target)
