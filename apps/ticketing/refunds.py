"""Sending money back: ordered here, carried out by the outbox, and a debt in the books until the provider has done it.

A refund reads frozen rows, never price rules. Ordering one ends the tickets and puts their places back on sale in the
same transaction; a refund that fails changes none of that: the debt stays visible (`refund_tasks`) until somebody sends
it again or pays it otherwise. All verbs lock the order first, so that any number at once never give back more than was
captured.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.prepared import Insert, Statement
from apps.accounts.request_ids import current_request_id
from apps.ticketing import (
    clock,
    guest_tickets,
    ledger,
    mails,
    outbox,
    reading,
    reasons,
    refund_rule,
    reservations,
    tickets,
)
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.extensions import (
    AccountRefused,
    Notice,
    NotLetIn,
    ProviderRefused,
    UnknownOutcome,
    payment_providers,
)
from apps.ticketing.models import (
    AuditEntry,
    Dispute,
    Effect,
    Order,
    OrderLine,
    Payment,
    PayoutAccount,
    Refund,
    Ticket,
)
from apps.ticketing.retries import once_more
from apps.ticketing.states import REFUND, DisputeState, OrderState, RefundState
from apps.ticketing.transitions import StaleState, move, move_many

log = logging.getLogger(__name__)

SEND, LATER = "refund.send", "refund.later"
# How often a provider that can tell is asked what became of money that is on its way back.
ON_ITS_WAY_SECONDS = 600
# How long a refund waits for the payer's bank to decide: a dispute takes up to 120 days from its opening.
DISPUTED_DAYS = 200
BY_BUYER = reasons.register(
    "refunded_by_buyer", _("You gave the tickets back; what comes back of their price is on its way back to you.")
)
BY_ORGANISER = reasons.register(
    "refunded_by_organiser",
    _("The organiser refunded the tickets; what comes back of their price is on its way back to you."),
)
COVERED = reasons.register(
    "covered_by_dispute",
    _("The money was sent back by the payer's bank in a dispute, which settles this refund. Nothing more is owed."),
)
GOODWILL = reasons.register(
    "goodwill", _("A part of the price is on its way back to you, as goodwill of the organiser.")
)

PRICE_LOWERED = reasons.register(
    "price_lowered",
    _("A lower price is yours after all, such as a member's: the difference is on its way back to you."),
)


NOT_LET_IN = reasons.register(
    "not_let_in",
    _(
        "The payment provider does not let us on the seller's account: as far as we know, no money was sent back."
        " It is still owed."
    ),
)


class NothingToRefund(Exception):
    """None of the lines is paid and not yet refunded; nothing was changed."""


class Disputed(NothingToRefund):
    """The payer disputes the payment, so that the money is with their bank; nothing was changed. Who gets it is decided
    there: `disputes`. `sentence` says so."""

    sentence = _("The payment is disputed, so the payer's bank decides who gets the money. No money has moved.")


class FeeTooHigh(Exception):
    """The fee is more than what is refunded; nothing was changed."""


class MoreThanLeft(Exception):
    """More than what is left of a ticket's price, or nothing at all, was to be given back; nothing was changed."""

    def __init__(self, left_minor: int) -> None:
        super().__init__(f"{left_minor} is left")
        self.left_minor = left_minor


class MoreThanCaptured(Exception):
    """A payment would have given back more than it brought in: a mistake of ours, and the last guard against it."""


class OfferChanged(Exception):
    """What the buyer agreed to is not what they would get now; nothing was changed. `changes` says how, in words."""

    def __init__(self, changes: Sequence[str]) -> None:
        super().__init__("; ".join(changes))
        self.changes = tuple(changes)


class _NotLookedFor(UnknownOutcome):
    """What an earlier try came to cannot be seen, because the provider does not show it to us."""


class NoDebt(Exception):
    """This refund is no debt any more, or never was one: somebody sent it again, or paid it otherwise, or the payer's
    bank did."""


@once_more
def order_refund(
    order: Order,
    lines: Sequence[OrderLine],
    *,
    reason: str,
    actor: Any = None,
    fee_minor: int = 0,
    note: str = "",
) -> Refund | None:
    """Give the money for these lines back, less `fee_minor`; None when that is nothing and no money has to move.

    Their tickets are revoked, their places go back on sale and the debt is booked; the last line makes the order
    refunded. What was paid for other choices of these tickets (`changes`) goes back with them, by refunds of their own
    and without a fee. Lines refunded before are left out. `note` is why, in the words of whoever refunds; the buyer
    does not see it. Raises NothingToRefund, FeeTooHigh, Disputed, and StaleState when the order is not paid. Locks
    orders, tickets, quotas. Next: the outbox sends it, `settle` records the provider's answer.
    """
    with transaction.atomic():
        order = _locked(order)
        if order.state != OrderState.PAID:
            raise StaleState(order, OrderState.REFUNDED)
        _not_disputed(order)
        supplements = changes_of(lines)
        live = list(
            OrderLine.objects.filter(
                order=order, pk__in=[line.pk for line in lines], is_held=True, refunded_at__isnull=True
            )
            .prefetch_related("adjustments")
            .order_by("position")
        )
        if not live:
            raise NothingToRefund(order.reference)
        kept = sum(line.kept_minor for line in live)
        if not 0 <= fee_minor <= kept:
            raise FeeTooHigh(f"{fee_minor} of {kept}")
        ids = [line.pk for line in live]
        tickets.revoke(Ticket.objects.filter(line__in=ids).values_list("pk", flat=True), reason=reason, actor=actor)
        if any(line.is_given_away for line in live):
            mails.gift_letters.tickets_ended(order, ids)
        OrderLine.objects.filter(pk__in=ids).update(refunded_at=clock.now())
        reservations.give_back(live)
        refund = None
        fact = str(uuid.uuid5(order.public_id, ",".join(map(str, ids))))
        if kept > fee_minor:
            refund = _order(
                order, _paid_by(order), kept - fee_minor, reason, actor=actor, fee_minor=fee_minor, note=note
            )
            refund.lines.set(live)
            fact = str(refund.public_id)
        ledger.refund_ordered(order, live, fact=fact, fee_minor=fee_minor)
        if not OrderLine.objects.filter(order=order, is_held=True).exists():
            move_many(Order, [order.pk], OrderState.PAID, OrderState.REFUNDED, reason, actor=actor)
        if refund is not None:
            mails.refund_ordered(order, refund)
        elif reason != reasons.EVENT_CANCELLED and not order.is_supplement:  # of that, everybody gets a mail of its own
            mails.tickets_ended(order, ids, fact=fact, fee_minor=fee_minor)
        order_all(supplements, reason=reason, actor=actor, note=note)
    return refund


def order_all(lines: Iterable[OrderLine], *, reason: str, actor: Any = None, note: str = "") -> None:
    """Refund each of these lines, of orders that the caller has locked, without a fee. One whose payment is disputed
    goes back once the bank has decided; one refunded before is left out. Inside a transaction."""
    for line in lines:
        try:
            order_refund(line.order, [line], reason=reason, actor=actor, note=note)
        except Disputed:
            order_later(line, reason=reason)
        except (NothingToRefund, StaleState):
            continue


def order_later(line: OrderLine, *, reason: str) -> None:
    """Have the outbox refund a paid line, as `order_refund` does, once no dispute of its payment is open any more."""
    payload = {"line": line.pk, "reason": reason}
    outbox.add(LATER, key=f"{LATER}:{line.public_id}", payload=payload, order=line.order)


def changes_of(lines: Sequence[OrderLine]) -> list[OrderLine]:
    """The lines by which more was paid for these tickets: for other choices, and by those they were given to. Locks as
    `lock_changes`."""
    ids = [line.pk for line in lines]
    paid = lock_changes(ids)
    if not paid:
        return []
    found = OrderLine.objects.filter(choice_change__of_line__in=ids, is_held=True, order__in=paid)
    return list(found.select_related("order", "choice_change").order_by("order_id"))


def differences_of(line: OrderLine) -> list[OrderLine]:
    """The lines by which those paid more whom this ticket was given to. Locks as `lock_changes`."""
    return [paid for paid in changes_of([line]) if paid.choice_change.gift_id is not None]


_LOCKED_CHANGES = Statement(
    "order_changes_locked",
    ("bigint[]",),
    """
SELECT id, state FROM ticketing_order WHERE id IN (
    SELECT line.order_id FROM ticketing_orderline line JOIN ticketing_choicechange change ON change.line_id = line.id
    WHERE change.of_line_id = ANY($1) AND line.is_held
) ORDER BY id FOR NO KEY UPDATE
""",
)


def lock_changes(line_ids: Iterable[int]) -> list[int]:
    """Lock the orders by which more was paid for these tickets (`changes_of`), by id, and return the ids of those that
    are paid.

    They come after the tickets' own orders, which are older and the caller's already, and before the tickets. Also
    those that are being paid: who settles one waits for us, and then finds its ticket as we left it.
    """
    return [pk for pk, state in _LOCKED_CHANGES.run(list(line_ids)) if state == OrderState.PAID]


@once_more
def by_buyer(order: Order, agreed: refund_rule.Agreed, *, actor: Any = None) -> Refund | None:
    """Refund what its buyer agreed to, by the event's rule. `actor` is who is signed in, if anybody.

    Raises OfferChanged when they would not get exactly that now (used at the door, too late, another fee), and
    StaleState when the order is not paid, or its event is cancelled: then all of it goes back by itself, without a fee.
    Locks the order, those of paid changes, tickets, quotas. Next: as for `order_refund`.
    """
    with transaction.atomic():
        order = _locked(order)
        if order.state != OrderState.PAID or order.event.cancelled_at is not None:
            raise StaleState(order, OrderState.REFUNDED)
        lock_changes(order.lines.values_list("pk", flat=True))
        now = refund_rule.offer(order, clock.now(), locks=True)
        changes = refund_rule.changes(now, agreed)
        if changes:
            raise OfferChanged(changes)
        parts = now.chosen(agreed.lines)
        if guest_tickets.are_left_alone(order.event_id, order.buyer_key, [part.line for part in parts]):
            raise OfferChanged(
                [gettext("Your guest tickets need this ticket. Give them back with it; nothing was given back.")]
            )
        fee_minor = sum(part.fee_minor for part in parts)
        return order_refund(order, [part.line for part in parts], reason=BY_BUYER, actor=actor, fee_minor=fee_minor)


@once_more
def give_back(
    order: Order, line: OrderLine, amount_minor: int, *, note: str, actor: Any = None, reason: str = GOODWILL
) -> Refund:
    """Give a part of what a ticket cost back, as goodwill or for another `reason`; the ticket stays valid and its place
    taken.

    At most what is left of its price, in minor units. Raises MoreThanLeft, NothingToRefund when the line is not paid or
    is refunded, Disputed, and StaleState when the order is not paid. Locks the order. Next: as for `order_refund`.
    """
    with transaction.atomic():
        order = _locked(order)
        if order.state != OrderState.PAID:
            raise StaleState(order, OrderState.REFUNDED)
        _not_disputed(order)
        lines = OrderLine.objects.filter(order=order, pk=line.pk, is_held=True, refunded_at__isnull=True)
        live = lines.first()
        if live is None:
            raise NothingToRefund(order.reference)
        if not 0 < amount_minor <= live.kept_minor:
            raise MoreThanLeft(live.kept_minor)
        before_minor = live.given_back_minor
        lines.update(given_back_minor=F("given_back_minor") + amount_minor)
        live.given_back_minor = before_minor + amount_minor
        refund = _order(order, _paid_by(order), amount_minor, reason, actor=actor, is_partial=True, note=note)
        refund.lines.add(live)
        ledger.given_back(order, live, before_minor=before_minor, fact=str(refund.public_id))
        mails.refund_ordered(order, refund)
    return refund


def repay_seller(order: Order, line: OrderLine, *, owed_minor: int, fee_minor: int, fact: str) -> Refund | None:
    """Owe the seller of a ticket what they agreed to, less the fee, once it has a new owner; None when that is nothing.

    `fact` is the public id of the sale: owed once, however often this is called for it. The line's place is the new
    owner's already (reservations.hand_over). Inside the transaction that sells it, with the order locked. The last line
    makes the order refunded. Next: as for `order_refund`.
    """
    if not ledger.resold(order, line, fact=fact, owed_minor=owed_minor, fee_minor=fee_minor):
        return None
    refund = None
    if owed_minor:
        refund = _order(order, _paid_by(order), owed_minor, reasons.RESOLD, fee_minor=fee_minor)
        refund.lines.add(line)
    if not any(left.is_held for left in reading.lines.all(order.pk)):
        move_many(Order, [order.pk], OrderState.PAID, OrderState.REFUNDED, reasons.RESOLD)
    return refund


def give_difference_back(order: Order, lines: Sequence[OrderLine], before: Sequence[ledger.Side], minor: int) -> Refund:
    """Send back what paid lines cost less by now than when they were paid; the tickets stay valid. Inside the
    transaction that has locked the order and frozen the lower prices; `before` is what the books held of the lines.
    Next: as for `order_refund`."""
    refund = _order(order, _paid_by(order), minor, PRICE_LOWERED, is_partial=True)
    refund.lines.set(lines)
    ledger.priced_anew(order, before, lines, owed_minor=minor, fact=str(refund.public_id))
    mails.refund_ordered(order, refund)
    return refund


def is_disputed(order: Order) -> bool:
    """Whether the payment that bought the order's tickets is disputed: then its money is with the payer's bank."""
    return Dispute.objects.filter(payment__order=order, payment__reason="", state=DisputeState.OPENED).exists()


def send_back(order: Order, payment: Payment, *, reason: str) -> Refund:
    """Refund a capture that bought nothing, all of it. Inside the transaction that settles it, with the order locked.

    The debt is in the books already: ledger.surplus.
    """
    refund = _order(order, payment, payment.amount_minor, reason)
    mails.refund_ordered(order, refund)
    return refund


@once_more
def send_again(refund: Refund, *, actor: Any = None) -> Refund:
    """Send a failed refund once more, as a new Refund of what is owed of it; the debt in the books is the old one.

    Raises NoDebt when somebody was faster, Disputed while its payment is. Locks the order, then the refund. Next: as
    for `order_refund`.
    """
    with transaction.atomic():
        order, failed = locked_debt(refund)
        if failed.payment.disputes.filter(state=DisputeState.OPENED).exists():
            raise Disputed(order.reference)
        again = _order(
            order,
            failed.payment,
            failed.owed_minor,
            failed.reason,
            actor=actor,
            fee_minor=failed.fee_minor,
            is_partial=failed.is_partial,
            note=failed.note,
            retry_of=failed,
        )
        again.lines.set(failed.lines.all())
        PayoutAccount.objects.filter(refund=failed).update(refund=again)  # asked once, however often it is sent
        mails.refund_ordered(order, again)
    return again


@once_more
def pay_otherwise(refund: Refund, *, note: str, actor: Any = None) -> None:
    """Record that a failed refund was paid in another way, which `note` tells. The debt is gone from the books.

    Raises NoDebt when somebody was faster. Locks the order, then the refund.
    """
    with transaction.atomic():
        order, failed = locked_debt(refund)
        Refund.objects.filter(pk=failed.pk).update(paid_otherwise_at=clock.now(), paid_otherwise_note=note)
        PayoutAccount.objects.filter(refund=failed).delete()
        ledger.paid_otherwise(order, failed)
        _note(failed, old=failed.state, new=failed.state, reason=note, actor=actor)


def _locked(order: Order) -> Order:
    """The order as it is now, nobody else's until the transaction ends. Every verb here begins with it."""
    return Order.objects.select_for_update(no_key=True).get(pk=order.pk)


def _not_disputed(order: Order) -> None:
    """Raise Disputed while the payment that bought the tickets is; one that was sent back concerns none of them."""
    if is_disputed(order):
        raise Disputed(order.reference)


def locked_debt(refund: Refund) -> tuple[Order, Refund]:
    """The order and its failed refund, locked in that order. Raises NoDebt when it is owed no more. Inside a
    transaction."""
    order = _locked(refund.payment.order)
    found = Refund.objects.select_for_update(of=("self",)).select_related("payment").get(pk=refund.pk)
    is_settled = (
        not found.owed_minor or found.paid_otherwise_at is not None or Refund.objects.filter(retry_of=found).exists()
    )
    if found.state != RefundState.FAILED or is_settled:
        raise NoDebt(str(found.public_id))
    return order, found


def debts() -> QuerySet[Refund]:
    """The refunds that failed and are still owed, or a part of them."""
    return Refund.objects.filter(
        state=RefundState.FAILED,
        retry__isnull=True,
        paid_otherwise_at__isnull=True,
        covered_minor__lt=F("amount_minor"),
    )


def cover(order: Order, payment: Payment) -> None:
    """Count what the payer's bank took in lost disputes as paid to them, as far as refunds of this payment failed.

    Nobody is owed what their bank has sent them. Inside a transaction, with the order locked. Safe to repeat.
    """
    left = ledger.lost_minor(payment)
    for refund in debts().filter(payment=payment).order_by("pk"):
        minor = min(left, refund.owed_minor)
        if minor <= 0:
            return
        left -= minor
        refund.covered_minor += minor
        refund.save(update_fields=["covered_minor"])
        ledger.covered(order, refund, minor)
        _note(refund, old=refund.state, new=refund.state, reason=COVERED, actor=None)


def _paid_by(order: Order) -> Payment:
    """The payment that bought the order's tickets."""
    return reading.bought_by.get(order.pk)


def _order(
    order: Order, payment: Payment, amount_minor: int, reason: str, *, actor: Any = None, **facts: Any
) -> Refund:
    ordered = _ordered(payment, without=facts.get("retry_of"))
    if ordered + amount_minor > payment.amount_minor:
        raise MoreThanCaptured(f"{payment.public_id}: {ordered} + {amount_minor} of {payment.amount_minor}")
    refund = Refund(
        payment=payment,
        amount_minor=amount_minor,
        currency=payment.currency,
        reason=reason,
        created_at=clock.now(),
        **facts,
    )
    _ORDERED.run(refund)
    _note(refund, old="", new=refund.state, reason=refund.note or reason, actor=actor)
    outbox.add(SEND, key=f"{SEND}:{refund.public_id}", payload={"refund": refund.pk}, order=order)
    return refund


_ORDERED = Insert("refund_ordered", Refund)
_STANDING = Statement(
    "refunds_standing",
    ("bigint", "bigint"),
    """
SELECT coalesce(sum(r.amount_minor), 0) FROM ticketing_refund r WHERE r.payment_id = $1 AND r.id IS DISTINCT FROM $2
    AND NOT EXISTS (SELECT FROM ticketing_refund retry WHERE retry.retry_of_id = r.id)
""",
)


def _ordered(payment: Payment, *, without: Refund | None) -> int:
    """What goes back of a payment in all, and what failed and is owed. A retry stands for the one it repeats."""
    ((total,),) = _STANDING.run(payment.pk, without.pk if without is not None else None)
    return int(total)


def _note(refund: Refund, *, old: str, new: str, reason: str, actor: Any) -> None:
    entry = AuditEntry(
        model=Refund._meta.label_lower,
        row_id=refund.pk,
        old=old,
        new=new,
        reason=reason,
        actor=actor,
        request_id=current_request_id(),
        at=clock.now(),
    )
    _NOTED.run(entry)


_NOTED = Insert("refund_noted", AuditEntry)


@outbox.handler(LATER)
def _order_late(effect: Effect) -> None:
    line = OrderLine.objects.select_related("order").get(pk=effect.payload["line"])
    try:
        order_refund(line.order, [line], reason=effect.payload["reason"])
    except Disputed as disputed:
        raise _not_decided() from disputed
    except (NothingToRefund, StaleState):
        return  # done before, or the bank sent the money


@outbox.handler(SEND)
def _send(effect: Effect) -> None:
    refund = Refund.objects.select_related("payment").get(pk=effect.payload["refund"])
    if refund.state in (RefundState.DONE, RefundState.FAILED):
        return
    if refund.state == RefundState.ORDERED and effect.tries == 1 and _is_decided_by_the_bank(refund):
        return
    provider = refund.payment.provider
    if refund.provider_reference and hasattr(payment_providers.get(provider), "fetch_refund"):
        _ask(refund)
        return
    try:
        notice = _sent_before(refund) if effect.tries > 1 else None
        notice = notice or payment_providers.get(provider).refund(refund, key=effect.key)
    except ProviderRefused as refusal:
        notice = _notice(refund, RefundState.FAILED, refusal.reason)
    except UnknownOutcome as error:
        if not _is_given_up(effect, error):
            settle(_notice(refund, RefundState.UNKNOWN), provider=provider)
            raise
        notice = _notice(refund, RefundState.FAILED, NOT_LET_IN)
    crashpoint("refund.sent")
    settle(notice, provider=provider)
    crashpoint("refund.noted")
    if notice.state == RefundState.PENDING and hasattr(payment_providers.get(provider), "fetch_refund"):
        raise _on_its_way()


def _sent_before(refund: Refund) -> Notice | None:
    """What an earlier try came to whose answer was lost, where the provider can look; None when it sent nothing. A
    provider remembers a key for a day only, and may refuse now what it did then."""
    asked: Any = payment_providers.get(refund.payment.provider)
    if not hasattr(asked, "find_refund"):
        return None
    try:
        return asked.find_refund(refund)
    except (ProviderRefused, NotLetIn) as refusal:  # to look: that says nothing of the money
        raise _NotLookedFor(f"it cannot be looked for: {refusal}") from refusal


def _is_given_up(effect: Effect, error: UnknownOutcome) -> bool:
    """Whether a refund that was not let in is a debt now: at once where the account is not ours any more and nothing
    was sent before, which was looked at; else after the last try, for nobody would hear of it then."""
    if isinstance(error, _NotLookedFor):
        return effect.tries >= outbox.TRIES
    return isinstance(error, AccountRefused) or (isinstance(error, NotLetIn) and effect.tries >= outbox.TRIES)


def _is_decided_by_the_bank(refund: Refund) -> bool:
    """Whether the payer's bank has sent the money, or some of it, before we did: then it counts as a refund that
    failed, and what is still owed of it as a debt. Raises NotYet while the bank has not decided."""
    payment = refund.payment
    if payment.disputes.filter(state=DisputeState.OPENED).exists():
        raise _not_decided()
    if ledger.lost_minor(payment) <= 0:
        return False
    settle(_notice(refund, RefundState.FAILED, COVERED), provider=payment.provider)
    return True


def _ask(refund: Refund) -> None:
    """Ask the provider what became of a refund that was on its way: the notice of it may be lost. An answer that says
    nothing of the money, or none, changes nothing."""
    asked: Any = payment_providers.get(refund.payment.provider)
    notice = asked.fetch_refund(refund)
    settle(notice, provider=refund.payment.provider)
    if notice.state == RefundState.PENDING:
        raise _on_its_way()


def _not_decided() -> outbox.NotYet:
    return outbox.NotYet("the payment is disputed", seconds=ON_ITS_WAY_SECONDS, days=DISPUTED_DAYS)


def _on_its_way() -> outbox.NotYet:
    return outbox.NotYet("the money is on its way back", seconds=ON_ITS_WAY_SECONDS)


def _notice(refund: Refund, state: str, reason: str = "") -> Notice:
    return Notice(
        event_id="",
        kind="refund",
        reference=refund.provider_reference,
        state=state,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        our_id=str(refund.public_id),
        reason=reason,
    )


def settle(notice: Notice, *, provider: str, actor: Any = None) -> None:
    """Apply what a provider tells of a refund; only forward, so repeated and late news change nothing. `actor` is who
    told it, where that was a person.

    done: the debt is paid. failed: it stays, or stands again, with an alert, but for what the payer's bank has sent
    them. Locks the order, then the refund.
    """
    refunds = Refund.objects.filter(payment__provider=provider).select_related("payment")
    if notice.our_id:
        refund = refunds.filter(public_id=notice.our_id).first()
    else:
        refund = refunds.filter(provider_reference=notice.reference).first() if notice.reference else None
    if refund is None:
        log.error("%s tells of a refund we do not know: %s %s", provider, notice.reference, notice.state)
        return
    with transaction.atomic():
        order = Order.objects.select_for_update(no_key=True).get(pk=refund.payment.order_id)
        refund = Refund.objects.select_for_update(of=("self",)).select_related("payment").get(pk=refund.pk)
        if notice.reference and not refund.provider_reference:
            Refund.objects.filter(pk=refund.pk).update(provider_reference=notice.reference)
        if notice.state not in REFUND[refund.state]:
            return
        if notice.state == RefundState.DONE:
            move(refund, RefundState.DONE, reason=refund.reason, actor=actor, done_at=clock.now())
            PayoutAccount.objects.filter(refund=refund).delete()
            ledger.refund_done(order, refund)
            if refund.reason == reasons.RESOLD:
                mails.refund_sent(order, refund)
            crashpoint("refund.arrived")
        elif notice.state == RefundState.FAILED:
            # Why it failed stands in the audit; the refund keeps the reason for which it was ordered.
            was, kept = refund.state, refund.reason
            move_many(Refund, [refund.pk], was, RefundState.FAILED, notice.reason, reason=kept, done_at=None)
            refund.refresh_from_db()
            if was == RefundState.DONE:
                ledger.refund_came_back(order, refund)
            cover(order, refund.payment)
            refund.refresh_from_db()
            if not refund.owed_minor:
                return
            log.error("refund %s failed: %s; it stays a debt", refund.public_id, notice.reason)
            mails.refund_alert(order, refund)
            mails.refund_failed(order, refund)
        else:
            move(refund, notice.state, reason=refund.reason)
