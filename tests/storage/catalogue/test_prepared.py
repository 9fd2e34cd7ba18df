"""Prepared statements: what goes in and comes out is what SQLAlchemy's own way gives, faults included."""

from __future__ import annotations

import pytest
from sqlalchemy import bindparam, insert, literal, select, text, update

from longshore_storage.catalogue import Catalogue, open_catalogue, projects, tables
from longshore_storage.catalogue.prepared import Prepared, PreparedForSome
from longshore_storage.errors import CatalogueUnavailable, ConstraintViolated
from tests.storage.conftest import connections_in_use

from .rows import insert_a_deployment

_d, _p = tables.deployment, tables.project
_NAMED = Prepared(select(_p).where(_p.c.name == bindparam("called")))
_INSERT = Prepared(insert(_p), _p.c.keys())
_DISPLAY = Prepared(
    update(_p)
    .where(_p.c.name.in_([literal("one"), literal("two")]), _p.c.only_validated == bindparam("unseen"))
    .values(display_name=bindparam("as_name"))
)
_SOME = PreparedForSome(lambda names: select(_p.c.name).where(_p.c.name.in_(names)).order_by(_p.c.name))


async def test_rows_are_those_of_the_same_construct(catalogue: Catalogue) -> None:
    async with catalogue.transaction() as transaction:
        await insert_a_deployment(transaction)
    every_type = select(_d).order_by(_d.c.number)
    async with catalogue.reading() as transaction:
        as_ever = await transaction.all(every_type)
        prepared = await transaction.all(Prepared(every_type))
    assert [row._mapping for row in prepared] == [row._mapping for row in as_ever]
    assert as_ever


async def test_many_rows_go_in_and_are_counted(catalogue: Catalogue) -> None:
    names = [f"name-{number}" for number in range(5)]
    async with catalogue.transaction() as transaction:
        now = await transaction.now()
        row = {"display_name": "", "create_time": now, "only_validated": False, "kind": ""}
        await transaction.execute(_INSERT, [{"name": name, **row} for name in ("one", "two", *names)])
        assert await transaction.changed(_DISPLAY, {"unseen": False, "as_name": "Both"}) == 2
        assert await transaction.changed(_DISPLAY, {"unseen": True, "as_name": "None"}) == 0
    async with catalogue.reading() as transaction:
        one = await transaction.one(_NAMED, {"called": "one"})
        for count in range(1, 6):
            statement, listed = _SOME.of(names[:count])
            assert [found.name for found in await transaction.all(statement, listed)] == names[:count]
    assert one is not None
    assert (one.display_name, one.create_time, one.only_validated) == ("Both", now, False)


async def test_a_parameter_that_is_left_out_is_no_null(catalogue: Catalogue) -> None:
    async with catalogue.reading() as transaction:
        with pytest.raises(KeyError, match="called"):
            await transaction.one(_NAMED, {})


async def test_a_read_writes_nothing(catalogue: Catalogue) -> None:
    async with catalogue.reading() as transaction:
        with pytest.raises(AssertionError, match="reads"):
            await transaction.execute(_DISPLAY, {"unseen": False, "as_name": "x"})


async def test_what_a_constraint_refuses_is_named(catalogue: Catalogue) -> None:
    async with catalogue.transaction() as transaction:
        row = {"name": "one", "display_name": "", "create_time": await transaction.now(), "kind": ""}
        await transaction.execute(_INSERT, {**row, "only_validated": False, "kind": ""})
    with pytest.raises(ConstraintViolated):
        async with catalogue.transaction() as transaction:
            await transaction.execute(_INSERT, {**row, "only_validated": True})
    assert connections_in_use(catalogue) == 0


async def test_a_connection_that_broke_is_not_used_again(postgres_database: str) -> None:
    catalogue = open_catalogue(postgres_database)
    try:
        await catalogue.migrate()
        with pytest.raises(CatalogueUnavailable):
            async with catalogue.transaction() as transaction:
                await projects.ensure_project(transaction, "one", "One")
                pid = (await transaction.execute(text("SELECT pg_backend_pid()"))).scalar()
                async with catalogue.reading() as other:
                    await other.execute(text("SELECT pg_terminate_backend(:pid, 5000)").bindparams(pid=pid))
                await transaction.one(_NAMED, {"called": "one"})
        async with catalogue.transaction() as transaction:
            assert await transaction.one(_NAMED, {"called": "one"}) is None
        assert connections_in_use(catalogue) == 0
    finally:
        await catalogue.close()
