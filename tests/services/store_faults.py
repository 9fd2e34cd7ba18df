"""What a bad network, a bad proxy or a bad store does to one request, each as one small class."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from .http_messages import Answer, Request
from .store_proxy import ConnectionEnded, Exchange


def s3_error(status: int, code: str) -> Answer:
    """An error as S3 tells it; without a code as a load balancer does, in nobody's words."""
    body = f"<Error><Code>{code}</Code><Message>the test wants it</Message></Error>" if code else ""
    return Answer(status, (("Content-Type", "application/xml" if code else "text/plain"),), body.encode())


@dataclass(frozen=True)
class Says:
    """An error in place of the store's answer. With ``at_once`` the body is not even read."""

    status: int
    code: str = ""
    at_once: bool = False

    async def meet(self, exchange: Exchange) -> None:
        if not self.at_once:
            await exchange.body()
        answer = s3_error(self.status, self.code)
        await exchange.answer(answer if exchange.request.method != "HEAD" else Answer(self.status))
        if self.at_once:
            raise ConnectionEnded


@dataclass(frozen=True)
class Hangs:
    """No answer at all, and with ``unread`` not even an ear for the body."""

    unread: bool = False

    async def meet(self, exchange: Exchange) -> None:
        if not self.unread:
            await exchange.body()
        await exchange.mended.wait()
        raise ConnectionEnded


@dataclass(frozen=True)
class Delays:
    """The right answer, late."""

    delay_s: float

    async def meet(self, exchange: Exchange) -> None:
        answer = await exchange.forwarded()
        await asyncio.sleep(self.delay_s)
        await exchange.answer(answer)


@dataclass(frozen=True)
class Trickles:
    """The right answer, byte after byte."""

    bytes_per_s: float

    async def meet(self, exchange: Exchange) -> None:
        await exchange.answer(await exchange.forwarded(), bytes_per_s=self.bytes_per_s)


@dataclass(frozen=True)
class Sips:
    """The body is taken in slowly; then the store answers as ever."""

    bytes_per_s: float

    async def meet(self, exchange: Exchange) -> None:
        await exchange.body(bytes_per_s=self.bytes_per_s)
        await exchange.answer(await exchange.forwarded())


@dataclass(frozen=True)
class Drops:
    """The connection ends without an answer, by a reset or in good order; the store has seen nothing."""

    reset: bool = False

    async def meet(self, exchange: Exchange) -> None:
        await exchange.body()
        if self.reset:
            exchange.reset()
        raise ConnectionEnded


@dataclass(frozen=True)
class CutsRequest:
    """The store gets a part of the body, and its connection ends; so does the client's."""

    share: float = 0.5

    async def meet(self, exchange: Exchange) -> None:
        await exchange.forwarded_in_two(int(exchange.request.size_bytes * self.share), None)


@dataclass(frozen=True)
class CutsAnswer:
    """The client gets a part of the body that was announced, then the end or a reset."""

    share: float = 0.5
    reset: bool = False

    async def meet(self, exchange: Exchange) -> None:
        answer = await exchange.forwarded()
        await exchange.answer(answer, cut_at=int(len(answer.body) * self.share))
        if self.reset:
            exchange.reset()
        raise ConnectionEnded


@dataclass(frozen=True)
class Shortens:
    """The client gets a part of the body as if it were the whole."""

    share: float = 0.5

    async def meet(self, exchange: Exchange) -> None:
        answer = await exchange.forwarded()
        await exchange.answer(answer.with_body(answer.body[: int(len(answer.body) * self.share)]))


@dataclass(frozen=True)
class FlipsRequest:
    """One bit of the body is another when it arrives at the store."""

    share: float = 0.5

    async def meet(self, exchange: Exchange) -> None:
        await exchange.answer(await exchange.forwarded(flipped(await exchange.body(), self.share)))


@dataclass(frozen=True)
class FlipsAnswer:
    """One bit of the body is another when it arrives at the client."""

    share: float = 0.5

    async def meet(self, exchange: Exchange) -> None:
        answer = await exchange.forwarded()
        is_body = answer.status in (200, 206)
        await exchange.answer(answer.with_body(flipped(answer.body, self.share)) if is_body else answer)


@dataclass(frozen=True)
class Zeros:
    """As many bytes as were asked for, all of them zero: what a file system gives after a crash."""

    async def meet(self, exchange: Exchange) -> None:
        answer = await exchange.forwarded()
        await exchange.answer(answer.with_body(bytes(len(answer.body))))


@dataclass(frozen=True)
class Swallows:
    """The store says that it has stored what it never saw."""

    async def meet(self, exchange: Exchange) -> None:
        await exchange.body()
        await exchange.answer(Answer(200, (("ETag", '"0123456789abcdef0123456789abcdef"'),)))


@dataclass(frozen=True)
class LosesAnswer:
    """The store does it, and nobody hears of it: the connection ends, or an error is told."""

    status: int = 0

    async def meet(self, exchange: Exchange) -> None:
        await exchange.forwarded()
        if not self.status:
            raise ConnectionEnded
        await exchange.answer(s3_error(self.status, "InternalError"))


@dataclass(frozen=True)
class Doubles:
    """The store gets the request twice."""

    async def meet(self, exchange: Exchange) -> None:
        await exchange.forwarded()
        await exchange.answer(await exchange.forwarded())


@dataclass(frozen=True)
class Misplaces:
    """As many bytes as were asked for, and the right ones, in the wrong places."""

    async def meet(self, exchange: Exchange) -> None:
        answer = await exchange.forwarded()
        half = len(answer.body) // 2
        await exchange.answer(answer.with_body(answer.body[half:] + answer.body[:half]))


@dataclass(frozen=True)
class Holds:
    """Requests wait, with a ``share`` of their bodies at the store already, until they are let go."""

    share: float = 0.0
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    held: asyncio.Queue[Request] = field(default_factory=asyncio.Queue)

    async def meet(self, exchange: Exchange) -> None:
        await exchange.body()
        self.held.put_nowait(exchange.request)
        if self.share:
            cut = int(exchange.request.size_bytes * self.share)
            answer = await exchange.forwarded_in_two(cut, self.let_go)
        else:
            await self.let_go.wait()
            answer = await exchange.forwarded()
        await exchange.answer(answer)


def flipped(body: bytes, share: float) -> bytes:
    """``body`` with one bit changed, where ``share`` of it lies before."""
    at = min(int(len(body) * share), len(body) - 1)
    return body[:at] + bytes([body[at] ^ 0x10]) + body[at + 1 :] if body else body
