"""Workflows as rows: each content once, whoever brings it, and no more rows touched than have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from sqlalchemy import func, select

from longshore_storage.catalogue import Catalogue, Transaction, releases, tables
from longshore_storage.catalogue.workflows import (
    WorkflowRow,
    add_workflows,
    delete_of_project,
    of_release,
    replace_workflows,
)

from .rows import insert_a_deployment

# More than go into one statement.
MANY = 450
CONTENTS = {sha256(b"%d" % number).hexdigest(): b"%d" % number for number in range(2 * MANY)}
DIGESTS = list(CONTENTS)
ROWS = [
    WorkflowRow(
        path=f"workflows/flow{number:03d}.yaml",
        name=f"flow{number:03d}",
        ref=f"netops.flow{number:03d}",
        label="Flow",
        version="1.0.0",
        description="",
        tags=["ops"],
        enabled=True,
        task_count=2,
        sha256=DIGESTS[number],
        definition_sha256=DIGESTS[MANY + number] if number else None,
        registered=bool(number),
    )
    for number in range(MANY)
]


async def insert_a_release(transaction: Transaction, version: str) -> int:
    release = await releases.insert_release(
        transaction,
        project="netops",
        version=version,
        version_key=version,
        version_order=version,
        payload_sha256="0" * 64,
        stored_payload=None,
        content_sha256="0" * 64,
        payload_size_bytes=1,
        payload_format="TAR",
        file_name="",
        entries=1,
        unpacked_size_bytes=1,
        created_by="tests",
        deployment_id=await insert_a_deployment(transaction),
        kind="PACK",
    )
    return release.id


async def insert_releases(catalogue: Catalogue, *versions: str) -> Sequence[int]:
    async with catalogue.transaction() as transaction:
        return [await insert_a_release(transaction, version) for version in versions]


async def contents(catalogue: Catalogue) -> Mapping[str, bytes]:
    c = tables.workflow_content
    async with catalogue.reading() as transaction:
        return {row.sha256: row.content for row in await transaction.all(select(c.c.sha256, c.c.content))}


async def rows(catalogue: Catalogue, release_id: int) -> Sequence[WorkflowRow]:
    async with catalogue.reading() as transaction:
        return await of_release(transaction, release_id)


async def test_who_bring_the_same_at_once_do_not_stand_in_each_others_way(catalogue: Catalogue) -> None:
    ids = await insert_releases(catalogue, "1.0.0", "2.0.0", "3.0.0")

    async def bring(release_id: int, workflows: Sequence[WorkflowRow]) -> None:
        async with catalogue.transaction() as transaction:
            await add_workflows(transaction, release_id, workflows, CONTENTS)

    await asyncio.gather(bring(ids[0], ROWS), bring(ids[1], ROWS[::-1]), bring(ids[2], ROWS[100:300]))
    assert await rows(catalogue, ids[0]) == await rows(catalogue, ids[1]) == ROWS
    assert await rows(catalogue, ids[2]) == ROWS[100:300]
    assert await contents(catalogue) == {key: CONTENTS[key] for key in CONTENTS if key != DIGESTS[MANY]}


async def test_what_comes_in_place_of_what_was(catalogue: Catalogue) -> None:
    (release_id,) = await insert_releases(catalogue, "1.0.0")
    changed = [replace(row, label="Changed") for row in ROWS[1:4]]
    async with catalogue.transaction() as transaction:
        await replace_workflows(transaction, release_id, ROWS[:10], CONTENTS)
        assert await delete_of_project(transaction, "netops") == 10
        assert await of_release(transaction, release_id) == []
        await replace_workflows(transaction, release_id, [*changed, *ROWS[4:8], ROWS[20]], CONTENTS)
    assert await rows(catalogue, release_id) == [*changed, *ROWS[4:8], ROWS[20]]
    async with catalogue.reading() as transaction:
        left = await transaction.one(select(func.count()).select_from(tables.workflow))
    assert left is not None
    assert left[0] == 8
