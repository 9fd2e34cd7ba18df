"""What every service has in common: started, asked whether it is ready, broken by tests, put right again."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from .child import Child, Command


class Service(ABC):
    """A service of one process that keeps its ports and its data while it is stopped and started."""

    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        self._child: Child | None = None

    @abstractmethod
    def command(self) -> Command:
        """What to start."""

    @abstractmethod
    def ready(self) -> bool:
        """Ask the service itself whether it does its work; OSError while it cannot be reached."""

    @property
    def child(self) -> Child:
        """The process as last started."""
        if self._child is None:
            raise RuntimeError("the service has not been started")
        return self._child

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    def start(self, *, wait: bool = True) -> None:
        """Start it unless it runs; returns when it is ready, or at once without ``wait``."""
        if not self.running:
            self._child = Child(self.command())
        if wait:
            self.child.wait_until_ready(self.ready)

    def stop(self) -> None:
        """End it in order."""
        if self._child is not None:
            self._child.stop(self.stop_signal)

    def kill(self) -> None:
        """SIGKILL: what it had not made durable is lost."""
        if self._child is not None:
            self._child.kill()

    def pause(self) -> None:
        """SIGSTOP: connections stay open, and nothing answers."""
        self.child.pause()

    def resume(self) -> None:
        self.child.resume()

    def ensure_running(self) -> None:
        """Put right what a test has broken."""
        if self._child is not None:
            self._child.resume()
        self.start()

    def close(self) -> None:
        """End it for good, without ceremony: its data is thrown away."""
        if self._child is not None:
            self._child.end_all()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
