"""The rows that uploads hang on, as short as they can be, and how old they are."""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy import update

from longshore_storage.catalogue import Catalogue, Transaction, packs, projects, tables, uploads
from longshore_storage.catalogue.deployments import insert_deployment
from longshore_storage.catalogue.rows import Actor


async def insert_a_deployment(transaction: Transaction, *, project: str = "netops") -> str:
    """A deployment, its project and its environment; tells its id."""
    await projects.ensure_project(transaction, project, project)
    await projects.ensure_environment(transaction, "default")
    deployment = await insert_deployment(
        transaction,
        Actor("tests"),
        id=str(uuid.uuid4()),
        project=project,
        environment="default",
        kind="UPLOAD",
        request_digest="",
    )
    return deployment.id


async def insert_an_upload(
    catalogue: Catalogue, *, project: str = "netops", declared_size_bytes: int | None = None
) -> str:
    """A deployment with an upload of epoch 1, held by session ``first``; tells its id."""
    async with catalogue.transaction() as transaction:
        deployment_id = await insert_a_deployment(transaction, project=project)
        await uploads.begin_upload(
            transaction,
            deployment_id,
            session_id="first",
            attempt=1,
            declared_size_bytes=declared_size_bytes,
        )
    return deployment_id


async def insert_a_stored_pack(transaction: Transaction) -> str:
    """A stored pack file's row; tells its key."""
    key = f"packs/{uuid.uuid4().hex}"
    await packs.begin_pack(transaction, key)
    assert await packs.mark_stored(transaction, key, 100)
    return key


async def make_unfinished_old(catalogue: Catalogue) -> None:
    """Let everything that was begun have been begun so long ago that it is never going to be stored."""
    async with catalogue.transaction() as transaction:
        for table in (tables.pack_file, tables.manifest_draft):
            old = await transaction.now() - timedelta(days=1)
            await transaction.execute(update(table).values(create_time=old))


async def silence_uploads(catalogue: Catalogue) -> None:
    """Let nobody have heard of any upload for so long that it counts as given up."""
    async with catalogue.transaction() as transaction:
        old = await transaction.now() - timedelta(days=2)
        await transaction.execute(update(tables.upload).values(heartbeat_time=old, held=False))
