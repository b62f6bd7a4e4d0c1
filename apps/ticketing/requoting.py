"""A price that is found to be lower after it was frozen: a registry that was silent answers, a list is uploaded.

What comes later only helps the buyer. Before the payment the lower price replaces the frozen one; after it the
difference goes back as a refund, and the books are as if it had been the price. A price that would be higher changes
nothing. Any price rule may be the cause: whoever learns something that a price depends on calls `requote`, and says
what, in words of its own. Nothing else becomes cheaper by it: what organisers change after a sale is not for that sale.

A price may also rest on what nobody knows (`NamedAdjustment.is_provisional`), or on what is true no more: the ticket is
then marked, and the door asks for a proof.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from enum import StrEnum

from django.db import transaction
from django.db.models import Q

from apps.accounts.request_ids import current_request_id
from apps.ticketing import changes, clock, ledger, pricing, refunds, reservations, vat
from apps.ticketing.context import Anew, Chosen, ContextLine
from apps.ticketing.extensions import RestsOn, RightIsGone, price_rules
from apps.ticketing.fulfilment import Issue
from apps.ticketing.models import Adjustment, AuditEntry, Order, OrderLine, Payment, Ticket
from apps.ticketing.models.orders import RESALE
from apps.ticketing.refunds import PRICE_LOWERED
from apps.ticketing.retries import once_more
from apps.ticketing.states import ORDER_HOLDS, PAYMENT_LIVE, OrderState, TicketState
from apps.ticketing.tickets import mark_for_the_door

ALIVE = (TicketState.VALID, TicketState.HELD, TicketState.USED)


class Outcome(StrEnum):
    """What became of a price that was looked at again."""

    KEPT = "kept"
    LOWERED = "lowered"  # before it was paid
    REPAID = "repaid"  # after it
    IN_DOUBT = "in_doubt"  # it would be higher now, so that the door is to look
    LATER = "later"  # it is being paid or disputed at this moment: ask again


class _NotLower(Exception):
    """The price would not be lower: what was let go of to find out is claimed still."""

    def __init__(self, quote: pricing.Quote) -> None:
        self.quote = quote


@once_more
def requote(order_id: int, *, learned: Collection[str] | None = None, lost: Collection[str] = ()) -> Outcome:
    """Price an order anew by all that is known now, and let a lower price hold: as of the moment it was queued at, by
    what its organiser's rules were when its price was frozen.

    `learned`: what was found out since, in words that price rules understand; None: whatever it was. `lost`: what was
    true of the buyer and is no more (a *yes* became *no*): tickets that are cheaper for it are marked for the door.
    Choices and list prices stay as frozen; refunded, resold, revoked and given tickets are left alone, and so are those
    whose choices were changed for money and everything once the event is over or cancelled. Locks the order, its
    tickets, counters of rules. Safe to repeat. Next: the outbox sends what is repaid.
    """
    with transaction.atomic():
        found = Order.objects.select_for_update(of=("self",), no_key=True).select_related("event")
        order = found.filter(pk=order_id, state__in=ORDER_HOLDS).first()
        if order is None or order.event.cancelled_at is not None or order.event.ends_at <= clock.now():
            return Outcome.KEPT
        if order.channel == RESALE:
            return _settle_resold(order, lost)
        if Payment.objects.filter(order=order, state__in=PAYMENT_LIVE).exists() or refunds.is_disputed(order):
            return Outcome.LATER
        tickets = list(Ticket.objects.select_for_update().filter(line__order=order, state__in=ALIVE).order_by("pk"))
        if changes.is_paid_for_by_recipient(Q(order=order)):
            return Outcome.LATER
        lines = _lines_of(order, tickets)
        if not lines:
            return Outcome.KEPT
        was = {line.pk: line.price_minor for line in lines}
        booked = ledger.sale_of(order, lines) if order.state == OrderState.PAID else []
        try:
            with transaction.atomic():
                quote = _let_lower_price_hold(order, lines, learned)
        except _NotLower as same:
            return _settle_doubts(order, lines, tickets, same.quote, lost)
        except RightIsGone:
            return Outcome.KEPT
        saved_minor = sum(was.values()) - quote.total_minor
        _note(order)
        if order.state != OrderState.PAID:
            Order.objects.filter(pk=order.pk).update(total_minor=order.total_minor - saved_minor)
            return Outcome.LOWERED
        lines = _lines_of(order, tickets)
        refunds.give_difference_back(order, lines, booked, saved_minor)
        mark_for_the_door([ticket.pk for ticket in tickets])
        return Outcome.REPAID


def _lines_of(order: Order, tickets: Sequence[Ticket]) -> list[OrderLine]:
    """The new tickets' lines that still cost something: held, and once paid those whose ticket is alive. What another
    fulfilment sells, such as a resale, has a price of its own making, and so has a ticket whose choices were changed
    for money. What was given away is another's, or is about to be while they pay what it costs them more: a right of
    its buyer lowers nothing of it."""
    lines = OrderLine.objects.filter(order=order, fulfilment=Issue.slug, is_held=True, refunded_at__isnull=True)
    lines = lines.filter(owner_key="").exclude(pk__in=changes.changed_for_money())
    lines = lines.exclude(pk__in=changes.paid_for_by_recipients())
    if order.state == OrderState.PAID:
        lines = lines.filter(pk__in=[ticket.line_id for ticket in tickets])
    return list(lines.prefetch_related("adjustments", "choices").order_by("position"))


def _let_lower_price_hold(order: Order, lines: Sequence[OrderLine], learned: Collection[str] | None) -> pricing.Quote:
    """Freeze the lower price. Raises _NotLower, or RightIsGone when others took what was left of it: nothing has
    changed then. Rules give back first what these lines claimed, so that nobody's own right of a limited number keeps
    them from it."""
    reservations.let_go_of_claims([line.pk for line in lines])
    placed = reservations.context_of(order, [_context_line(line) for line in lines])
    anew = Anew(order.decided_at or order.queued_at, None if learned is None else frozenset(learned))
    (quote,) = pricing.quote_to_freeze([replace(placed, anew=anew)], order.queued_at)
    given_back = {line.pk: line.given_back_minor for line in lines}
    if quote.total_minor >= sum(line.price_minor for line in lines) or any(
        priced.price_minor < given_back[priced.line.key] for priced in quote.lines
    ):
        raise _NotLower(quote)
    reservations.reprice(quote.lines)
    return quote


def _context_line(line: OrderLine) -> ContextLine:
    """The line as it was frozen: its list price and VAT of then, whatever the type costs now."""
    chosen = tuple(Chosen(row.choice_id, row.quantity, row.delta_minor) for row in line.choices.all())
    of_choices = sum(one.delta_minor * one.quantity for one in chosen)
    rates = vat.thawed(line.vat_split) if line.vat_split else ()
    return ContextLine(
        key=line.pk,
        ticket_type_id=line.ticket_type_id,
        price_minor=line.list_minor - of_choices,
        vat_percent=line.vat_percent,
        vat_split=tuple((part.rate, part.list_minor) for part in rates[1:]),
        choices=chosen,
        fulfilment=line.fulfilment,
        subject=line.subject,
    )


def _settle_resold(order: Order, lost: Collection[str]) -> Outcome:
    """The price of a ticket that is sold again stays what its seller, its buyer and the house agreed to. What it rests
    on is settled as for any other: each line is asked about as the ticket that it sells, or sold, with its rules."""
    tickets = list(
        Ticket.objects.select_for_update(of=("self",))
        .filter(line__order=order, state__in=ALIVE)
        .select_related("line")
        .prefetch_related("line__adjustments", "line__choices")
        .order_by("pk")
    )
    rows = OrderLine.objects.filter(order=order, is_held=True, refunded_at__isnull=True)
    lines = list(rows.prefetch_related("adjustments", "choices").order_by("position"))
    asked = reservations.with_tickets([_context_line(line) for line in lines])
    asked |= {ticket.line_id: replace(reservations.as_sold(ticket), key=ticket.line_id) for ticket in tickets}
    lines = [line for line in lines if line.pk in asked]
    if not lines:
        return Outcome.KEPT
    quote = pricing.quote(reservations.context_of(order, [asked[line.pk] for line in lines]))
    return _settle_doubts(order, lines, tickets, quote, lost)


def _settle_doubts(
    order: Order, lines: Sequence[OrderLine], tickets: Sequence[Ticket], quote: pricing.Quote, lost: Collection[str]
) -> Outcome:
    """The price stays. What it rests on is certain by now, or in doubt: so say the adjustments, and the tickets. Why it
    is not lower is told as it is known now, where it would be made of the same today."""
    priced = {line.line.key: line for line in quote.lines}
    certain: list[int] = []
    gone: list[Adjustment] = []
    for line in lines:
        now = priced[line.pk]
        rows = list(line.adjustments.all())
        stand = {(named.source, named.label_sv, named.amount_minor) for named in now.adjustments}
        if stand == {(row.source, row.label_sv, row.amount_minor) for row in rows}:
            _tell_anew(line, now)
        if now.price_minor > line.price_minor:
            gone += [row for row in rows if (row.source, row.label_sv, row.amount_minor) not in stand]
        elif not any(named.is_provisional for named in now.adjustments):
            certain += [row.pk for row in rows if row.is_provisional]
    doubtful = _resting_on(order, gone, lost)
    Adjustment.objects.filter(pk__in=certain).update(is_provisional=False)
    Adjustment.objects.filter(pk__in=doubtful).update(is_provisional=True)
    mark_for_the_door([ticket.pk for ticket in tickets])
    return Outcome.IN_DOUBT if doubtful else Outcome.KEPT


def _resting_on(order: Order, rows: Sequence[Adjustment], lost: Collection[str]) -> list[int]:
    """Those adjustments that were given for what is lost; what went for another reason is nobody's doubt."""
    if not rows or not lost:
        return []
    found: list[int] = []
    for rule in price_rules:
        own = [row for row in rows if row.source == rule.slug]
        if own and isinstance(rule, RestsOn):
            found += [row.pk for row in rule.rests_on(order.event_id, own, lost)]
    return found


def _tell_anew(line: OrderLine, now: pricing.QuoteLine) -> None:
    told = {language: list(texts) for language, texts in now.not_given.items()} if now.not_given else None
    if told != line.not_given:
        OrderLine.objects.filter(pk=line.pk).update(not_given=told)


def _note(order: Order) -> None:
    AuditEntry.objects.create(
        model=Order._meta.label_lower,
        row_id=order.pk,
        old=order.state,
        new=order.state,
        reason=PRICE_LOWERED,
        request_id=current_request_id(),
        at=clock.now(),
    )
