"""Scopes mean the same in Python and in SQL."""

from __future__ import annotations

from itertools import product

import pytest
from sqlalchemy import literal, select

from longshore_storage.catalogue import Catalogue
from longshore_storage.catalogue.scopes import EVERYTHING, Scope, covers, within

PATTERNS = ("*", "shop", "shop*", "Shop*", "s_op*", "sh%*", "shöp*")
NAMES = ("", "shop", "shop-web", "sho", "shXp", "Shop", "s_op", "shöp-1")


async def test_in_python_as_in_sql(catalogue: Catalogue) -> None:
    async with catalogue.reading() as transaction:
        columns = [
            within([Scope(pattern, other)], literal(name), literal("eu")).label(f"c{number}")
            for number, (pattern, other, name) in enumerate(product(PATTERNS, ("*", "e*", "us"), NAMES))
        ]
        row = await transaction.one(select(*columns))
    assert row is not None
    expected = [
        covers([Scope(pattern, other)], name, "eu")
        for pattern, other, name in product(PATTERNS, ("*", "e*", "us"), NAMES)
    ]
    assert [bool(value) for value in row] == expected


@pytest.mark.parametrize(("scopes", "covered"), [((), False), (EVERYTHING, True)])
async def test_nothing_and_everything(catalogue: Catalogue, scopes: tuple[Scope, ...], covered: bool) -> None:
    assert covers(scopes, "shop", "eu") is covered
    async with catalogue.reading() as transaction:
        row = await transaction.one(select(within(scopes, literal("shop"), literal("eu")).label("told")))
    assert row is not None
    assert bool(row.told) is covered
