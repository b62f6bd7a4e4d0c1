"""Who stands for what buyers do not pay, event by event: read from the frozen rows of the tickets that are sold.

For each event the list prices less what buyers have paid, and not got back, are the sum of what the sponsors and the
organiser bear: to the öre, also after refunds of whole tickets and of parts. The ledger's receivables are the same
sums (`ledger`, account sponsor_receivable).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, QuerySet, Sum
from django.utils.translation import gettext as _

from apps.discounts.models import Sponsor
from apps.events.models import Event
from apps.ticketing.extensions import ORGANISER, SELLER
from apps.ticketing.models import SUPPLEMENTS, Adjustment, OrderLine
from apps.ticketing.states import OrderState

PREFIX = "sponsor:"
SELLERS = "sellers"

Borne = dict[tuple[int, str], list[tuple[str, int, int]]]  # {(event, currency): [(bearer, minor units, tickets)]}


@dataclass(frozen=True)
class Share:
    """What one bearer stands for, in minor units, and on how many tickets. A surcharge makes the organiser's less."""

    bearer: str
    name: str
    amount_minor: int
    tickets: int


@dataclass(frozen=True)
class EventReport:
    """One event in one currency: list prices = paid + what each bearer stands for."""

    event: Event
    currency: str
    tickets: int
    list_minor: int
    paid_minor: int
    shares: tuple[Share, ...]

    @property
    def borne_minor(self) -> int:
        return sum(share.amount_minor for share in self.shares)


def of_events(events: QuerySet[Event]) -> list[EventReport]:
    """The events at which something was sold below or above its list price, the latest first. Four queries."""
    sold = OrderLine.objects.filter(order__event__in=events, order__state=OrderState.PAID, is_held=True).order_by()
    sold = sold.exclude(order__channel__in=SUPPLEMENTS)  # what was paid more is no ticket, and nobody bears it
    sums = sold.values_list("order__event", "order__currency").annotate(
        number=Count("pk"), listed=Sum("list_minor"), paid=Sum("price_minor"), back=Sum("given_back_minor")
    )
    borne: Borne = defaultdict(list)
    adjustments = (
        Adjustment.objects.filter(line__in=sold)
        .order_by()
        .values_list("line__order__event", "line__order__currency", "bearer")
        .annotate(minor=Sum(-F("amount_minor")), tickets=Count("line", distinct=True))
    )
    for event_id, currency, bearer, minor, tickets in adjustments:
        borne[event_id, currency].append((bearer, minor, tickets))
    borne = {event: _sellers_together(rows) for event, rows in borne.items()}
    names = names_of({bearer for rows in borne.values() for bearer, _minor, _tickets in rows})
    by_id = events.in_bulk([event_id for event_id, *_rest in sums])
    reports = []
    for event_id, currency, tickets, listed, paid, back in sums:
        rows = {bearer: (minor, number) for bearer, minor, number in borne.get((event_id, currency), ())}
        if back:
            minor, number = rows.get(ORGANISER, (0, 0))
            rows[ORGANISER] = (minor + back, number)  # a part that was given back is the organiser's to bear
        if rows:
            shares = (Share(bearer, names.get(bearer, bearer), *rows[bearer]) for bearer in sorted(rows))
            reports.append(EventReport(by_id[event_id], currency, tickets, listed, paid - back, tuple(shares)))
    return sorted(reports, key=lambda report: (report.event.starts_at, report.event.pk), reverse=True)


def _sellers_together(rows: Iterable[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """The same with one row for all who sold their tickets for less than these had cost."""
    sums: dict[str, tuple[int, int]] = {}
    for bearer, minor, tickets in rows:
        name = SELLERS if bearer.startswith(SELLER) else bearer
        before = sums.get(name, (0, 0))
        sums[name] = before[0] + minor, before[1] + tickets
    return [(bearer, *both) for bearer, both in sums.items()]


def names_of(bearers: set[str]) -> dict[str, str]:
    """{bearer: what people call it}. One query."""
    ids = [bearer.removeprefix(PREFIX) for bearer in bearers if bearer.startswith(PREFIX)]
    named = {sponsor.bearer: sponsor.name for sponsor in Sponsor.objects.filter(public_id__in=ids)} if ids else {}
    return {ORGANISER: _("The organiser"), SELLERS: _("Those who sold their tickets again for less"), **named}


class SponsorNames:
    """The BearerNames of discounts: what sponsors are called in the books."""

    slug = "sponsors"

    def names(self, bearers: Iterable[str]) -> Mapping[str, str]:
        return names_of(set(bearers))


def as_rows(reports: Sequence[EventReport]) -> list[list[Any]]:
    """The report as a table: one row for each bearer of an event, amounts in minor units."""
    head = ["event", "starts_at", "currency", "bearer", "name", "tickets", "borne_minor", "event_list_minor"]
    rows: list[list[Any]] = [[*head, "event_paid_minor"]]
    for report in reports:
        starts_at = report.event.starts_at.astimezone(report.event.zone).isoformat()
        rows += [
            [
                *(str(report.event), starts_at, report.currency, share.bearer, share.name, share.tickets),
                *(share.amount_minor, report.list_minor, report.paid_minor),
            ]
            for share in report.shares
        ]
    return rows
