"""How many requests a second a principal may make at this node: a bucket of tokens for each of them."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from longshore_server.access import Caller
from longshore_server.refusal import Reason, Refusal
from longshore_server.settings import QuotaSettings
from longshore_storage.catalogue.rows import Actor

from .admission import Admission

_MOST_PRINCIPALS: Final = 10_000


class RequestRates:
    """Each may save up what comes in a second, one request at least.

    Of more than 10,000 principals the one that was seen longest ago begins anew, with a full bucket.
    """

    def __init__(
        self, rate_of: Callable[[str], float | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate_of = rate_of
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, principal: str) -> None:
        """Take a request's token; raises ``Refusal`` where there is none yet."""
        rate = self._rate_of(principal)
        if rate is None:
            return
        now = self._clock()
        most = max(rate, 1.0)
        tokens, at = self._buckets.pop(principal, (most, now))
        tokens = min(tokens + (now - at) * rate, most)
        is_due = tokens >= 1.0
        self._buckets[principal] = (tokens - 1.0 if is_due else tokens, now)
        if len(self._buckets) > _MOST_PRINCIPALS:
            self._buckets.popitem(last=False)
        if not is_due:
            raise Refusal(
                Reason.QUOTA_EXCEEDED,
                f"{principal} may make {rate:g} requests a second at a node "
                "(`quotas.principal.requests_a_second`), and has made them: try again in a moment",
                retry_after_s=max((1.0 - tokens) / rate, 0.001),
                metadata={"quota": "principal.requests_a_second", "used": f"{rate:g}", "limit": f"{rate:g}"},
            )


def rated(admission: Admission, quotas: QuotaSettings) -> Admission:
    """An admission that lets callers in at their rates, where there are any."""
    if not quotas.limit_requests:
        return admission
    return _RatedAdmission(admission, RequestRates(lambda name: quotas.of_principal(name).requests_a_second))


class _RatedAdmission:
    def __init__(self, admission: Admission, rates: RequestRates) -> None:
        self._admission = admission
        self._rates = rates

    async def admit(self, actor: Actor, context: Any) -> Caller:
        """Tell who calls, unless too often."""
        caller = await self._admission.admit(actor, context)
        self._rates.take(caller.identity.principal)
        return caller

    async def check(self, method: str, request: Any, actor: Actor) -> Any:
        """As the other one says."""
        return await self._admission.check(method, request, actor)
