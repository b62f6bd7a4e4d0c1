"""Statements on the hot paths, written out and prepared once on each connection, so that the database does not plan
them anew each time, which would take longer than carrying them out. All else goes through the ORM.

Where a pooler shares connections between transactions, which Django is told by DISABLE_SERVER_SIDE_CURSORS, they are
sent as they are.

A connection may come to know them no longer, or otherwise: a column was given another type, somebody reset it. Then
they are prepared anew, at once where no transaction is open; inside one, whoever began it begins it again
(ticketing.retries).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache, cached_property
from typing import Any, Generic, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.base import ModelState

Model = TypeVar("Model", bound=models.Model)

# In the order of the ids, but never by walking through all rows in it: so a plan does that is made while a table is
# empty, when all ways are equally short.
BY_ID = "ORDER BY r.id + 0"

_place = re.compile(r"\$\d+")
_prepared: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()  # {connection to the server: what it knows}
# SQLSTATE: cached plan must not change its result type, no such statement, it exists already.
OUT_OF_DATE = ("0A000", "26000", "42P05")


def this_threads() -> BaseDatabaseWrapper:
    """The connection of this thread. `django.db.connection` looks it up anew for every word that is said to it, which
    were three quarters of the calls of a statement."""
    return connections[DEFAULT_DB_ALIAS]


def as_array(values: Any) -> Any:
    """A list of plain values as PostgreSQL writes an array, `{1,2,NULL}`, for a place whose type is said; all else as
    it is. psycopg2 writes `ARRAY[1, 2, NULL]`, each element of which the server parses as an expression: that took
    eight times as long, 4 us for each number."""
    if type(values) is not list:
        return values
    kinds = set(map(type, values))
    if kinds <= _BARE:
        written = map(str, values)
    elif kinds <= _WRITTEN:
        written = map(_element, values)
    else:
        return values
    return f"{{{','.join(written)}}}"


_BARE = {int}
_WRITTEN = {int, str, bool, type(None), Decimal, UUID, datetime}


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    text = str(value)
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def is_out_of_date(error: BaseException) -> bool:
    """Whether the server knows a statement no longer, or otherwise than we do."""
    return getattr(error.__cause__, "pgcode", None) in OUT_OF_DATE


@dataclass(frozen=True)
class Statement:
    """SQL with `$1`, `$2` … for values of these types. `name` is known to the server: no other statement has it."""

    name: str
    types: tuple[str, ...]
    sql: str

    def run(self, *values: Any) -> list[tuple[Any, ...]]:
        """The rows it gives."""
        ours, values = this_threads(), tuple(map(as_array, values))
        try:
            return self._run(ours, values)
        except DatabaseError as error:
            if not is_out_of_date(error):
                raise
            _prepared.pop(ours.connection, None)
            if ours.in_atomic_block:
                raise
            return self._run(ours, values)

    def _run(self, ours: BaseDatabaseWrapper, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if ours.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"):
            with ours.cursor() as cursor:
                cursor.execute(self._sent_whole, {str(number): value for number, value in enumerate(values, 1)} or None)
                return cursor.fetchall()
        ours.close_if_health_check_failed()
        ours.ensure_connection()
        self._prepare(ours)
        # Django's own cursor only where somebody watches it: it takes as long as all the rest of a short question.
        if ours.execute_wrappers or ours.queries_logged:
            with ours.cursor() as cursor:
                cursor.execute(self._execution, values or None)
                return cursor.fetchall()
        ours.validate_no_broken_transaction()
        with ours.wrap_database_errors, ours.create_cursor() as bare:
            bare.execute(self._execution, values or None)
            return bare.fetchall()

    @cached_property
    def _execution(self) -> str:
        given = ", ".join(f"%s::{kind}" for kind in self.types)
        return f"EXECUTE {self.name} ({given})" if given else f"EXECUTE {self.name}"

    @cached_property
    def _sent_whole(self) -> str:
        places = {f"${number}": f"(%({number})s::{kind})" for number, kind in enumerate(self.types, 1)}
        return _place.sub(lambda found: places[found[0]], self.sql)

    def _prepare(self, ours: BaseDatabaseWrapper) -> None:
        server: Any = ours.connection
        known = _prepared.get(server)
        if known is None:
            # What the server may know from before, we do not: all begins anew.
            with ours.wrap_database_errors, server.cursor() as cursor:
                cursor.execute("DEALLOCATE ALL")
            known = _prepared[server] = set()
        if self.name not in known:
            # Not by Django's cursor, which would take a "%" in the statement for a place; but with Django's errors.
            with ours.wrap_database_errors, server.cursor() as cursor:
                cursor.execute(self._preparation)
            known.add(self.name)

    @cached_property
    def _preparation(self) -> str:
        """Has the server know the statement, and make the one plan that serves for all values (`plan_cache_mode`).

        As though tables were large: before a house has sold anything the shortest way is to read them whole, and who
        keeps that plan reads a thousand orders for each one it wants, until PostgreSQL counts its rows again. What such
        a plan costs on paper must not have it compiled (`jit`).
        """
        kinds = f" ({', '.join(self.types)})" if self.types else ""
        nothing = f" ({', '.join('NULL' for _ in self.types)})" if self.types else ""
        return (
            f"PREPARE {self.name}{kinds} AS {self.sql}; SET LOCAL enable_seqscan = off; SET LOCAL jit = off;"
            f" EXPLAIN EXECUTE {self.name}{nothing};"
            " SET LOCAL enable_seqscan TO DEFAULT; SET LOCAL jit TO DEFAULT"
        )


class Rows(Generic[Model]):
    """Whole rows of a model, read by a statement: what its manager gives, without the time that Django takes to write
    the question. Nothing related is read along.

    `where` follows the name of the table, which is called `r` there, with `$1`, `$2` … for values of these types:
    conditions, order (by `r.id` mostly), lock. Whoever locks is in a transaction. With `changing` the rows are updated
    so, and given as they are then. `also` are attributes that each row has besides, {name: what the database says of
    it}.
    """

    def __init__(
        self,
        name: str,
        model: type[Model],
        types: tuple[str, ...],
        where: str,
        *,
        changing: str = "",
        also: Mapping[str, str] | None = None,
    ) -> None:
        self.model = model
        self._columns = [*(field.attname for field in model._meta.concrete_fields), *(also or {})]
        names = ", ".join((*(f'r."{field.column}"' for field in model._meta.concrete_fields), *(also or {}).values()))
        table = f'"{model._meta.db_table}" r'
        where = where.replace("ORDER BY r.id", BY_ID)
        read, change = (
            f"SELECT {names} FROM {table} {where}",
            f"UPDATE {table} SET {changing} {where} RETURNING {names}",
        )
        self._statement = Statement(name, types, change if changing else read)

    def all(self, *values: Any) -> list[Model]:
        """All of them, in the statement's order."""
        return [self._made(row) for row in self._statement.run(*values)]

    def first(self, *values: Any) -> Model | None:
        """The first of them, or None."""
        rows = self._statement.run(*values)
        return self._made(rows[0]) if rows else None

    def get(self, *values: Any) -> Model:
        """The first of them. Raises the model's DoesNotExist."""
        found = self.first(*values)
        if found is None:
            raise self.model.DoesNotExist(f"{self.model.__name__} {values}")  # type: ignore[attr-defined]
        return found

    def _made(self, row: tuple[Any, ...]) -> Model:
        """What the model's `from_db` makes, for models that do nothing of their own when they are read: its signals and
        its loop over the columns take longer than the question."""
        made = self.model.__new__(self.model)
        made.__dict__.update(zip(self._columns, row, strict=True))
        for name, converters, column in self._converters:
            for convert in converters:
                made.__dict__[name] = convert(made.__dict__[name], column, connection)
        made._state = ModelState()
        made._state.adding, made._state.db = False, DEFAULT_DB_ALIAS
        return made

    @cached_property
    def _converters(self) -> list[tuple[str, list[Callable[..., Any]], Any]]:
        """What makes a value of the model's out of the database's, for the few columns that need it."""
        columns = [field.cached_col for field in self.model._meta.concrete_fields]
        found = [
            (name, connection.ops.get_db_converters(column) + column.get_db_converters(connection), column)
            for name, column in zip(self._columns, columns, strict=False)  # `also` comes after them
        ]
        return [one for one in found if one[1]]


def fresh(model: type[Model], **values: Any) -> Model:
    """A row that is not stored yet, as `model(**values)` makes it of columns' values, for models that do nothing of
    their own when they are made: without the signals and the loop, which took longer than all else about it."""
    plain, made_anew = _defaults(model)
    row = model.__new__(model)
    row.__dict__.update(plain)
    row.__dict__.update(values)
    for name, default in made_anew:
        if name not in values:
            row.__dict__[name] = default()
    row._state = ModelState()
    return row


@cache
def _defaults(model: type[models.Model]) -> tuple[dict[str, Any], list[tuple[str, Callable[[], Any]]]]:
    """{column: what it is unless said otherwise}, and those whose value is another each time."""
    fields = model._meta.concrete_fields
    anew = [field for field in fields if field.has_default() and callable(field.default)]
    plain = {field.attname: field.get_default() for field in fields if field not in anew}
    return plain, [(field.attname, field.get_default) for field in anew]


class Insert(Generic[Model]):
    """Writes rows of a model as `save` and `bulk_create` do, without the time that Django takes to write the statement.

    With `or_nothing` a row that breaks a rule of uniqueness is not written; else that raises.
    """

    def __init__(self, name: str, model: type[Model], *, or_nothing: bool = False) -> None:
        self._name, self._model, self._or_nothing = name, model, or_nothing

    def run(self, row: Model) -> bool:
        """Store one row, whose key is set then; False where another stood in its way."""
        written = self.run_many([row])
        if not written:
            return False
        (row.pk,) = written
        row._state.adding = False
        row._state.db = DEFAULT_DB_ALIAS
        return True

    def run_many(self, rows: Sequence[Model]) -> list[Any]:
        """Store rows and return the keys of those that were written; which is whose is to be read."""
        ours = this_threads()
        columns = [
            [field.get_db_prep_save(field.pre_save(row, add=True), ours) for row in rows] for field in self._fields
        ]
        return [key for (key,) in self._statement.run(*columns)]

    @cached_property
    def _fields(self) -> list[models.Field[Any, Any]]:
        return [field for field in self._model._meta.concrete_fields if not field.primary_key]

    @cached_property
    def _statement(self) -> Statement:
        meta = self._model._meta
        columns = ", ".join(f'"{field.column}"' for field in self._fields)
        places = ", ".join(f"${number}" for number, _field in enumerate(self._fields, 1))
        conflict = "ON CONFLICT DO NOTHING" if self._or_nothing else ""
        sql = f'INSERT INTO "{meta.db_table}" ({columns}) SELECT * FROM unnest({places}) {conflict} RETURNING id'
        types = tuple(f"{(field.db_type(connection) or '').split('(')[0]}[]" for field in self._fields)
        return Statement(self._name, types, sql)
