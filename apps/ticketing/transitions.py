"""The only writers of a state. A move is a conditional UPDATE: nought rows means somebody else was faster.

Each move writes its audit entries in the same transaction and announces the ids that really moved once it commits.
Lock order for callers is DESIGN 5: Orders by id, Tickets and Listings by id, Quotas by id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache, partial
from hashlib import md5
from typing import Any

from django.db import connection, models, transaction
from django.dispatch import Signal

from apps.accounts.prepared import BY_ID, Rows, Statement
from apps.accounts.request_ids import current_request_id
from apps.ticketing import signals, states
from apps.ticketing.models import AuditEntry, Cancellation, Dispute, Effect, Gift, Order, Payment, Refund, Ticket


class IllegalMove(Exception):
    """The tables in `states` do not allow this move; a mistake in the code, not a race."""


class StaleState(Exception):
    """Somebody else moved the row first. Nothing was changed; read it again and decide anew."""

    def __init__(self, row: models.Model, wanted: str) -> None:
        super().__init__(f"{row._meta.label} {row.pk} could not become {wanted}")
        self.row = row
        self.wanted = wanted


_tables: dict[type[models.Model], tuple[states.Table, Signal | None]] = {
    Order: (states.ORDER, signals.orders_moved),
    Payment: (states.PAYMENT, signals.payments_moved),
    Dispute: (states.DISPUTE, signals.disputes_moved),
    Refund: (states.REFUND, signals.refunds_moved),
    Ticket: (states.TICKET, signals.tickets_moved),
    Effect: (states.EFFECT, None),
    Cancellation: (states.CANCELLATION, None),
    Gift: (states.GIFT, None),
}


def register_states(model: type[models.Model], table: states.Table, signal: Signal | None = None) -> None:
    """Put a plugin's model under the same rules: its `state` column moves by `table` only."""
    _tables[model] = (table, signal)


def move_many(
    model: type[models.Model],
    ids: Iterable[int],
    old: str | Iterable[str],
    new: str,
    reasons: Mapping[int, str] | str = "",
    *,
    actor: Any = None,
    actor_name: str = "",
    audit: bool = True,
    each: Mapping[str, Mapping[int, Any]] | None = None,
    **values: Any,
) -> list[int]:
    """Move rows from `old` (one state or several) to `new` and return the ids that really moved, ascending.

    `values` are other columns set in the same UPDATE, equal for all rows; `each` are columns with a value for each row,
    {column: {id: value}}. `reasons` is one code or {id: code}; it goes
    into the audit and, where the model has one, into its `reason`. The audit also keeps who moved them: `actor`, or the
    name of somebody without an account, `actor_name`. Raises IllegalMove when the table forbids the move.
    Locks the rows in id order until the caller's transaction ends.
    """
    table, signal = _tables[model]
    olds = [str(old)] if isinstance(old, str) else [str(state) for state in old]
    for state in olds:
        if new not in table[state]:
            raise IllegalMove(f"{model.__name__}: {state} -> {new}")
    wanted = sorted(set(ids))
    if not wanted:
        return []

    fields = {field.name: field for field in model._meta.concrete_fields}
    columns = {"state": str(new), **values}
    own = each or {}
    why = [reasons if isinstance(reasons, str) else reasons.get(pk, "") for pk in wanted]
    given: list[Any] = [wanted, why, olds]
    given += [[fields[name].get_db_prep_save(column[pk], connection) for pk in wanted] for name, column in own.items()]
    given += [fields[name].get_db_prep_save(value, connection) for name, value in columns.items()]
    if audit:
        given += [model._meta.label_lower, str(new), getattr(actor, "pk", None), actor_name, current_request_id()]
    # Without a savepoint: whoever moves rows within a larger transaction gives up all of it when this fails.
    with transaction.atomic(savepoint=False):
        rows = _statement(model, tuple(columns), tuple(own), audit).run(*given)
    if not rows:
        return []
    moved = {pk: was for pk, was, _why in rows}
    told = {pk: because for pk, _was, because in rows}
    if signal is not None:
        transaction.on_commit(
            partial(signal.send_robust, sender=model, ids=list(moved), old=dict(moved), new=str(new), reasons=told)
        )
    return list(moved)


@cache
def _statement(model: type[models.Model], columns: tuple[str, ...], own: tuple[str, ...], audit: bool) -> Statement:
    """Moves rows and gives (id, old state, reason) of each, in id order. Its values are the ids, their reasons, the old
    states, a list for each of `own`, a value for each of `columns`, and with `audit` what the entries say."""
    meta = model._meta
    fields = {field.name: field for field in meta.concrete_fields}
    types = ["bigint[]", "text[]", "text[]", *(f"{_type(fields[name])}[]" for name in own)]
    types += [_type(fields[name]) for name in columns]
    own_columns = [fields[name].column for name in own]
    assignments = [f'"{fields[name].column}" = ${number}' for number, name in enumerate(columns, 4 + len(own))]
    assignments += [f'"{column}" = picked."{column}"' for column in own_columns]
    if "reason" in fields and "reason" not in columns:
        assignments.append("reason = picked.why")
    names = "".join(f', "{column}"' for column in own_columns)
    asked = "".join(f', asked."{column}"' for column in own_columns)
    arrays = "".join(f", ${number}" for number, _name in enumerate(own, 4))
    # The inner SELECT fixes the lock order; UPDATE alone would lock in plan order.
    sql = (
        f"WITH picked AS (SELECT r.id, r.state, asked.why{asked}"
        f' FROM "{meta.db_table}" r JOIN unnest($1, $2{arrays}) AS asked(id, why{names}) ON asked.id = r.id'
        f" WHERE r.state = ANY($3) {BY_ID} FOR NO KEY UPDATE OF r),"
        f' moved AS (UPDATE "{meta.db_table}" t SET {", ".join(assignments)} FROM picked WHERE t.id = picked.id'
        f" RETURNING t.id, picked.state, picked.why)"
    )
    if audit:
        table, new, by, name, request = (f"${len(types) + number}" for number in range(1, 6))
        types += ["text", "text", "bigint", "text", "text"]
        sql += (
            f', told AS (INSERT INTO "{AuditEntry._meta.db_table}"'
            " (model, row_id, old, new, reason, actor_id, actor_name, request_id, at)"
            f" SELECT {table}, id, state, {new}, why, {by}, {name}, {request}, foyer_now() FROM moved ORDER BY id)"
        )
    sql += " SELECT id, state, why FROM moved ORDER BY id"
    return Statement(f"move_{md5(sql.encode()).hexdigest()[:16]}", tuple(types), sql)


def _type(field: models.Field[Any, Any]) -> str:
    """A column's type without its length, which the column itself looks after."""
    return (field.db_type(connection) or "").split("(")[0]


def move(
    row: models.Model,
    new: str,
    *,
    old: str | Iterable[str] | None = None,
    reason: str = "",
    actor: Any = None,
    actor_name: str = "",
    **values: Any,
) -> None:
    """Move one row from the state it was read in (or `old`) to `new` and update the object in hand.

    Raises StaleState when the row is not in that state any more, IllegalMove when the table forbids the move.
    """
    expected = old if old is not None else row.state  # type: ignore[attr-defined]
    if not move_many(type(row), [row.pk], expected, new, reason, actor=actor, actor_name=actor_name, **values):
        raise StaleState(row, new)
    row.state = str(new)  # type: ignore[attr-defined]
    if hasattr(row, "reason"):
        row.reason = reason
    for name, value in values.items():
        setattr(row, name, value)


# --- Effects -------------------------------------------------------------------------------------------------------
# Of these nothing is audited or announced, and a rush has thousands: each is taken up and put down in one statement.

_LEASED = (
    "state = 'leased', tries = r.tries + 1,"
    " leased_until = foyer_now() + make_interval(secs => coalesce(($3 ->> r.kind)::int, $4))"
)
_DUE = "r.state = 'due' AND ($2 OR r.due_at <= foyer_now())"
_LEASES = ("boolean", "jsonb", "integer")
_lease = Rows("effect_lease", Effect, ("bigint", *_LEASES), f"WHERE r.id = $1 AND {_DUE}", changing=_LEASED)
_lease_called = Rows(
    "effect_lease_called", Effect, ("text", *_LEASES), f"WHERE r.key = $1 AND {_DUE}", changing=_LEASED
)
_END_LEASE = Statement(
    "effect_end_lease",
    ("bigint", "timestamptz", "text", "text", "integer", "double precision"),
    "UPDATE ticketing_effect SET state = $3, last_error = $4, leased_until = NULL, tries = coalesce($5, tries),"
    " due_at = CASE WHEN $6 > 0 THEN foyer_now() + make_interval(secs => $6) ELSE due_at END"
    " WHERE id = $1 AND state = 'leased' AND leased_until = $2 RETURNING id",
)


def lease(which: int | str, seconds: int, *, early: bool, seconds_of: Mapping[str, int]) -> Effect | None:
    """Take an effect, by its id or its key, for ourselves: due -> leased. None when another was faster, or it is not
    due yet and `early` does not help. The lease lasts as long as `seconds_of` its kind, else `seconds`."""
    rows = _lease if isinstance(which, int) else _lease_called
    return rows.first(which, early, json.dumps(dict(seconds_of)), seconds)


def end_lease(effect: Effect, new: str, *, error: str = "", tries: int | None = None, pause_seconds: float = 0) -> bool:
    """Move an effect on from `leased`, if the lease is still ours: whoever took it over writes for himself."""
    if new not in states.EFFECT[states.EffectState.LEASED]:
        raise IllegalMove(f"Effect: leased -> {new}")
    if not _END_LEASE.run(effect.pk, effect.leased_until, str(new), error[:300], tries, pause_seconds):
        return False
    effect.state = str(new)
    return True
