"""What was refused, in the audit trail: each once a minute, and not without end."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import structlog

from longshore_storage.catalogue import Catalogue
from longshore_storage.catalogue.audit_trail import AuditResult, record_audit
from longshore_storage.catalogue.rows import Actor
from longshore_storage.errors import StorageError

_log = structlog.get_logger(__name__)

_AGAIN_AFTER_S: Final = 60.0
_MOST_A_MINUTE: Final = 300
# Whoever tries one name after the other must not keep the denials of others out.
_MOST_OF_ONE: Final = 30
_LONGEST_MESSAGE: Final = 1000
# Names are looked at before; whatever is not must not fill the trail.
_LONGEST_NAME: Final = 200


class Denials:
    """Writes denials down. Whoever is refused a thousand times a second fills no table by it.

    ``on_denied`` is told every one, with what was refused.
    """

    def __init__(self, catalogue: Catalogue, on_denied: Callable[[str], None] = lambda _: None) -> None:
        self._catalogue = catalogue
        self._on_denied = on_denied
        self._told: OrderedDict[tuple[str, ...], float] = OrderedDict()

    async def record(
        self, actor: Actor, what: str, message: str, *, project: str = "", environment: str = ""
    ) -> None:
        """Record that ``actor`` was refused ``what``: a permission, or to be let in."""
        self._on_denied(what)
        project, environment = project[:_LONGEST_NAME], environment[:_LONGEST_NAME]
        now = time.monotonic()
        while self._told and next(iter(self._told.values())) < now - _AGAIN_AFTER_S:
            self._told.popitem(last=False)
        key = (actor.principal, _address(actor), what, project, environment)
        if key in self._told or len(self._told) >= _MOST_A_MINUTE:
            return
        if sum(principal == actor.principal for principal, *_ in self._told) >= _MOST_OF_ONE:
            return
        self._told[key] = now
        try:
            async with self._catalogue.transaction() as transaction:
                await record_audit(
                    transaction,
                    actor,
                    "access.denied",
                    result=AuditResult.DENIED,
                    reason=what,
                    message=message[:_LONGEST_MESSAGE],
                    project=project,
                    environment=environment,
                )
        except StorageError as error:
            # Refused it stays, whether or not that can be written down.
            _log.warning("access.denial_not_recorded", error=str(error))


def _address(actor: Actor) -> str:
    return actor.peer.rpartition(":")[0]
