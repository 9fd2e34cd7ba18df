"""The stubs with a caller's token in every call, for helpers that know of none."""

from __future__ import annotations

from typing import Any, cast

from tests.server.running import Stubs

from .issuer import bearer


def as_caller(node: Stubs, token: str) -> Stubs:
    """The node's stubs, called by the bearer of a token."""
    return cast(Stubs, _Caller(node, token))


class _Caller:
    def __init__(self, node: Stubs, token: str) -> None:
        self.deployments = _WithToken(node.deployments, token)
        self.catalog = _WithToken(node.catalog, token)
        self.cluster = _WithToken(node.cluster, token)


class _WithToken:
    def __init__(self, stub: Any, token: str) -> None:
        self._stub = stub
        self._token = token

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._stub, name)

        def call(*arguments: Any, metadata: Any = (), **more: Any) -> Any:
            return method(*arguments, metadata=(*(metadata or ()), *bearer(self._token)), **more)

        return call
