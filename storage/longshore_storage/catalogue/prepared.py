"""Statements that are made and compiled once, and go to the driver without SQLAlchemy's engine in between.

For what runs with every deployment. Measured on SQLite, a row found by its key: making the construct, looking
it up in SQLAlchemy's cache and running it there takes 560 µs of the event loop; made beforehand 310; as here
110, of which the way to SQLite's thread and back is 90. So a short one that waits for no other writer is not
sent there. What is sent, and what comes back, is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BindParameter, Dialect, SelectBase, UpdateBase, bindparam
from sqlalchemy.engine.result import IteratorResult, Result, SimpleResultMetaData
from sqlalchemy.sql.compiler import SQLCompiler

_Process = Callable[[Any], Any]
_REQUIRED: Final = object()
_FEW: Final = 8


class Prepared:
    """A SELECT, INSERT, UPDATE or DELETE, all values of which are parameters or never change.

    ``sets`` names the columns that an INSERT takes from parameters of the same names; all others are
    ``bindparam``s in the construct, or literals. ``is_long`` says that it may meet many rows: SQLite, which
    has one node, answers all others in microseconds.
    """

    def __init__(
        self, statement: SelectBase | UpdateBase, sets: Iterable[str] = (), *, is_long: bool = False
    ) -> None:
        self.reads: Final = isinstance(statement, SelectBase)
        self.is_long: Final = is_long
        self._statement = statement
        self._sets = list(sets)
        self._forms: dict[str, Form] = {}

    def __str__(self) -> str:
        """The statement in SQL, for people."""
        return str(self._statement.compile(column_keys=self._sets or None))

    def form(self, dialect: Dialect) -> Form:
        """The statement as the driver of ``dialect`` takes it."""
        form = self._forms.get(dialect.name)
        if form is None:
            form = self._forms[dialect.name] = self._form(dialect)
        return form

    def _form(self, dialect: Dialect) -> Form:
        compiled = self._statement.compile(dialect=dialect, column_keys=self._sets or None)
        assert isinstance(compiled, SQLCompiler)
        assert not compiled.post_compile_params, "the length of a list is part of the statement"
        names = list(compiled.params if compiled.positiontup is None else compiled.positiontup)
        columns = self._statement.exported_columns
        defaults = {column.key: column.default for column in compiled.insert_prefetch}
        results = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
        return Form(
            sql=compiled.string,
            positional=compiled.positiontup is not None,
            parameters=[_parameter(compiled, name, dialect, defaults.get(name)) for name in names],
            columns=SimpleResultMetaData([str(column.key) for column in columns]),
            results=[(place, process) for place, process in enumerate(results) if process is not None],
        )


class PreparedForSome:
    """A statement with an IN, whose number of values is part of it: made for 1, 2, 4, 8, … of them.

    ``make`` gives the statement for parameters to put into the IN.
    """

    def __init__(self, make: Callable[[list[BindParameter[Any]]], SelectBase | UpdateBase]) -> None:
        self._make = make
        self._made: dict[int, Prepared] = {}

    def of(self, values: Sequence[Any]) -> tuple[Prepared, dict[str, Any]]:
        """The statement for one value or more, and its parameters; the last value fills what is left."""
        width = 1 << (len(values) - 1).bit_length()
        statement = self._made.get(width)
        if statement is None:
            places: list[BindParameter[Any]] = [bindparam(f"value_{number}") for number in range(width)]
            statement = self._made[width] = Prepared(self._make(places), is_long=width > _FEW)
        filled = [*values, *[values[-1]] * (width - len(values))]
        return statement, {f"value_{number}": value for number, value in enumerate(filled)}


@dataclass(frozen=True, slots=True)
class _Parameter:
    name: str
    constant: Any
    process: _Process | None

    def of(self, given: Mapping[str, Any]) -> Any:
        value = given[self.name] if self.constant is _REQUIRED else self.constant
        return value if self.process is None else self.process(value)


@dataclass(frozen=True, slots=True)
class Form:
    """A compiled statement: its text, and what becomes of its parameters and of its rows."""

    sql: str
    positional: bool
    parameters: Sequence[_Parameter]
    columns: SimpleResultMetaData
    results: Sequence[tuple[int, _Process]]

    def values(self, given: Mapping[str, Any]) -> Sequence[Any] | Mapping[str, Any]:
        """A statement's parameters as the driver takes them."""
        if self.positional:
            return [parameter.of(given) for parameter in self.parameters]
        return {parameter.name: parameter.of(given) for parameter in self.parameters}

    def result(self, rows: Iterable[Sequence[Any]]) -> Result[Any]:
        """The driver's rows as SQLAlchemy gives them."""
        if self.results:
            rows = [self._row(row) for row in rows]
        return IteratorResult(self.columns, iter(rows))

    def _row(self, row: Sequence[Any]) -> Sequence[Any]:
        values = list(row)
        for place, process in self.results:
            values[place] = process(values[place])
        return values


def _parameter(compiled: SQLCompiler, name: str, dialect: Dialect, default: Any) -> _Parameter:
    bind = compiled.binds[name]
    process = bind.type.dialect_impl(dialect).bind_processor(dialect)
    if default is not None:
        return _Parameter(name, default.arg(None) if default.is_callable else default.arg, process)
    return _Parameter(name, _REQUIRED if bind.required else bind.effective_value, process)
