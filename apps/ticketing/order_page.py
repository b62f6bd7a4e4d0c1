"""What the page of one order shows: in which of its states it is, what it costs line by line, and what comes next.

Reads rows and asks the queue; changes nothing. The page itself is one template per state (templates/ticketing/order/).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from django.db.models import TextChoices
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.events.translated import Fallback, joined, pick, repeated
from apps.events.wording import write_delta
from apps.ticketing import (
    catalogue,
    instructions,
    kept_rows,
    next_steps,
    pricing,
    queue,
    reading,
    sale_control,
    standing,
    vat,
)
from apps.ticketing.context import Chosen, ContextLine
from apps.ticketing.extensions import Why
from apps.ticketing.fulfilment import CHANGE, DIFFERENCE
from apps.ticketing.mails import troubles
from apps.ticketing.models import Adjustment, Choice, Order, OrderLine, Payment, Quota, Refund, Ticket, TicketType
from apps.ticketing.reservations import context_of, with_tickets
from apps.ticketing.second_hand import told_times
from apps.ticketing.shown_prices import Risen, risen
from apps.ticketing.states import ORDER_IN_QUEUE, PAYMENT_LIVE, OrderState, PaymentState, TicketState
from apps.ticketing.ticket_page import SHOWS_CODE

# Payments whose outcome the buyer must wait for: paying again would be paying twice.
IN_DOUBT = (PaymentState.PROCESSING, PaymentState.UNKNOWN)
NEAR_THE_FRONT = 50  # served in the first batch
# Nothing is frozen on the lines, or no longer on all of them: the page says what they would cost now.
UNPRICED = (OrderState.QUEUED, OrderState.WAITING, OrderState.REJECTED, OrderState.CANCELLED, OrderState.EXPIRED)


class PageState(TextChoices):
    """Which page is shown. All but `entered`, `paying` and `transfer` are the order's own states."""

    ENTERED = "entered", _("in a draw that is not held yet")
    QUEUED = "queued", _("in the queue")
    WAITING = "waiting", _("waiting for places")
    OFFERED = "offered", _("offered a part")
    RESERVED = "reserved", _("held for payment")
    PAYING = "paying", _("the bank has not answered yet")
    TRANSFER = "transfer", _("held until the buyer's money comes")
    PAID = "paid", _("paid")
    REFUNDED = "refunded", _("refunded")
    EXPIRED = "expired", _("expired")
    REJECTED = "rejected", _("rejected")
    CANCELLED = "cancelled", _("cancelled")


STANDS_IN_LINE = (PageState.ENTERED, PageState.QUEUED, PageState.WAITING, PageState.OFFERED)


@dataclass(frozen=True)
class Line:
    """One ticket of the order, as it is told: its name, what was chosen, what it costs in minor units."""

    name: str
    chosen: str
    guest_name: str
    list_minor: int
    is_held: bool
    is_refunded: bool
    number: int
    why_not: str = ""  # why it is not held, in words


@dataclass(frozen=True)
class Change:
    """A named change of the price, summed over the lines it concerns."""

    label: str
    amount_minor: int
    tickets: int


@dataclass(frozen=True)
class VatPart:
    rate: Decimal
    gross_minor: int
    vat_minor: int


@dataclass(frozen=True)
class Breakdown:
    """The price told line by line: lines and changes add up to the total, VAT is inside it."""

    lines: tuple[Line, ...]
    changes: tuple[Change, ...]
    vat: tuple[VatPart, ...]
    total_minor: int
    currency: str
    whys: tuple[Why, ...] = ()  # why something does not lower it, while the price is not frozen
    not_given: tuple[str, ...] = ()  # the same as it was frozen with the price

    @property
    def grouped(self) -> tuple[tuple[str, int], ...]:
        """(name, number) of the tickets, for one line of words."""
        counts: dict[str, int] = {}
        for line in self.lines:
            counts[line.name] = counts.get(line.name, 0) + 1
        return tuple(counts.items())


class Verdict(TextChoices):
    """Whether the tickets will last until this order is served, as far as one can say now."""

    ENOUGH = "enough", _("enough, probably")
    UNCERTAIN = "uncertain", _("uncertain")
    SHORT = "short", _("probably not")
    NOTHING = "nothing", _("no place is on its way back")


# Of five places held for payment about one comes back, rarely more: what is held is no promise.
HELD_FOR_ONE_BACK = 5


@dataclass(frozen=True)
class Place:
    """Where an order stands in the queue, and how long that may take. `wait_low` and `wait_high` are whole minutes.
    What is left, held and wanted are places of one quota: of which the order is the least likely to get its own."""

    ahead: int
    decided: int
    rate: float
    held: int
    left: int
    wanted_ahead: int
    own: int
    held_places: int = 0  # places that others hold unpaid
    quota: str = ""  # its public id

    @property
    def number(self) -> int:
        return self.ahead + 1

    @property
    def minutes(self) -> float | None:
        """About how long, or nothing when the queue has not moved yet."""
        return self.number / self.rate / 60 if self.rate > 0 else None

    @property
    def is_under_a_minute(self) -> bool:
        return self.minutes is not None and self.minutes < 0.7

    @property
    def wait_low(self) -> int | None:
        return None if self.minutes is None else max(1, math.floor(self.minutes * 0.8))

    @property
    def wait_high(self) -> int | None:
        return None if self.minutes is None else max((self.wait_low or 1) + 1, math.ceil(self.minutes * 1.4))

    @property
    def reload_seconds(self) -> int:
        """When a browser without JavaScript should look again: soon near the front, seldom far behind."""
        if self.minutes is None:
            return 3 if self.ahead < NEAR_THE_FRONT else 15
        return int(min(30, max(3, self.minutes * 60 / 4)))

    @property
    def verdict(self) -> Verdict:
        """Honest both ways: some of what is held or left comes back, so a small lack is only uncertain. The same
        rule as verdict.js."""
        lack = self.lack
        if lack <= 0:
            return Verdict.ENOUGH
        if self.left <= 0 and self.held_places <= 0:
            return Verdict.NOTHING
        coming = math.ceil(self.held_places / HELD_FOR_ONE_BACK)
        return Verdict.UNCERTAIN if lack <= max(coming, self.left // 4) else Verdict.SHORT

    @property
    def lack(self) -> int:
        """How many places are too few, if those ahead get what they want."""
        return self.wanted_ahead + self.own - self.left

    @property
    def odds(self) -> tuple[int, int]:
        """What places of several quotas are compared by: the higher, the worse."""
        return list(Verdict).index(self.verdict), self.lack


@dataclass
class OrderPage:
    """Everything the order's template needs. `at` is the database's time at which it was read."""

    order: Order
    at: datetime
    state: PageState
    breakdown: Breakdown
    place: Place | None = None
    payment: Payment | None = None
    tickets: Sequence[Ticket] = ()
    refunds: Sequence[Refund] = ()
    problem: str = ""
    unheld: Sequence[Line] = field(default=())
    mail_came_back: bool = False
    risen: Risen | None = None  # it costs more than the form said
    told: instructions.Instructions | None = None  # how to send the money oneself
    rows: Sequence[OrderLine] = ()

    @property
    def opens_at(self) -> datetime | None:
        """When payment opens to this buyer, while that is still to come."""
        moment = self.order.pays_from
        return moment if self.state == PageState.RESERVED and moment is not None and moment > self.at else None

    @property
    def was_transfer(self) -> bool:
        """Whether its buyer last chose to send the money themselves, so that it may be on its way."""
        return self.payment is not None and self.payment.is_by_hand

    @property
    def is_free(self) -> bool:
        return not self.breakdown.total_minor

    @property
    def opens_in_seconds(self) -> int:
        """Whole seconds until then, rounded up; 0 when payment is open."""
        return math.ceil((self.opens_at - self.at).total_seconds()) if self.opens_at else 0

    @property
    def is_disputed(self) -> bool:
        """Whether its tickets are blocked until the payer's bank has decided who is right."""
        return any(ticket.state == TicketState.BLOCKED for ticket in self.tickets)

    @property
    def has_codes(self) -> bool:
        """Whether one of its tickets can still be shown at the door."""
        return any(ticket.state in SHOWS_CODE and not ticket.line.is_given_away for ticket in self.tickets)


def sale_of(order: Order) -> sale_control.Standing:
    """What holds for the order's sale, at most a second old. Exact where it stands still, or did a second ago, and the
    order has a hold: its end and the clock it is judged by are then of one moment, and `order` is brought up to it."""
    sale = sale_control.shown(order.event_id)
    if not sale.stops or order.state not in (OrderState.RESERVED, OrderState.OFFERED):
        return sale
    while True:
        sale = sale_control.state_of(order.event_id)
        order.refresh_from_db(fields=["state", "reason", "reserved_until", "pays_from"])
        # A stop that ends moves the holds in its own transaction: had it ended between the two reads, this tells.
        if sale_control.state_of(order.event_id) == sale:
            return sale


def read(order: Order, at: datetime, *, hold_time: datetime | None = None) -> OrderPage:
    """The page of `order` at the database's moment `at`. A constant number of queries per state.

    `hold_time` is what the clock of its hold shows, when the sale has stood still (`sale_control`).
    """
    payment = reading.newest_payment.first(order.pk) if _may_have_payments(order) else None
    lines = _read_lines(order)
    page = OrderPage(
        order=order,
        at=at,
        state=state_of(order, payment, hold_time or at),
        breakdown=_tell_price(order, [line for line in lines if _counts(order, line.row)]),
        payment=payment,
        rows=[line.row for line in lines],
        unheld=_tell_unheld([line for line in lines if line.row.is_wanted and not line.row.is_held], order),
    )
    if page.state in (PageState.QUEUED, PageState.WAITING):
        page.place = _read_place(order, lines)
    if page.state == PageState.TRANSFER and payment is not None:
        page.told = instructions.of(order, payment)
    if order.state in (OrderState.PAID, OrderState.REFUNDED):
        page.mail_came_back = order.state == OrderState.PAID and troubles.came_back(order)
        page.tickets = _read_tickets(order, lines)
    if order.state == OrderState.RESERVED:
        page.risen = risen(line.row for line in lines)
    # What goes back may be of a payment before the newest: the first of two ways to pay, captured after all.
    if payment is not None and (payment.state == PaymentState.CAPTURED or order.state != OrderState.RESERVED):
        page.refunds = _read_refunds(order, payment)
    if payment is not None and payment.state in (PaymentState.FAILED, PaymentState.ACTION_NEEDED):
        page.problem = payment.reason
    return page


def _read_refunds(order: Order, newest: Payment) -> list[Refund]:
    """What goes back of the order, each with its payment. One query, two where one is not of the newest payment."""
    refunds = reading.refunds.all(order.pk)
    others = {refund.payment_id for refund in refunds} - {newest.pk}
    payments = {newest.pk: newest, **(Payment.objects.in_bulk(others) if others else {})}
    for refund in refunds:
        refund.payment = payments[refund.payment_id]
    return refunds


def state_of(order: Order, payment: Payment | None, at: datetime) -> PageState:
    """Which page an order shows when the clock of its hold shows `at`, given its newest payment.

    A hold whose time is up shows as expired, although the sweeper may need two seconds more to let it go.
    """
    is_live = payment is not None and payment.state in PAYMENT_LIVE
    if order.state == OrderState.QUEUED and order.rank is None:
        return PageState.ENTERED
    if order.state == OrderState.RESERVED and payment is not None and payment.state in IN_DOUBT:
        return PageState.PAYING
    is_over = order.reserved_until is not None and order.reserved_until <= at
    if order.state == OrderState.RESERVED and is_live and payment is not None and payment.is_by_hand:
        return PageState.EXPIRED if is_over else PageState.TRANSFER
    if order.state in (OrderState.RESERVED, OrderState.OFFERED) and is_over and not is_live:
        return PageState.EXPIRED
    return PageState(order.state)


def can_leave(order: Order) -> bool:
    """Whether the buyer may give the order up now; not while a payment is in doubt."""
    if order.state not in (*ORDER_IN_QUEUE, OrderState.OFFERED, OrderState.RESERVED):
        return False
    return not Payment.objects.filter(order=order, state__in=IN_DOUBT).exists()


def _may_have_payments(order: Order) -> bool:
    is_of_paying = order.state not in (*ORDER_IN_QUEUE, OrderState.OFFERED, OrderState.REJECTED)
    return is_of_paying and reading.may_have_payment(order)


def _counts(order: Order, line: OrderLine) -> bool:
    """Whether a line is part of what the page adds up."""
    if order.state == OrderState.OFFERED:
        return line.is_held
    return line.is_wanted


@dataclass(frozen=True)
class _Picked:
    choice: Choice
    quantity: int
    delta_minor: int


@dataclass(frozen=True)
class _Wanted:
    """One line as it is stored, with what was chosen and, once frozen, the changes of its price. Type and choices are
    kept rows."""

    row: OrderLine
    kind: TicketType
    picks: Sequence[_Picked]
    adjustments: Sequence[Adjustment]


def _read_lines(order: Order) -> list[_Wanted]:
    """The order's lines with all that is told of them. One query, two where prices were changed."""
    lines = reading.lines.all(order.pk)
    picks = {line.pk: reading.picks_of(line) for line in lines}
    rows = kept_rows.of(
        order.event_id,
        types={line.ticket_type_id for line in lines},
        choices={one.choice_id for picked in picks.values() for one in picked},
    )
    changes_of = {} if _is_unpriced(order) else reading.adjustments_of(lines)
    return [
        _Wanted(
            line,
            rows.types[line.ticket_type_id],
            [_Picked(rows.choices[one.choice_id], one.quantity, one.delta_minor) for one in picks[line.pk]],
            changes_of.get(line.pk, ()),
        )
        for line in lines
    ]


def _read_tickets(order: Order, lines: Sequence[_Wanted]) -> list[Ticket]:
    """The buyer's own tickets, line by line, each with its type and line: of a place that changed hands the last they
    had, and never the link of what is somebody else's. One query, and those of `told_times`."""
    by_line = {line.row.pk: line for line in lines}
    own: dict[int, Ticket] = {}
    for ticket in reading.tickets.all(order.pk):
        if ticket.line_id not in own or not by_line[ticket.line_id].row.is_given_away:
            own[ticket.line_id] = ticket
    tickets = list(own.values())
    times = told_times({ticket.pk: ticket.state for ticket in tickets})
    for ticket in tickets:
        ticket.line = by_line[ticket.line_id].row
        is_given = ticket.line.is_given_away and ticket.state == TicketState.SUPERSEDED
        told = next_steps.GIVEN_AWAY if is_given else next_steps.TICKETS[ticket.state]
        if ticket.pk in times:
            told = next_steps.being_bought(times[ticket.pk])
        ticket.told = told  # type: ignore[attr-defined]
        ticket.ticket_type = kept_rows.of(order.event_id, types=[ticket.ticket_type_id]).types[ticket.ticket_type_id]
    return tickets


def _tell_unheld(lines: Sequence[_Wanted], order: Order) -> list[Line]:
    """The lines an offer leaves out, each with what stood in its way. Two queries, none when all is held."""
    if not lines or order.state != OrderState.OFFERED:
        return [_tell_frozen(line, order.currency) for line in lines]
    facts = catalogue.load(order.event_id)
    left = catalogue.stock(order.event_id)

    def why_not(line: _Wanted) -> str:
        kind = facts.type(line.row.ticket_type_id)
        if kind is None or catalogue.left_of(kind, left) == 0:
            return gettext("none left")
        gone = [
            picked.choice.name
            for picked in line.picks
            if (choice := kind.choice(picked.choice.pk)) is None
            or any(left.get(quota_id, 0) < picked.quantity for quota_id in choice.quota_ids)
        ]
        if gone:
            return gettext("%(choice)s is sold out") % {"choice": ", ".join(gone)}
        return gettext("not enough left for all of them")

    # What its choices would cost is nothing to whoever cannot have them.
    return [
        replace(_tell_line(line, line.row.list_minor, [0] * len(line.picks), order.currency), why_not=why_not(line))
        for line in lines
    ]


def _name_of(line: _Wanted) -> str:
    """What is sold by it, in words."""
    if line.row.fulfilment == CHANGE:
        return gettext("Other choices: %(ticket)s") % {"ticket": line.kind.name}
    if line.row.fulfilment == DIFFERENCE:
        return gettext("The difference: %(ticket)s") % {"ticket": line.kind.name}
    return line.kind.name


def _tell_line(line: _Wanted, list_minor: int, deltas: Sequence[int], currency: str) -> Line:
    """A line with what is inside its list price; `deltas` are what one of each pick adds, in their order."""
    priced = sorted(
        zip(line.picks, deltas, strict=True),
        key=lambda one: (one[0].choice.variation.position, one[0].choice.position),
    )
    return Line(
        name=_name_of(line),
        chosen=joined([_tell_pick(picked, delta * picked.quantity, currency) for picked, delta in priced]),
        guest_name=line.row.guest_name,
        list_minor=list_minor,
        is_held=line.row.is_held,
        is_refunded=line.row.refunded_at is not None,
        number=line.row.position + 1,
    )


def _tell_frozen(line: _Wanted, currency: str) -> Line:
    """A line as it stands on its row."""
    return _tell_line(line, line.row.list_minor, [picked.delta_minor for picked in line.picks], currency)


def _tell_pick(picked: _Picked, minor: int, currency: str) -> str:
    """“2 × Snaps +60 kr”, or the name alone of what adds nothing; a Fallback stays one."""
    name = repeated(picked.choice.name, picked.quantity)
    if not minor:
        return name
    told = f"{name} {write_delta(minor, currency)}"
    return Fallback.of(told, name.language) if isinstance(name, Fallback) else told


def _is_unpriced(order: Order) -> bool:
    """Whether its page says what it would cost now. A ticket of somebody's is not to be had anew at another price."""
    return order.state in UNPRICED and not (order.is_resale and order.state == OrderState.EXPIRED)


def _tell_price(order: Order, lines: Sequence[_Wanted]) -> Breakdown:
    """Frozen prices as they stand on the rows; before they are frozen, what they would be now."""
    if _is_unpriced(order):
        return _quote(order, lines)
    return Breakdown(
        lines=tuple(_tell_frozen(line, order.currency) for line in lines),
        changes=_sum_changes((change.label, change.amount_minor) for line in lines for change in line.adjustments),
        vat=_tell_vat(part for line in lines for part in line.row.vat_parts),
        total_minor=sum(line.row.price_minor for line in lines),
        currency=order.currency,
        not_given=pricing.told_of(line.row for line in lines),
    )


def _quote(order: Order, lines: Sequence[_Wanted]) -> Breakdown:
    has_vat = not kept_rows.of(order.event_id).event.organisation.is_outside_vat
    wanted = [_context_line(line, has_vat) for line in lines]
    sold_again = with_tickets(wanted) if order.is_resale else {}
    quote = pricing.quote(context_of(order, [sold_again.get(line.key, line) for line in wanted]), explains=True)
    by_key = {priced.line.key: priced for priced in quote.lines}
    deltas = {key: {one.choice_id: one.delta_minor for one in priced.line.choices} for key, priced in by_key.items()}
    return Breakdown(
        lines=tuple(
            _tell_line(
                line,
                by_key[line.row.pk].list_minor,
                [deltas[line.row.pk].get(picked.choice.pk, 0) for picked in line.picks],
                order.currency,
            )
            for line in lines
        ),
        changes=_sum_changes(
            (pick(named.label_sv, named.label_en), named.amount_minor)
            for priced in quote.lines
            for named in priced.adjustments
        ),
        vat=_tell_vat(part for priced in quote.lines for part in priced.vat_parts),
        total_minor=quote.total_minor,
        currency=order.currency,
        whys=tuple(dict.fromkeys(why for priced in quote.lines for why in priced.whys if not why.gives)),
    )


def _context_line(line: _Wanted, has_vat: bool) -> ContextLine:
    return ContextLine(
        key=line.row.pk,
        ticket_type_id=line.kind.pk,
        price_minor=line.kind.price_minor,
        vat_percent=line.kind.vat_percent if has_vat else Decimal(0),
        vat_split=vat.split_of(line.kind.vat_split) if has_vat else (),
        choices=tuple(Chosen(picked.choice.pk, picked.quantity, picked.choice.delta_minor) for picked in line.picks),
        fulfilment=line.row.fulfilment,
        subject=line.row.subject,
    )


def _sum_changes(named: Iterable[tuple[str, int]]) -> tuple[Change, ...]:
    sums: dict[str, list[int]] = defaultdict(list)
    for label, amount in named:
        sums[label].append(amount)
    return tuple(Change(label, sum(amounts), len(amounts)) for label, amounts in sums.items())


def _tell_vat(parts: Iterable[vat.Part]) -> tuple[VatPart, ...]:
    return tuple(
        VatPart(rate, gross, inside) for rate, (gross, inside) in vat.per_rate(parts).items() if rate and gross
    )


def _read_place(order: Order, lines: Sequence[_Wanted]) -> Place:
    """How many are before this order, in one query; how the sale stands is at most a second old. Of the quotas that it
    draws on, the one of which it is the least likely to get what it wants."""
    now = standing.shown(order.event_id)
    ahead, wanted_ahead = queue.ahead_and_wanted(order)
    place = Place(ahead, now["decided"], now["rate"], now["held"], left=0, wanted_ahead=0, own=len(lines))
    places = [
        replace(
            place,
            left=now["quotas"].get(str(quota.public_id), 0),
            wanted_ahead=wanted_ahead.get(quota.pk, 0),
            own=own,
            held_places=now["held_quotas"].get(str(quota.public_id), 0),
            quota=str(quota.public_id),
        )
        for quota, own in _places_of(lines).items()
    ]
    return max(places, key=lambda one: one.odds, default=place)


def _places_of(lines: Sequence[_Wanted]) -> Counter[Quota]:
    """How many places of each quota these lines take: one by the type, and one for each piece that was chosen."""
    places: Counter[Quota] = Counter()
    for line in lines:
        places.update(line.kind.quotas.all())
        for picked in line.picks:
            places.update({quota: picked.quantity for quota in picked.choice.quotas.all()})
    return places
