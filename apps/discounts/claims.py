"""Using up limited rights and giving them back: the only writer of `Allowance.taken`, `Code.taken` and `DiscountUse`.

Every counter moves by one conditional UPDATE that names its limit, and the database's CHECK stands behind it: a mistake
here fails loudly instead of giving a discount once too often. Lock order: after quotas, allowances by discount, then
codes by id.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection

from apps.accounts.prepared import Rows, Statement
from apps.discounts.models import DiscountUse
from apps.ticketing.extensions import NamedAdjustment, RightIsGone


@dataclass(frozen=True)
class Granted(NamedAdjustment):
    """One discount given to one ticket, with what it uses up."""

    discount_id: int = 0
    code_id: int | None = None
    buyer_key: str = ""


def claim(order_lines: Mapping[int, Sequence[NamedAdjustment]]) -> None:
    """Take the rights of lines just reserved. Raises RightIsGone, and then nothing may be kept.

    Safe to repeat: a line that has a right keeps it. Adjustments that were frozen before (money that came late) say
    nothing of rights: their lines take again what they had.
    """
    wanted = {
        (line_id, granted.discount_id): granted
        for line_id, adjustments in order_lines.items()
        for granted in adjustments
        if isinstance(granted, Granted)
    }
    fresh = {line_id for line_id, _discount in wanted}
    again, obsolete, kept, given_up = [], [], set(), []
    for use in uses_of(order_lines):
        if use.line_id not in fresh:
            if not use.is_live:
                again.append(use)
            continue
        granted = wanted.get((use.line_id, use.discount_id))
        if use.is_live and granted is not None and granted.code_id == use.code_id:
            kept.add((use.line_id, use.discount_id))
            if granted.amount_minor != use.amount_minor:
                DiscountUse.objects.filter(pk=use.pk).update(amount_minor=granted.amount_minor)
        else:
            obsolete.append(use.pk)
            if use.is_live:
                given_up.append((use.discount_id, use.code_id))
    new = {key: granted for key, granted in wanted.items() if key not in kept}
    moves: Counter[tuple[int, int | None]] = Counter((use.discount_id, use.code_id) for use in again)
    moves.update((granted.discount_id, granted.code_id) for granted in new.values())
    moves.subtract(given_up)
    _move(moves)
    if again:
        DiscountUse.objects.filter(pk__in=[use.pk for use in again]).update(is_live=True)
    if obsolete:
        DiscountUse.objects.filter(pk__in=obsolete).delete()
    rows = [
        (line_id, discount_id, granted.code_id, granted.buyer_key, granted.amount_minor)
        for (line_id, discount_id), granted in new.items()
    ]
    if rows:
        _USED.run(*(list(column) for column in zip(*rows, strict=True)))


def uses_of(line_ids: Iterable[int]) -> list[DiscountUse]:
    """What these lines have, or had, by id. One query."""
    return _OF_LINES.all(list(line_ids))


_OF_LINES = Rows("discount_uses_of_lines", DiscountUse, ("bigint[]",), "WHERE r.line_id = ANY($1) ORDER BY r.id")
_USED = Statement(
    "discounts_used",
    ("bigint[]", "bigint[]", "bigint[]", "text[]", "int[]"),
    """
INSERT INTO discounts_discountuse (line_id, discount_id, code_id, buyer_key, amount_minor, is_live)
SELECT *, true FROM unnest($1, $2, $3, $4, $5) RETURNING id
""",
)


def release(line_ids: Sequence[int]) -> None:
    """Give back what these lines had. A line without a right is passed over."""
    live = DiscountUse.objects.filter(line_id__in=line_ids, is_live=True).order_by("pk")
    uses = list(live.values_list("pk", "discount_id", "code_id"))
    if not uses:
        return
    _move(Counter({key: -number for key, number in Counter((use[1], use[2]) for use in uses).items()}))
    DiscountUse.objects.filter(pk__in=[use[0] for use in uses]).update(is_live=False)


def _move(by: Mapping[tuple[int, int | None], int]) -> None:
    """Add to the counters of discounts and their codes."""
    discounts: dict[int, int] = defaultdict(int)
    codes: dict[int, int] = defaultdict(int)
    for (discount_id, code_id), number in by.items():
        discounts[discount_id] += number
        if code_id is not None:
            codes[code_id] += number
    _count("discounts_allowance", "discount_id", discounts)
    _count("discounts_code", "id", codes)


def _count(table: str, key: str, by: Mapping[int, int]) -> None:
    moved = {pk: number for pk, number in by.items() if number}
    if not moved:
        return
    ids = sorted(moved)
    with connection.cursor() as cursor:
        if len(ids) > 1:  # locked in order first: one statement changes its rows in whatever order it likes
            cursor.execute(f"SELECT 1 FROM {table} WHERE {key} = ANY(%s) ORDER BY {key} FOR NO KEY UPDATE", [ids])
        cursor.execute(
            f"UPDATE {table} t SET taken = t.taken + v.n"
            " FROM (SELECT unnest(%s::bigint[]) AS id, unnest(%s::int[]) AS n) AS v"
            f" WHERE t.{key} = v.id AND (v.n < 0 OR t.size IS NULL OR t.taken + v.n <= t.size)",
            [ids, [moved[pk] for pk in ids]],
        )
        if cursor.rowcount != len(ids):
            raise RightIsGone(f"{table} {ids}")
