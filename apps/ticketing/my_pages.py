"""The panel "My tickets and orders": evenings to come with their tickets, what needs the buyer, what was bought.

What was bought with the account, and what was bought as a guest under an address the account has proved. The number of
queries does not depend on how much there is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.db.models.functions import Lower
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.accounts.models import User
from apps.accounts.personal_data import verified_emails
from apps.events.listing import posters_of
from apps.events.looks import poster_ground
from apps.events.models import Event, EventPage
from apps.events.posters import palette_from, poster_svg
from apps.events.translated import active_language
from apps.ticketing import clock, finding, giving
from apps.ticketing.models import SUPPLEMENTS, Order, Ticket
from apps.ticketing.states import OrderState, TicketState

ORDERS_SHOWN = 10
OLDER_SHOWN = 200
EARLIER_SHOWN = 20
HELD_DEAR = (TicketState.VALID, TicketState.HELD, TicketState.USED, TicketState.BLOCKED)
NEEDS_THE_BUYER = (OrderState.OFFERED, OrderState.RESERVED)
IN_LINE = (OrderState.QUEUED, OrderState.WAITING)
LEVELS = {
    OrderState.PAID: "success",
    OrderState.RESERVED: "warning",
    OrderState.OFFERED: "warning",
    OrderState.QUEUED: "info",
    OrderState.WAITING: "info",
    OrderState.REFUNDED: "info",
}


@dataclass(frozen=True)
class Evening:
    """One event with the person's tickets to it."""

    event: Event
    tickets: tuple[Ticket, ...]
    poster: SafeString
    when: str
    doors_at: datetime


@dataclass(frozen=True)
class Bought:
    """One order in the list."""

    order: Order
    word: str
    level: str


class TicketsPanel:
    """Ticketing's answer to `accounts.extensions.my_page_panels`."""

    slug = "tickets"
    heading = gettext_lazy("My tickets and orders")

    def render(self, request: HttpRequest, user: User) -> str:
        at = clock.now()
        emails = verified_emails(user)
        guests = finding.guest_orders(emails)
        got = Q(line__order__in=guests, line__owner_key="") | Q(line__owner_key__in=finding.buyer_keys(emails))
        as_guest = Q(got, owner__isnull=True, address__in=emails)
        theirs = Q(user=user) | Q(pk__in=guests)
        tickets = list(
            Ticket.objects.annotate(address=Lower("holder_email"))
            .filter(Q(owner=user) | as_guest, state__in=HELD_DEAR)
            .select_related("event__organisation", "ticket_type")
            .order_by("event__starts_at", "event_id", "line__order_id", "line__position")
        )
        offered = giving.offered(tickets)
        for ticket in tickets:
            ticket.offered_to = offered.get(ticket.pk, "")  # type: ignore[attr-defined]  # for the template
        shown = Order.objects.filter(theirs).exclude(channel__in=SUPPLEMENTS).select_related("event").order_by("-pk")
        orders = [_bought(order) for order in shown[: ORDERS_SHOWN + OLDER_SHOWN]]
        open_orders = list(
            Order.objects.filter(theirs, Q(state__in=IN_LINE) | Q(state__in=NEEDS_THE_BUYER, reserved_until__gt=at))
            .select_related("event")
            .order_by("reserved_until", "pk")
        )
        to_come = [ticket for ticket in tickets if ticket.event.ends_at > at]
        over = [ticket for ticket in reversed(tickets) if ticket.event.ends_at <= at]
        context = {
            "evenings": _evenings(to_come, at),
            "earlier": over[:EARLIER_SHOWN],
            "waiting": [order for order in open_orders if order.state in IN_LINE],
            "needed": [order for order in open_orders if order.state in NEEDS_THE_BUYER],
            "orders": orders[:ORDERS_SHOWN],
            "older": orders[ORDERS_SHOWN:],
            "gifts": giving.given_to(emails, at),
        }
        return render_to_string("ticketing/my_pages/tickets.html", context, request)


def _bought(order: Order) -> Bought:
    state = OrderState(order.state)
    return Bought(order, str(state.label), LEVELS.get(state, ""))


def _evenings(tickets: Iterable[Ticket], at: datetime) -> list[Evening]:
    by_event: dict[int, list[Ticket]] = defaultdict(list)
    for ticket in tickets:
        by_event[ticket.event_id].append(ticket)
    events = [group[0].event for group in by_event.values()]
    posters = _posters(events)
    return [
        Evening(
            event=event,
            tickets=tuple(by_event[event.pk]),
            poster=posters[event.pk],
            when=_days_until(event, at),
            doors_at=event.doors_at or event.starts_at,
        )
        for event in events
    ]


def _posters(events: Sequence[Event]) -> dict[int, SafeString]:
    """A poster by event id: as the event's page shows it, or drawn where there is no page."""
    language = active_language()
    pages: dict[int, EventPage] = {}
    for page in (
        EventPage.objects.live()
        .filter(event__in=events)
        .select_related("event__organisation", "locale")
        .order_by("event_id", "pk")
    ):
        if page.event_id not in pages or page.locale.language_code == language:
            pages[page.event_id] = page
    posters = posters_of(list(pages.values())) if pages else {}
    found = {}
    for event in events:
        if event.pk in pages:
            found[event.pk] = posters[pages[event.pk].pk].html
        else:
            palette = palette_from(poster_ground(event.organisation))
            found[event.pk] = mark_safe(poster_svg(str(event.public_id), palette))  # our own drawing
    return found


def _days_until(event: Event, at: datetime) -> str:
    """In how many days the event is, by the calendar of its own place."""
    zone = event.zone
    days = (timezone.localtime(event.starts_at, zone).date() - timezone.localtime(at, zone).date()).days
    if days <= 0:
        return _("Today")
    if days == 1:
        return _("Tomorrow")
    return ngettext("In %(days)s day", "In %(days)s days", days) % {"days": days}
