"""What must be true when a rush is over, computed from the bare rows: nothing here asks the code it judges.

Rows are read once into plain dictionaries; stock, limits and ranks are then worked out anew, slowly and literally.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from apps.ticketing.models import AuditEntry, Choice, LineChoice, Order, OrderLine, Quota, TicketType

# An order becomes visible to a drain a moment after its rank and time were taken.
VISIBLE_WITHIN = timedelta(seconds=2)


@dataclass
class Line:
    ticket_type: int
    is_wanted: bool
    is_held: bool
    takes: Counter[int]  # places by quota id


@dataclass
class Wish:
    """One order as the judge sees it."""

    pk: int
    rank: int
    state: str
    person: str
    fewer_is_fine: bool
    queued_at: datetime
    lines: list[Line] = field(default_factory=list)
    moves: list[tuple[str, str, datetime]] = field(default_factory=list)

    @property
    def wants(self) -> Counter[int]:
        return sum((line.takes for line in self.lines if line.is_wanted), Counter())

    @property
    def decisions(self) -> list[str]:
        """What it became when it left the queue; one of them, if all is well."""
        return [new for old, new, _at in self.moves if old == "queued"]

    @property
    def served_at(self) -> datetime | None:
        """When it got places for the first time."""
        return min((at for _old, new, at in self.moves if new in ("reserved", "offered")), default=None)


class Sale:
    """One event's rows at the end of a rush."""

    def __init__(self, event_id: int) -> None:
        self.event_id = event_id
        self.types = {row.pk: row for row in TicketType.objects.filter(event_id=event_id)}
        self.sizes = {row.pk: row.size - row.set_aside for row in Quota.objects.filter(event_id=event_id)}
        own = TicketType.quotas.through.objects.filter(tickettype__event_id=event_id)
        self.quotas_of_type = _grouped(own.values_list("tickettype_id", "quota_id"))
        choices = Choice.quotas.through.objects.filter(choice__variation__ticket_type__event_id=event_id)
        self.quotas_of_choice = _grouped(choices.values_list("choice_id", "quota_id"))
        conflicts = TicketType.conflicts_with.through.objects.filter(from_tickettype__event_id=event_id)
        self.conflicts = _grouped(conflicts.values_list("from_tickettype_id", "to_tickettype_id"))
        self.orders = self._read_orders()

    def _read_orders(self) -> dict[int, Wish]:
        orders = {
            row.pk: Wish(row.pk, row.rank or 0, row.state, row.buyer_key, row.fewer_is_fine, row.queued_at)
            for row in Order.objects.filter(event_id=self.event_id)
        }
        picked: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for row in LineChoice.objects.filter(line__order__event_id=self.event_id):
            picked[row.line_id].append((row.choice_id, row.quantity))
        for line in OrderLine.objects.filter(order__event_id=self.event_id).order_by("order_id", "position"):
            takes = Counter(self.quotas_of_type.get(line.ticket_type_id, ()))
            for choice_id, quantity in picked[line.pk]:
                for quota_id in self.quotas_of_choice.get(choice_id, ()):
                    takes[quota_id] += quantity
            orders[line.order_id].lines.append(Line(line.ticket_type_id, line.is_wanted, line.is_held, takes))
        for entry in AuditEntry.objects.filter(model="ticketing.order", row_id__in=list(orders)).order_by("pk"):
            orders[entry.row_id].moves.append((entry.old, entry.new, entry.at))
        return orders

    @property
    def held(self) -> Counter[int]:
        """Places by quota that held lines take."""
        lines = (line for order in self.orders.values() for line in order.lines)
        return sum((line.takes for line in lines if line.is_held), Counter())

    @property
    def left(self) -> dict[int, int]:
        held = self.held
        return {quota_id: size - held[quota_id] for quota_id, size in self.sizes.items()}

    def waiting_that_would_fit(self) -> list[int]:
        """Orders that wait although what is left would do: for all of it, or for a part where a part is fine."""
        left, found = self.left, []
        for order in self.orders.values():
            if order.state != "waiting":
                continue
            wanted = [line for line in order.lines if line.is_wanted]
            part_fits = order.fewer_is_fine and any(_fits(line.takes, left) for line in wanted)
            if _fits(order.wants, left) or part_fits:
                found.append(order.pk)
        return found

    def above_a_limit(self, most_per_event: int | None) -> list[Any]:
        """Persons who hold more than they may, of one type or in all, or two types that exclude each other."""
        owned: dict[str, Counter[int]] = defaultdict(Counter)
        for order in self.orders.values():
            owned[order.person].update(line.ticket_type for line in order.lines if line.is_held)
        found: list[Any] = []
        for person, types in owned.items():
            if most_per_event is not None and types.total() > most_per_event:
                found.append((person, "event", types.total()))
            for type_id, count in types.items():
                limit = self.types[type_id].max_per_person
                if limit is not None and count > limit:
                    found.append((person, type_id, count))
                if any(types[other] for other in self.conflicts.get(type_id, ())):
                    found.append((person, type_id, "conflict"))
        return found

    def passed_over(self) -> list[tuple[int, int]]:
        """(order that still waits, order behind it that got at least as much): nobody may be overtaken like that.

        Only orders that have waited ever since they came are looked at: who declined an offer had a turn.
        """
        patient = [
            order
            for order in self.orders.values()
            if order.state == "waiting" and [new for _old, new, _at in order.moves] == ["waiting"]
        ]
        served = [(order, order.served_at) for order in self.orders.values() if order.served_at is not None]
        return [
            (early.pk, late.pk)
            for early in patient
            for late, at in served
            if late.rank > early.rank
            and at is not None
            and at > early.queued_at + VISIBLE_WITHIN
            and all(late.wants[quota_id] >= count for quota_id, count in early.wants.items())
            and all(new != "offered" for _old, new, _at in late.moves)
        ]


def _grouped(pairs: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for one, other in pairs:
        found[one].append(other)
    return dict(found)


def _fits(takes: Counter[int], left: dict[int, int]) -> bool:
    return all(left[quota_id] >= count for quota_id, count in takes.items())
