"""Health checks: one try of each kind, and many over time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from longshore_server.hooks import (
    CommandCheck,
    HttpCheck,
    OutputTail,
    SwitchFacts,
    TcpCheck,
    probe,
    until_healthy,
)

FACTS = SwitchFacts("web", "default", "id", "1.0.0", Path("/tree"), Path("/live/web"), None)
Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@asynccontextmanager
async def listening(peer: Peer) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await peer(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield "{}:{}".format(*server.sockets[0].getsockname())
    finally:
        server.close()


def answering(answer: bytes, asked: list[bytes] | None = None) -> Peer:
    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if asked is not None:
            asked.append(request)
        writer.write(answer)
        await writer.drain()

    return answer_once


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"H")
        await writer.drain()
        await asyncio.sleep(0.01)


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def flooding(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"H" * (1 << 20))
    await writer.drain()


async def try_http(peer: Peer, path: str = "/", **values: Any) -> str:
    async with listening(peer) as address:
        check = HttpCheck(kind="http", target=f"http://{address}{path}", **values)
        return await probe(check, FACTS, OutputTail())


class TestHttp:
    @pytest.mark.parametrize("status", [b"200 OK", b"204 No Content", b"299"])
    async def test_healthy(self, status: bytes) -> None:
        asked: list[bytes] = []
        assert await try_http(answering(b"HTTP/1.1 " + status + b"\r\n\r\n", asked), "/live?deep=1") == ""
        request, *headers = asked[0].decode().split("\r\n")
        assert request == "GET /live?deep=1 HTTP/1.1"
        assert "Connection: close" in headers
        assert any(header.startswith("Host: 127.0.0.1:") for header in headers)

    @pytest.mark.parametrize(
        ("answer", "wrong"),
        [
            (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "it answered 503 Service Unavailable"),
            (b"HTTP/1.0 302 Found\r\nLocation: http://elsewhere/\r\n\r\n", "it answered 302 Found"),
            (b"HTTP/1.1 2\r\n\r\n", "it does not answer as HTTP: 'HTTP/1.1 2'"),
            (b"SSH-2.0-OpenSSH_9\r\n", "it does not answer as HTTP: 'SSH-2.0-OpenSSH_9'"),
            (b"\xff\xfe\r\n", "it does not answer as HTTP: 'ÿþ'"),
        ],
    )
    async def test_other_answers(self, answer: bytes, wrong: str) -> None:
        assert await try_http(answering(answer)) == wrong

    async def test_peers_that_do_not_answer(self) -> None:
        assert await try_http(silent, timeout_s=0.2) == "no answer within 0.2 s"
        assert await try_http(dripping, timeout_s=0.2) == "no answer within 0.2 s"
        assert await try_http(closing) == "it closed the connection unanswered"
        assert "limit" in await try_http(flooding)

    async def test_nobody_there(self) -> None:
        async with listening(silent) as address:
            pass
        wrong = await probe(HttpCheck(kind="http", target=f"http://{address}/"), FACTS, OutputTail())
        assert "Connect call failed" in wrong

    async def test_a_name_that_nobody_has(self) -> None:
        check = HttpCheck(kind="http", target="http://nobody.invalid/", timeout_s=5)
        assert await probe(check, FACTS, OutputTail())

    async def test_tls_with_somebody_who_speaks_none(self) -> None:
        async with listening(answering(b"HTTP/1.1 200 OK\r\n\r\n")) as address:
            check = HttpCheck(kind="http", target=f"https://{address}/", timeout_s=1)
            assert await probe(check, FACTS, OutputTail())


class TestTcp:
    async def test_accepted_and_refused(self) -> None:
        async with listening(silent) as address:
            check = TcpCheck(kind="tcp", target=address)
            assert await probe(check, FACTS, OutputTail()) == ""
        assert "Connect call failed" in await probe(check, FACTS, OutputTail())


class TestCommand:
    async def test_its_end_and_its_output(self) -> None:
        output = OutputTail()
        check = CommandCheck(
            kind="command",
            target=("sh", "-c", "echo $LONGSHORE_VERSION $A; exit $A"),
            environment={"A": "4"},
        )
        assert await probe(check, FACTS, output) == "its command ended with exit code 4"
        assert output.lines(whole=True) == ["1.0.0 4"]

    async def test_its_time(self) -> None:
        check = CommandCheck(kind="command", target=("sleep", "100"), timeout_s=0.1)
        assert "took longer than 0.1 s" in await probe(check, FACTS, OutputTail())


async def go(results: Sequence[str], *, each_s: float = 0.0, **values: Any) -> tuple[str, list[str], int]:
    """Check with these results, the last one for ever: the end, what was said, and the number of tries."""
    times = {"interval_s": 0.01, "min_healthy_time_s": 0, "healthy_deadline_s": 20, **values}
    check = TcpCheck(kind="tcp", target="h:1", **times)
    said: list[str] = []
    tries = 0

    async def attempt() -> str:
        nonlocal tries
        tries += 1
        await asyncio.sleep(each_s)
        return results[min(tries, len(results)) - 1]

    return await until_healthy(check, attempt, said.append), said, tries


class TestOverTime:
    async def test_once_is_enough_where_no_time_is_asked(self) -> None:
        assert await go(["starting", "starting", "starting", ""]) == (
            "",
            ["not healthy: starting", "healthy"],
            4,
        )

    async def test_a_break_begins_the_time_anew(self) -> None:
        flapping = ["", "", "down", "", "down", ""]
        end, said, tries = await go(flapping, min_healthy_time_s=0.1)
        assert end == ""
        assert said == ["healthy", *["not healthy: down", "healthy"] * 2]
        assert tries > len(flapping)

    async def test_flapping_for_ever_is_not_healthy(self) -> None:
        end, _, tries = await go(["", "down"] * 10_000, min_healthy_time_s=0.2, healthy_deadline_s=0.5)
        assert end.startswith("was not healthy for 0.2 s within 0.5 s: ")
        assert tries > 2

    async def test_never_healthy(self) -> None:
        end, said, tries = await go(["refused"], healthy_deadline_s=0.2)
        assert end == f"was not healthy within 0.2 s: 0 of {tries} tries were, the last one: refused"
        assert said == ["not healthy: refused"]

    async def test_healthy_too_late(self) -> None:
        end, _, _ = await go(
            ["down"] * 5 + [""], interval_s=0.05, min_healthy_time_s=0.4, healthy_deadline_s=0.5
        )
        assert end.endswith("the last one was healthy")

    async def test_a_try_that_does_not_end(self) -> None:
        end, _, tries = await go([""], each_s=100, healthy_deadline_s=0.1)
        assert (end.startswith("was not healthy"), tries) == (True, 1)

    async def test_a_long_interval_does_not_lengthen_the_time(self) -> None:
        async with asyncio.timeout(5):
            end, _, tries = await go([""], interval_s=60, min_healthy_time_s=0.1, healthy_deadline_s=100)
        assert (end, tries) == ("", 2)
