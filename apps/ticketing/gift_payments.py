"""What a ticket costs more whom it is given to, where the organiser lets them pay that.

Somebody who bought at a member's price gives to somebody who is none: the recipient pays the difference by an order of
their own, in their own name, an ordinary order whose one line is of the fulfilment `difference`. It is held, paid,
expired, refunded and booked like any other, takes no place and counts against no limit. Giver and recipient have each
their own payment, and each gets back their own (docs/decisions/0023).

Who settles a payment holds its order, which is younger than the ticket's and comes after it. So paying does nothing to
the ticket: an effect does, once that is committed. It accepts the gift, or sends all of the money back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.events.wording import write_money
from apps.ticketing import (
    catalogue,
    changes,
    clock,
    fulfilment,
    gift_terms,
    giving,
    ordering,
    outbox,
    reasons,
    refunds,
    reservations,
    supplements,
    vat,
)
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.giving import CannotGive, MustPay, Over
from apps.ticketing.models import ChoiceChange, Effect, Gift, Order, OrderLine, Payment, Refund, Ticket
from apps.ticketing.models.orders import GIFT
from apps.ticketing.retries import once_more
from apps.ticketing.states import PAYMENT_LIVE, EffectState, GiftState, OrderState, PaymentState, TicketState
from apps.ticketing.transitions import StaleState

ACCEPT = "gift.accept"
NOTHING_TO_PAY = gettext_lazy("You have nothing to pay for this ticket any more, and nothing was charged. Accept it.")


# --- Beginning to pay ------------------------------------------------------------------------------------------------


@once_more
def begin(gift: Gift, *, agreed_minor: int, name: str = "", user: Any = None) -> Order:
    """Hold what the ticket costs its recipient more than was paid, as an order that waits for its payment.

    `agreed_minor` is the sum they saw. A second tab gets the same order. Raises Over, and CannotGive with a sentence:
    nothing was charged then. Locks as `giving.locked`. Next: payments.start, and `complete` once it is paid.
    """
    person = user if user is not None and user.is_authenticated else None
    with transaction.atomic():
        ticket, gift = giving.locked(gift)
        at, rule = clock.now(), giving.rule_of(ticket.event)
        waiting = newest_of(gift)
        if waiting is not None and waiting.is_open and gift.state == GiftState.PENDING:
            order = waiting.line.order
            if order.state == OrderState.PAID or order.total_minor == agreed_minor or _is_being_paid(order):
                return order
            ordering.cancel(order)  # begun at another sum than the one they see now
        if gift.state != GiftState.PENDING or gift.until <= at:
            raise Over(gift)
        if refusal := giving.why_not(ticket, rule, at, to=gift.to_email):
            raise CannotGive(giving.for_the_recipient(ticket, refusal))
        if changes.pending_of(ticket.line) is not None:
            raise CannotGive(giving.BEING_CHANGED)
        facts = catalogue.load(ticket.event_id, fresh=True)
        named = giving.read_name(ticket, gift, name)
        terms = gift_terms.terms_for(ticket, email=gift.to_email, person=person, facts=facts, rule=rule, at=at)
        if terms.refusal:
            raise CannotGive(terms.refusal)
        if not terms.pays_minor:
            raise CannotGive(NOTHING_TO_PAY)
        if terms.pays_minor != agreed_minor:
            words = {"sum": write_money(terms.pays_minor, ticket.line.order.currency)}
            raise CannotGive(
                _("The difference has changed while you read: it is %(sum)s now. Nothing was charged. Pay that if you"
                  " still want the ticket.") % words
            )  # fmt: skip
        return _hold(ticket, gift, terms.pays_minor, named, person, at)


def _hold(ticket: Ticket, gift: Gift, price_minor: int, name: str, person: Any, at: datetime) -> Order:
    """The supplementary order, held as long as any. The difference is taxed as the ticket is, part by part."""
    parts = vat.reduced(ticket.line.vat_parts, price_minor)
    line = supplements.place(
        ticket.line,
        channel=GIFT,
        at=at,
        who={"user": person, "email": gift.to_email, "name": name},
        fulfilment=fulfilment.DIFFERENCE,
        list_minor=price_minor,
        price_minor=price_minor,
        vat_minor=sum(part.vat_minor for part in parts),
        vat_split=vat.frozen(parts),
    )
    ChoiceChange.objects.create(line=line, of_line=ticket.line, gift=gift)
    reservations.hold_change(line, {})
    return supplements.hold(line.order, at, actor=person)


def _is_being_paid(order: Order) -> bool:
    return Payment.objects.filter(order=order, state__in=PAYMENT_LIVE).exists()


class Difference:
    """The Fulfilment of what a recipient pays more: the ticket is theirs a moment after."""

    slug = fulfilment.DIFFERENCE
    takes_stock = False  # the place is taken by the ticket's own line
    once_taken = reasons.NOT_ON_SALE

    def refusals(self, lines: Sequence[OrderLine]) -> Mapping[int, str]:
        return {line.pk: reasons.NOT_ON_SALE for line in lines}  # none comes by the queue

    def reserve(self, lines: Sequence[OrderLine]) -> None:
        """None comes by the queue."""

    def fulfil(self, lines: Sequence[OrderLine]) -> Sequence[Ticket]:
        for line in lines:
            outbox.add(ACCEPT, key=key_of(line), payload={"line": line.pk}, order=line.order)
        return []

    def release(self, lines: Sequence[OrderLine]) -> None:
        """Nothing is held besides the line itself. Where the ticket was had for it and stays, the door asks for a
        proof, as if nothing had been paid."""
        for line in lines:
            changes.ask_for_proof(line)


def key_of(line: OrderLine) -> str:
    """Under which the effect stands that accepts the gift this line paid for."""
    return f"{ACCEPT}:{line.public_id}"


# --- Once it is paid -------------------------------------------------------------------------------------------------


@outbox.handler(ACCEPT)
def _accept(effect: Effect) -> None:
    complete(OrderLine.objects.select_related("order__user").get(pk=effect.payload["line"]))


def complete(line: OrderLine) -> None:
    """Let the recipient have the ticket for which this line has paid, or send all of it back. Safe to repeat: a gift is
    accepted by one line, and a line that is made or undone is left alone."""
    crashpoint("gift.paid")
    change = ChoiceChange.objects.select_related("gift__ticket").get(line=line)
    if change.gift is None or change.made_at is not None or change.undone_at is not None:
        return
    try:
        giving.accept(change.gift, name=line.order.name, user=line.order.user, paid=line)
    except (Over, StaleState):
        _send_back(line, reasons.GIFT_NOT_HAD)
    except MustPay:
        _send_back(line, reasons.GIFT_COSTS_MORE)
    except CannotGive:
        ticket = Ticket.objects.select_related("event").get(pk=change.gift.ticket_id)
        if ticket.event.cancelled_at is not None:
            _send_back(line, reasons.EVENT_CANCELLED)
        else:
            is_gone = ticket.state != TicketState.VALID
            _send_back(line, reasons.GIFT_NOT_HAD if is_gone else reasons.GIFT_REFUSED_TO_PAYER)


def go_on(supplement: Supplement) -> None:
    """Carry out now what a paid supplement is waiting for, because its recipient is: at once the first time, and then
    when its turn has come, so that no page that is loaded again and again uses up its tries. Outside any
    transaction."""
    key = key_of(supplement.line)
    outbox.run_called(key, early=Effect.objects.filter(key=key, tries=0).exists())


def sweep() -> int:
    """Send back what was paid for gifts that could not be accepted after all tries; how many. Safe to repeat."""
    given_up = Effect.objects.filter(kind=ACCEPT, state=EffectState.DEAD).values_list("payload__line", flat=True)
    waiting = ChoiceChange.objects.filter(line__in=list(given_up), made_at=None, undone_at=None)
    lines = [change.line for change in waiting.select_related("line__order").order_by("pk")]
    for line in lines:
        _send_back(line, reasons.GIFT_REFUSED_TO_PAYER)
    return len(lines)


@once_more
def _send_back(line: OrderLine, reason: str) -> None:
    """Undo what was paid for a gift that is not to be had, and give all of it back. Locks its order."""
    with transaction.atomic():
        order = Order.objects.select_for_update(no_key=True).get(pk=line.order_id)
        open_ = ChoiceChange.objects.filter(line=line, made_at=None, undone_at=None)
        if open_.update(undone_at=clock.now()):
            line.order = order
            refunds.order_all([line], reason=reason)


@outbox.handler(giving.LET_GO)
def _let_go(effect: Effect) -> None:
    """The offer has ended: what its recipient was about to pay is wanted no more. Money that still comes goes back."""
    ordering.cancel(Order.objects.get(pk=effect.payload["order"]), reason=reasons.GIFT_OVER)


# --- Reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Supplement:
    """What was held, and perhaps paid, for a gift: the newest time that its recipient began to."""

    change: ChoiceChange

    @property
    def line(self) -> OrderLine:
        return self.change.line

    @property
    def is_open(self) -> bool:
        """Whether it waits for its payment, or for the ticket."""
        states = (OrderState.RESERVED, OrderState.PAID)
        return self.line.order.state in states and self.change.made_at is None and self.change.undone_at is None

    @property
    def is_paid(self) -> bool:
        """Whether the money is here and the ticket is about to be theirs."""
        return self.is_open and self.line.order.state == OrderState.PAID

    @property
    def came_to_nothing(self) -> bool:
        """Whether it was paid, in time or late, and the ticket was not had for it. One query at most."""
        if self.change.made_at is not None or self.is_open:
            return False
        return self.change.undone_at is not None or self._captured.exists()

    @property
    def _captured(self) -> QuerySet[Payment]:
        return Payment.objects.filter(order=self.line.order_id, state=PaymentState.CAPTURED)

    @property
    def is_over(self) -> bool:
        """Whether it was not paid in time, or given up."""
        return self.line.order.state in (OrderState.EXPIRED, OrderState.CANCELLED)

    @property
    def why(self) -> str:
        """Why what was paid for it goes back, as a sentence; empty while nothing does. One query."""
        back = Refund.objects.filter(payment__order=self.line.order_id).order_by("-pk").first()
        return reasons.sentence(back.reason) if back else ""


def newest_of(gift: Gift) -> Supplement | None:
    """The newest supplement of a gift, whatever became of it. One query."""
    rows = ChoiceChange.objects.filter(gift=gift).select_related("line__order").order_by("-pk")
    change = rows.first()
    return Supplement(change) if change else None


def gift_of(order: Order) -> Gift | None:
    """The gift that the supplementary order `order` is about; None for any other order, and for one whose address was
    corrected since: then its link is not the recipient's any more."""
    if not order.is_for_gift:
        return None
    gift = Gift.objects.filter(differences__line__order=order).select_related("ticket").first()
    return gift if gift is not None and gift.to_email.lower() == order.email.lower() else None
