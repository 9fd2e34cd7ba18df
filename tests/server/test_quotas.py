"""Quotas of projects and principals: what is counted and refused, and that two at once change nothing."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from sqlalchemy import update

from longshore.v1 import deployment_pb2 as d
from longshore_server.deploying.quotas import Quotas, midnight_before
from longshore_server.deploying.requests import Header
from longshore_server.settings import QuotaSettings, load_settings
from longshore_storage.catalogue import Catalogue, append_only, tables
from longshore_storage.catalogue.rows import Actor
from longshore_storage.errors import Misconfigured

from .calls import (
    UploadCall,
    data_messages,
    deploy,
    deploy_to_end,
    get,
    header,
    interrupted,
    new_id,
    refused,
    sha256_of,
    status_name,
    until,
)
from .collected import content, delete
from .running import RunningNode, StartNode, count, embedded

S = grpc.StatusCode
MIB = 1 << 20
A_PAYLOAD = content(1)
ANOTHER = content(2)
SIZE = len(A_PAYLOAD)
A_DAY_S = 86_400


async def refused_by_its_header(node: Any, deployment_id: str = "", **values: Any) -> Any:
    """What an upload is told that must not even be let begin."""
    with refused(S.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED") as told:
        async with UploadCall(node, header(deployment_id, **values)):
            pytest.fail("it was let in")
    return told


class TestStoredBytes:
    async def test_a_project_that_is_full(self, start_node: StartNode) -> None:
        assert len(ANOTHER) == SIZE
        async with start_node(quotas={"project": {"stored_bytes": SIZE + MIB // 2}}) as node:
            await deploy_to_end(node, A_PAYLOAD)
            deployment_id = new_id()
            told = await refused_by_its_header(node, deployment_id, payload_size_bytes=SIZE)
            assert f"stores {SIZE}" in told.message
            assert "quotas.project.stored_bytes" in told.message
            assert told.metadata["quota"] == "project.stored_bytes"
            assert (told.metadata["used"], told.metadata["limit"]) == (str(SIZE), str(SIZE + MIB // 2))
            assert told.retry_after_s is None
            with refused(S.NOT_FOUND, "DEPLOYMENT_NOT_FOUND"):
                await get(node, deployment_id)

            # What is stored already adds nothing, whether or not its header says what it is.
            same = await deploy(node, A_PAYLOAD, version="2.0.0", payload_sha256=sha256_of(A_PAYLOAD))
            assert same.version == "2.0.0"
            assert (await deploy(node, ANOTHER, project="other")).version == "1.0.0"

    async def test_without_a_size_its_bytes_are_counted_as_they_come(self, start_node: StartNode) -> None:
        async with start_node(quotas={"project": {"stored_bytes": SIZE + MIB // 2}}) as node:
            await deploy_to_end(node, A_PAYLOAD)
            deployment_id = new_id()
            with refused(S.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED") as told:
                await deploy(node, ANOTHER, deployment_id)
            assert "more do not fit" in told.message
            await interrupted(node, deployment_id)

    async def test_two_at_once_do_not_both_get_the_last_room(self, start_node: StartNode) -> None:
        async with start_node(quotas={"project": {"stored_bytes": SIZE + MIB // 2}}) as node:
            ids = [new_id(), new_id()]
            async with AsyncExitStack() as stack:
                calls = [
                    await stack.enter_async_context(UploadCall(node, header(each, payload_size_bytes=SIZE)))
                    for each in ids
                ]
                for call, payload in zip(calls, (A_PAYLOAD, ANOTHER), strict=True):
                    await call.send(data_messages(payload))
                answers = await asyncio.gather(*(call.answer() for call in calls), return_exceptions=True)
            errors = [each for each in answers if isinstance(each, grpc.aio.AioRpcError)]
            assert [error.code() for error in errors] == [S.RESOURCE_EXHAUSTED]
            late = next(i for i, each in zip(ids, answers, strict=True) if isinstance(each, BaseException))
            waiting = await interrupted(node, late)
            assert waiting.status == d.DEPLOYMENT_STATUS_VALIDATING
            assert await count(node.catalogue, tables.release) == 1

            # Where room is made, it goes on, and nothing is sent again.
            (early,) = set(ids) - {late}
            await until(node, early, lambda one: status_name(one.status) == "SUCCEEDED")
            async with node.catalogue.transaction() as transaction:
                await transaction.execute(update(tables.release).values(stored_payload=None))
            async with UploadCall(node, header(late, payload_size_bytes=SIZE)) as call:
                assert call.durable_offset == SIZE
                assert (await call.answer()).version == "1.0.1"

    @embedded
    async def test_what_is_only_validated_needs_room_and_takes_none(self, start_node: StartNode) -> None:
        async with start_node(quotas={"project": {"stored_bytes": SIZE + MIB // 2}}) as node:
            for payload in (A_PAYLOAD, ANOTHER):
                assert await is_valid(node, payload)
            await deploy_to_end(node, A_PAYLOAD)
            told = await refused_by_its_header(node, validate_only=True, payload_size_bytes=SIZE)
            assert told.metadata["quota"] == "project.stored_bytes"
            # Nor are bytes taken of which the header says nothing.
            with refused(S.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED"):
                await is_valid(node, content(3))
            assert await is_valid(node, A_PAYLOAD, payload_sha256=sha256_of(A_PAYLOAD))

    @embedded
    async def test_room_is_made_by_deleting_payloads(self, start_node: StartNode) -> None:
        async with start_node(quotas={"project": {"stored_bytes": 2 * SIZE}}) as node:
            await deploy_to_end(node, A_PAYLOAD)
            await deploy_to_end(node, ANOTHER)
            await refused_by_its_header(node, payload_size_bytes=SIZE)
            await delete(node, "1.0.0", force=True)
            assert (await deploy(node, content(3), payload_size_bytes=SIZE)).version == "1.0.2"


async def is_valid(node: RunningNode, payload: bytes, **values: Any) -> bool:
    """Whether a payload, only validated and sent without its size, would be deployed."""
    async with UploadCall(node, header(validate_only=True, **values)) as call:
        await call.send(data_messages(payload, start=call.durable_offset))
        await call.answer()
        return bool((await call.call.answer()).validation.valid)


async def move(catalogue: Catalogue, to: timedelta) -> None:
    """Let every deployment have been accepted so long after the midnight before."""
    async with catalogue.transaction() as transaction:
        when = midnight_before(await transaction.now()) + to
        await transaction.execute(update(tables.deployment).values(create_time=when))


@pytest.mark.parametrize("whose", ["project", "principal"])
class TestUploadsADay:
    async def test_the_day_is_the_databases_in_utc(self, start_node: StartNode, whose: str) -> None:
        async with start_node(quotas={whose: {"uploads_a_day": 2}}) as node:
            first = new_id()
            await deploy(node, A_PAYLOAD, first)
            await deploy(node, A_PAYLOAD)
            told = await refused_by_its_header(node)
            assert f"quotas.{whose}.uploads_a_day" in told.message
            assert told.metadata["used"] == told.metadata["limit"] == "2"
            assert told.retry_after_s is not None
            assert 0 < told.retry_after_s <= A_DAY_S
            # The same upload again is none more, and validations are counted apart.
            assert (await deploy(node, A_PAYLOAD, first)).deployment_id == first
            async with UploadCall(node, header(validate_only=True, payload_size_bytes=1)):
                pass

            await move(node.catalogue, timedelta())
            await refused_by_its_header(node)
            await move(node.catalogue, -timedelta(milliseconds=1))
            assert (await deploy(node, A_PAYLOAD)).version == "1.0.2"

    async def test_as_many_are_validated_and_nothing_stays_of_them_but_that(
        self, start_node: StartNode, whose: str
    ) -> None:
        async with start_node(quotas={whose: {"uploads_a_day": 2}}) as node:
            for payload in (A_PAYLOAD, A_PAYLOAD):
                assert await is_valid(node, payload)
            assert await count(node.catalogue, tables.deployment) == 0
            told = await refused_by_its_header(node, validate_only=True)
            assert f"quotas.{whose}.uploads_a_day" in told.message
            assert "validated" in told.message
            assert told.metadata["used"] == told.metadata["limit"] == "2"
            assert told.retry_after_s is not None
            assert (await deploy(node, A_PAYLOAD)).version == "1.0.0"

            a = tables.audit_entry
            async with node.catalogue.transaction() as transaction, append_only.lifted(transaction):
                yesterday = midnight_before(await transaction.now()) - timedelta(milliseconds=1)
                await transaction.execute(update(a).where(a.c.id == 1).values(time=yesterday))
            async with UploadCall(node, header(validate_only=True)):
                pass

    async def test_as_many_at_once_as_come(self, start_node: StartNode, whose: str) -> None:
        async def one(node: RunningNode) -> None:
            async with UploadCall(node, header()):
                pass

        async with start_node(quotas={whose: {"uploads_a_day": 3}}) as node:
            answers = await asyncio.gather(*(one(node) for _ in range(10)), return_exceptions=True)
            errors = [each for each in answers if isinstance(each, grpc.aio.AioRpcError)]
            assert [error.code() for error in errors] == [S.RESOURCE_EXHAUSTED] * 7
            assert await count(node.catalogue, tables.deployment) == 3


def test_when_a_day_begins() -> None:
    last = datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert midnight_before(last) == datetime(2026, 12, 31, tzinfo=UTC)
    assert midnight_before(last + timedelta(microseconds=1)) == datetime(2027, 1, 1, tzinfo=UTC)


async def let_nobody_hold_anything(catalogue: Catalogue) -> None:
    async with catalogue.transaction() as transaction:
        long_ago = await transaction.now() - timedelta(seconds=30)
        await transaction.execute(update(tables.upload).values(heartbeat_time=long_ago))


class TestUploadsAtOnce:
    async def test_one_more_than_one_may_have(self, start_node: StartNode) -> None:
        async with start_node(quotas={"principal": {"uploads_at_once": 1}}) as node:
            first, second = new_id(), new_id()
            async with UploadCall(node, header(first)) as call:
                told = await refused_by_its_header(node, second)
                assert "has 1" in told.message
                assert "quotas.principal.uploads_at_once" in told.message
                assert told.metadata["quota"] == "principal.uploads_at_once"
                assert told.retry_after_s is None
                await refused_by_its_header(node, validate_only=True)
                # It does not stand in its own way when it comes back.
                async with UploadCall(node, header(first, attempt=2)):
                    pass
                call.call.cancel()
            await interrupted(node, first)
            async with UploadCall(node, header(second)):
                await refused_by_its_header(node, first, attempt=3)
            await interrupted(node, second)
            assert (await deploy(node, A_PAYLOAD, first, attempt=4)).version == "1.0.0"
            assert (await deploy(node, ANOTHER)).version == "1.0.1"

    async def test_an_upload_that_nobody_holds_any_more(self, start_node: StartNode) -> None:
        one_each = {"principal": {"uploads_at_once": 1}}
        async with start_node(quotas=one_each) as node, UploadCall(node, header()):
            await refused_by_its_header(node)
            await let_nobody_hold_anything(node.catalogue)
            assert (await deploy(node, A_PAYLOAD)).version == "1.0.0"


class TestSettings:
    def test_the_first_rule_that_fits(self) -> None:
        quotas = QuotaSettings.model_validate(
            {
                "project": {"stored_bytes": 10, "uploads_a_day": 5},
                "principal": {"uploads_at_once": 2},
                "rules": [
                    {"projects": ["web-*"], "project": {"stored_bytes": None}},
                    {"projects": ["web-shop"], "project": {"stored_bytes": 1}},
                    {
                        "projects": ["shop"],
                        "project": {"uploads_a_day": 50},
                        "principals": ["token:ci", "root"],
                        "principal": {"uploads_a_day": 7},
                    },
                ],
            }
        )
        assert quotas.of_project("web-shop").model_dump() == {"stored_bytes": None, "uploads_a_day": 5}
        assert quotas.of_project("shop").model_dump() == {"stored_bytes": 10, "uploads_a_day": 50}
        assert quotas.of_project("other") == quotas.project
        assert quotas.of_principal("root").uploads_a_day == 7
        assert quotas.of_principal("root").uploads_at_once == 2
        assert quotas.of_principal("alice") == quotas.principal

    @pytest.mark.parametrize(
        ("rule", "told"),
        [
            ({}, "names nobody"),
            ({"projects": ["web"]}, "go together"),
            ({"principals": ["a"], "project": {"stored_bytes": 1}}, "go together"),
            ({"projects": ["a*b"], "project": {"stored_bytes": 1}}, "is no pattern"),
            ({"projects": ["a"], "project": {"stored_bytes": 0}}, "greater than or equal to 1"),
        ],
        ids=["nobody", "nothing", "not_whom", "pattern", "none"],
    )
    def test_rules_that_say_nothing(self, rule: dict[str, Any], told: str) -> None:
        with pytest.raises(Misconfigured, match=told):
            load_settings(None, {"quotas": {"rules": [rule]}})

    def test_rules_as_a_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rule = '[{"projects": ["web"], "project": {"stored_bytes": 1}}]'
        monkeypatch.setenv("LONGSHORE_QUOTAS__RULES", rule)
        monkeypatch.setenv("LONGSHORE_QUOTAS__PRINCIPAL__UPLOADS_A_DAY", "3")
        quotas = load_settings(None, {}).quotas
        assert quotas.of_project("web").stored_bytes == 1
        assert quotas.principal.uploads_a_day == 3
        monkeypatch.setenv("LONGSHORE_QUOTAS__RULES", "web")
        with pytest.raises(Misconfigured, match="JSON"):
            load_settings(None, {})


async def test_without_quotas_the_database_is_asked_nothing(catalogue: Catalogue) -> None:
    statements: list[float] = []
    catalogue.time_statements(statements.append)
    quotas = Quotas(QuotaSettings(), stale_after_s=20)
    upload = Header(new_id(), "", 1, "netops", "default", "TAR", "", "", None, None, "")
    async with catalogue.transaction() as transaction:
        assert await quotas.check_new(transaction, upload, Actor("alice")) is None
        assert await quotas.check_going_on(transaction, upload, Actor("alice")) is None
        async with quotas.storing(transaction, "netops"):
            pass
    assert statements == []
