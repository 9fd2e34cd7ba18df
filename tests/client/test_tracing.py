"""What the command line and the library tell a collector, where somebody wants to know."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from longshore_client import Client, SyncClient
from longshore_client.errors import ProjectNotFound
from tests.server.tracing.receiver import receiving, sending_to
from tests.services.ports import ReservedPort
from tests.services.processes import ServerProcess

PROGRAM = str(Path(sys.executable).with_name("longshore"))
TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


async def _longshore(server: ServerProcess, *arguments: str, **variables: str) -> tuple[int | None, str, str]:
    ran = await asyncio.create_subprocess_exec(
        PROGRAM,
        *arguments,
        env={**os.environ, "LONGSHORE_SERVER": server.address, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await ran.communicate()
    return ran.returncode, out.decode(), err.decode()


async def test_a_command_is_part_of_its_pipelines_trace(
    server: ServerProcess, project: str, tmp_path: Path
) -> None:
    (tmp_path / "payload").write_text("content")
    async with receiving() as receiver:
        code, _, told = await _longshore(
            server,
            *("deploy", str(tmp_path / "payload"), "--project", project, "--version", "1.0.0", "--quiet"),
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            TRACEPARENT=f"00-{TRACE}-{SPAN}-01",
        )
        spans = {one.name: one for one in await receiver.until_told("longshore deploy")}
    assert (code, told) == (0, "")
    assert {one.trace_id for one in spans.values()} == {TRACE}
    command, deploy = spans["longshore deploy"], spans["deploy"]
    assert (command.parent_id, command.service, deploy.parent_id) == (SPAN, "longshore-cli", command.span_id)
    assert {spans[name].parent_id for name in ("pack", "hash", "upload")} == {deploy.span_id}


async def test_a_collector_that_is_away_costs_a_warning(server: ServerProcess) -> None:
    with ReservedPort() as port:
        endpoint = f"http://{port.address}"
        code, _, told = await _longshore(server, "projects", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    assert code == 0
    assert told == f"warning: the trace was not taken by {endpoint} (OTEL_EXPORTER_OTLP_ENDPOINT)\n"


async def test_errors_are_told_by_their_reason(server: ServerProcess, project: str) -> None:
    async with receiving() as receiver:
        provider = sending_to(receiver)

        def ask() -> None:
            with SyncClient(server.address, tracing=provider) as client:
                try:
                    client.release(project, "1.0.0")
                except ProjectNotFound:
                    return
            raise AssertionError("there is no such project")

        with provider.get_tracer("tests").start_as_current_span("the program's own") as own:
            # The client's own thread goes on with the caller's span.
            await asyncio.to_thread(ask)
            around = own.get_span_context()
        await asyncio.to_thread(provider.force_flush)
        (call,) = [one for one in await receiver.until_told("GetRelease") if one.name == "GetRelease"]
    assert call.parent_id == f"{around.span_id:016x}"
    assert call.failed
    assert call.facts["error.type"] == "PROJECT_NOT_FOUND"


async def test_an_idle_tracer_of_the_program_changes_nothing(server: ServerProcess) -> None:
    # OpenTelemetry is loaded in this process, and nobody has set anything up.
    async with Client(server.address) as client:
        assert (await client.server_info()).limits.max_find_missing_digests > 0
