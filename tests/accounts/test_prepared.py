"""Statements that are written out and prepared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
from django.db import IntegrityError, NotSupportedError, OperationalError, ProgrammingError, connection, transaction
from django.db.models import Model
from django.utils.html import format_html

from apps.accounts.prepared import Insert, Rows, Statement, fresh
from apps.ticketing import clock, retries
from apps.ticketing.models import Order, Payment, Ticket
from tests import factories


@pytest.mark.django_db
def test_rows_are_the_same_prepared_and_through_a_pooler(monkeypatch: pytest.MonkeyPatch) -> None:
    statement = Statement("test_sum", ("bigint", "bigint[]"), "SELECT $1 + n FROM unnest($2) AS n ORDER BY n")

    prepared = statement.run(1, [2, 3])
    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", True)

    assert prepared == statement.run(1, [2, 3]) == [(3,), (4,)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("bigint[]", []),
        ("bigint[]", [1, None, -3]),
        ("boolean[]", [True, False, None]),
        ("numeric[]", [Decimal("12.50"), None]),
        ("text[]", ["", "NULL", "null", "a, b", "{c}", "d\\e", 'f"g', "h'i", " j ", "k\nl", "åäö", None]),
        ("uuid[]", [uuid4(), None]),
        ("timestamptz[]", [datetime(2026, 12, 13, 18, 30, 0, 250_000, tzinfo=UTC), None]),
        ("text[]", [format_html("<b>{}</b>", "m")]),  # no plain text: written by psycopg2
    ],
)
def test_list_arrives_as_it_is(kind: str, values: list[Any]) -> None:
    name = f"test_array_{len(values)}_{kind.removesuffix('[]')}"

    ((arrived,),) = Statement(name, (kind,), "SELECT $1").run(values)

    assert [str(one) for one in arrived] == [str(one) for one in values]


@pytest.mark.django_db(transaction=True)
def test_plan_of_an_empty_table_walks_through_no_index() -> None:
    """It is kept when there are many rows: then it would read all of them for each that is wanted."""
    rows = Rows("test_plan", Payment, ("bigint[]",), "WHERE r.order_id = ANY($1) ORDER BY r.id")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ticketing_payment")
        rows.all([0])
        cursor.execute("EXPLAIN EXECUTE test_plan ('{0}')")
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "payment_pkey" not in plan, plan


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_prepared", [False, True])
def test_connection_that_was_cut_raises_what_django_raises(is_prepared: bool) -> None:
    """Pages say "one moment, please" to Django's errors alone."""
    statement = Statement(f"test_cut_{is_prepared}", ("bigint",), "SELECT $1")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    if is_prepared:
        statement.run(1)
    parameters = connection.get_connection_params()
    with closing(
        psycopg2.connect(**{name: parameters[name] for name in ("dbname", "user", "password", "host", "port")})
    ) as other:
        other.cursor().execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    with pytest.raises(OperationalError):
        statement.run(1)
    connection.close()

    assert statement.run(1) == [(1,)]


@pytest.mark.django_db
def test_wrong_statement_raises_what_django_raises() -> None:
    with pytest.raises(ProgrammingError):
        Statement("test_wrong", ("bigint",), "SELECT nothing FROM nowhere").run(1)


@contextmanager
def another_type(column: str) -> Iterator[None]:
    """The column of the orders' table has another type meanwhile, as while a migration of the next version runs."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE ticketing_order ALTER COLUMN {column} TYPE varchar(200)")
        try:
            yield
        finally:
            cursor.execute(f"ALTER TABLE ticketing_order ALTER COLUMN {column} TYPE varchar(120)")


@pytest.mark.django_db(transaction=True)
def test_column_of_another_type_and_a_connection_that_was_reset_cost_nobody_a_page() -> None:
    order = _order()
    rows = Rows("test_out_of_date", Order, ("bigint",), "WHERE r.id = $1")
    assert rows.get(order.pk) == order

    with another_type("name"):
        assert rows.get(order.pk) == order
    with connection.cursor() as cursor:
        cursor.execute("DISCARD ALL")

    assert rows.get(order.pk) == order


@pytest.mark.django_db(transaction=True)
def test_whoever_began_a_transaction_begins_it_again() -> None:
    order = _order()
    rows = Rows("test_out_of_date_inside", Order, ("bigint",), "WHERE r.id = $1 FOR NO KEY UPDATE")
    tries: list[int] = []

    def verb() -> Order:
        tries.append(1)
        with transaction.atomic():
            return rows.get(order.pk)

    verb()
    with another_type("name"):
        with pytest.raises(NotSupportedError) as plain:
            verb()
        assert retries.is_passing(plain.value)
        assert verb() == order  # the connection was told to forget it
    assert retries.once_more(verb)() == order  # the type is changed back: once more
    assert len(tries) == 5


def _order() -> Order:
    event = factories.event()
    return factories.order(event, factories.wanted(factories.ticket_type(event, factories.quota(event))))


@pytest.mark.django_db
def test_rows_are_what_the_manager_gives() -> None:
    order = _order()
    Order.objects.update(tokens=["code:lucia"])
    rows = Rows("test_orders", Order, ("text[]",), "WHERE r.reference = ANY($1) ORDER BY r.id")

    found, known = rows.get([order.reference]), Order.objects.get()

    assert [getattr(found, field.attname) for field in Order._meta.concrete_fields] == [
        getattr(known, field.attname) for field in Order._meta.concrete_fields
    ]
    assert (found, found.tokens, rows.all([order.reference])) == (order, ["code:lucia"], [order])
    assert (rows.first([]), rows.all([])) == (None, [])
    with pytest.raises(Order.DoesNotExist):
        rows.get(["nobody"])


@pytest.mark.django_db
def test_row_that_was_read_is_saved_as_one_that_exists() -> None:
    _order()
    found = Rows("test_any_order", Order, ("bigint",), "WHERE r.id > $1").get(0)

    found.name = "Alva Ek"
    found.save()

    assert list(Order.objects.values_list("name", flat=True)) == ["Alva Ek"]


@pytest.mark.parametrize("model", [Order, Payment, Ticket])
def test_fresh_row_is_what_the_model_makes(model: type[Model]) -> None:
    values: dict[str, Any] = {"id": 7, "public_id": uuid4()}
    made, whole, another = fresh(model, **values), model(**values), fresh(model, **values)

    fields = model._meta.concrete_fields
    anew = {field.attname for field in fields if field.has_default() and callable(field.default)}
    ours, theirs = ({name: value for name, value in vars(row).items() if name != "_state"} for row in (made, whole))
    assert ours.keys() == theirs.keys()
    assert {name for name in ours if ours[name] != theirs[name]} <= anew - values.keys()
    assert all(type(ours[name]) is type(theirs[name]) for name in anew)
    assert all(getattr(made, name) is not getattr(another, name) for name in anew - values.keys())
    assert (made._state.adding, made._state.db) == (True, None)


@pytest.mark.django_db
def test_insert_writes_what_save_writes() -> None:
    order = _order()
    values = {"provider": "bank", "amount_minor": 100, "currency": "SEK", "created_at": clock.now(), "is_here": True}
    saved = Payment.objects.create(order=order, state="failed", **values)
    inserted = Payment(order=order, state="cancelled", reason="refused", **values)

    assert Insert("test_insert", Payment).run(inserted)

    stored = Payment.objects.get(pk=inserted.pk)
    own = {"id": inserted.pk, "public_id": inserted.public_id, "state": "cancelled", "reason": "refused"}
    assert saved.pk != inserted.pk
    assert {field.attname: getattr(stored, field.attname) for field in Payment._meta.concrete_fields} == {
        field.attname: getattr(saved, field.attname) for field in Payment._meta.concrete_fields
    } | own
    inserted.save()
    assert Payment.objects.count() == 2


@pytest.mark.django_db
def test_insert_of_a_second_one_raises_or_writes_nothing() -> None:
    order = _order()
    at = clock.now()

    def live() -> Payment:
        return Payment(order=order, provider="bank", amount_minor=100, currency="SEK", created_at=at)

    assert Insert("test_insert_first", Payment).run(live())
    assert not Insert("test_insert_or_nothing", Payment, or_nothing=True).run(second := live())
    with pytest.raises(IntegrityError), transaction.atomic():
        Insert("test_insert_first", Payment).run(live())

    assert (second.pk, Payment.objects.count()) == (None, 1)


@pytest.mark.django_db(transaction=True)
def test_statement_is_planned_once_and_not_for_an_empty_table() -> None:
    statement = Statement("test_planned", ("bigint",), "SELECT state FROM ticketing_payment WHERE order_id = $1")

    statement.run(1)

    with connection.cursor() as cursor:
        cursor.execute("SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name = 'test_planned'")
        assert cursor.fetchall() == [(2, 0)]  # one when it was planned
        cursor.execute("EXPLAIN EXECUTE test_planned (1)")
        plan = " ".join(line for (line,) in cursor.fetchall())
        cursor.execute("SHOW enable_seqscan")
        assert cursor.fetchone() == ("on",)
    assert "Index" in plan and "Seq Scan" not in plan
