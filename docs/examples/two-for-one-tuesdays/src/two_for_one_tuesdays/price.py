"""The price rule: of each two tickets of a type the second is free, for orders placed on a Tuesday."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from apps.events.models import EventPage
from apps.ticketing.context import ContextLine, PurchaseContext
from apps.ticketing.extensions import NamedAdjustment
from apps.ticketing.models import Ticket

BLOCK = "two_for_one_tuesdays"
TUESDAY = 1  # datetime.weekday()


@dataclass(frozen=True)
class Offer:
    """What holds for one event: where its Tuesday is, and how many free tickets one order may have (None: any)."""

    zone: ZoneInfo
    most_free: int | None


class TwoForOneTuesdays:
    """Registered in `ticketing.price_rules`, which says when each method is called, and when not."""

    slug = "two_for_one_tuesdays"

    def prepare(self, contexts: Sequence[PurchaseContext], at: datetime) -> dict[int, Offer]:
        """The offers of these orders' events, {event id: offer}: one query, for one order or for two hundred."""
        pages = (
            EventPage.objects.live()
            .filter(event_id__in={context.event_id for context in contexts})
            .select_related("event")
            .order_by("-pk")  # of two pages in two languages the older one counts
        )
        return {
            page.event_id: Offer(page.event.zone, block["value"].get("most_free"))
            for page in pages
            for block in page.body.raw_data  # as stored: no other block is asked for what it would show
            if block["type"] == BLOCK
        }

    def adjustments(
        self, context: PurchaseContext, line: ContextLine, answers: Mapping[int, Offer]
    ) -> Sequence[NamedAdjustment]:
        """Takes the price off the second, fourth, … ticket of a type. What one chooses with it is still paid.

        `context.at` is when the order was placed: who waits in the queue past midnight keeps Tuesday's price.
        """
        offer = answers.get(context.event_id)
        if offer is None or context.at.astimezone(offer.zone).weekday() != TUESDAY:
            return []
        if line.key not in _free(context, offer):
            return []
        amount = min(line.price_minor, line.list_minor)  # a choice may make a ticket cheaper; never below nothing
        return [NamedAdjustment(self.slug, "2 för 1 på tisdagar", "2 for 1 on Tuesdays", -amount)]

    def claim(self, order_lines: Mapping[int, Sequence[NamedAdjustment]]) -> None:
        """Nothing to use up: there is no end of free tickets."""

    def release(self, order_line_ids: Sequence[int]) -> None:
        """Nothing to give back."""

    def reprice(
        self, ticket: Ticket, context: PurchaseContext, answers: Mapping[int, Offer]
    ) -> Sequence[NamedAdjustment]:
        """A resold ticket is one ticket: never the second."""
        return []


def _free(context: PurchaseContext, offer: Offer) -> list[int]:
    """The keys of the lines that cost nothing: every second of each type, the first ones when there is a limit."""
    seen: dict[int, int] = {}
    free = []
    for line in context.lines:
        seen[line.ticket_type_id] = seen.get(line.ticket_type_id, 0) + 1
        if seen[line.ticket_type_id] % 2 == 0:
            free.append(line.key)
    return free[: offer.most_free]
