"""What was chosen with a ticket that is sold again: what of it goes along, and whether it is still what a buyer saw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from django.db.models import QuerySet

from apps.ticketing import changes
from apps.ticketing.models import LineChoice

Pieces = Mapping[int, int]  # {choice: how many}


def going_along(line_ids: Iterable[int]) -> Mapping[int, Pieces]:
    """{line of a ticket: what goes with it}. Not what its owner chose for their health alone, with no place or money to
    it. One query."""
    rows = LineChoice.objects.filter(line__in=line_ids)
    return _pieces(rows.exclude(choice__is_sensitive=True, delta_minor=0, choice__quotas__isnull=True))


def changed(sold: Mapping[int, int]) -> set[int]:
    """Of {buyer's line: line of the ticket it buys} those buyers' whose ticket has other choices than they saw, or will
    have once they are paid. Three queries."""
    wanted = _pieces(LineChoice.objects.filter(line__in=sold))
    now = going_along(sold.values())
    for_money = set(changes.changed_for_money().filter(pk__in=sold.values()).values_list("pk", flat=True))
    return {line for line, of in sold.items() if of in for_money or wanted.get(line, {}) != now.get(of, {})}


def _pieces(rows: QuerySet[LineChoice]) -> Mapping[int, Pieces]:
    found: dict[int, dict[int, int]] = defaultdict(dict)
    for line_id, choice_id, quantity in rows.order_by("pk").values_list("line", "choice", "quantity"):
        found[line_id][choice_id] = quantity
    return found
