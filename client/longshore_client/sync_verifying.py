"""``verifying`` for callers without an event loop."""

from __future__ import annotations

from collections.abc import Callable

from .client import Client
from .event_thread import EventThread
from .verification_models import Verification


class SyncVerifying:
    """Waits for what ``Verifying`` does."""

    _client: Client
    _thread: EventThread

    def verify(
        self,
        project: str,
        *,
        environment: str = "default",
        repair: bool = False,
        verification_id: str | None = None,
    ) -> Verification:
        """See ``Client.verify``."""
        return self._thread.run(
            self._client.verify(
                project, environment=environment, repair=repair, verification_id=verification_id
            )
        )

    def verification(self, verification_id: str) -> Verification:
        """See ``Client.verification``."""
        return self._thread.run(self._client.verification(verification_id))

    def verified(
        self, verification_id: str, *, on_change: Callable[[Verification], None] | None = None
    ) -> Verification:
        """See ``Client.verified``."""
        return self._thread.run(self._client.verified(verification_id, on_change=on_change))
