"""A payer disputes a payment: their bank takes the money back first and decides later.

Until then what the payment paid for is blocked, so that nobody enters or sells on what may turn out to be unpaid: the
order's tickets, or the ticket for which it paid other choices (`changes`). Decided for us, every ticket is again what
it was, and one that was being bought is its owner's. Decided for the payer, the tickets end, their places go back on
sale, the sale is reversed in the books and what was paid for changes of them goes back; a change that is lost is undone
and its ticket stays, as does a ticket whose holder paid what it cost them more, for which the door then asks for a
proof (`gift_payments`). Providers tell it as notices of the kind `dispute`, in any order and more than once.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from apps.ticketing import (
    changes,
    clock,
    ledger,
    mails,
    outbox,
    reading,
    reasons,
    refunds,
    reservations,
    signals,
    tickets,
)
from apps.ticketing.extensions import Notice, ProviderRefused, TellsDisputes, UnknownOutcome, payment_providers
from apps.ticketing.models import ChoiceChange, Dispute, Order, OrderLine, Payment, Ticket
from apps.ticketing.retries import is_passing, once_more
from apps.ticketing.states import DISPUTE, DisputeState, OrderState, PaymentState
from apps.ticketing.transitions import move, move_many

log = logging.getLogger(__name__)

DISPUTED = reasons.register(
    "disputed",
    _("The payer's bank has taken the money back while it looks into the payment; nothing more was charged. If that is "
      "a mistake, ask the bank to withdraw the dispute, or write to the organiser."),
)  # fmt: skip
DISPUTE_WON = reasons.register(
    "dispute_won", _("The dispute is settled and nothing more was charged. The tickets are good again.")
)
DISPUTE_LOST = reasons.register(
    "dispute_lost",
    _("The money was sent back to whoever paid, by their bank, so the tickets have ended. Ask the organiser if you "
      "still want to come."),
)  # fmt: skip
CHANGE_LOST = reasons.register(
    "change_lost",
    _("The money for this change was sent back to whoever paid, by their bank, so the ticket has the choices it had "
      "before. The ticket stays good. Ask the organiser if that is a mistake."),
)  # fmt: skip
DIFFERENCE_LOST = reasons.register(
    "difference_lost",
    _("The money for the difference was sent back to whoever paid, by their bank. The ticket stays good, and the door"
      " asks its holder for a proof of membership. Ask the organiser if that is a mistake."),
)  # fmt: skip
NOT_YET_CAPTURED_SECONDS = 30
# A payer may dispute for 120 days, and their bank takes up to 75 more to decide.
LOOKED_BACK = timedelta(days=200)


def settle(notice: Notice, *, provider: str) -> None:
    """Apply what `provider` tells of a dispute; only forward, so that repeated and late news change nothing.

    Told of one that is decided already, it opens and decides it at once. Raises outbox.NotYet while we do not know yet
    that the payment was captured. Locks the orders of the payment, of the ticket that it changed and of its tickets'
    changes, by id; then the dispute, its tickets, and for a lost one the quotas.
    """
    payment = reading.payment_by_public_id.first(provider, notice.our_id) if notice.our_id else None
    if payment is None:
        log.error("%s tells of a dispute about a payment we do not know: %s", provider, notice.reference)
        return
    if notice.amount_minor <= 0 or notice.state not in DisputeState.values:
        log.error("%s tells of a dispute over nothing, or in no state: %s", provider, notice.reference)
        return
    with transaction.atomic():
        _lock_orders(payment)
        order = reading.order_locked.get(payment.order_id)
        payment = reading.payment_locked.get(payment.pk)
        if payment.state != PaymentState.CAPTURED:
            raise outbox.NotYet("the disputed payment is not captured here yet", seconds=NOT_YET_CAPTURED_SECONDS)
        dispute = Dispute.objects.filter(payment=payment, provider_reference=notice.reference).first()
        if dispute is None:
            dispute = _open(order, payment, notice)
        if notice.state not in DISPUTE[dispute.state]:
            return
        if notice.state == DisputeState.WON:
            _win(order, dispute)
        else:
            _lose(order, payment, dispute)
        mails.dispute_alert(order, dispute)


def catch_up() -> None:
    """Ask every provider that can tell for the disputes of the last months: a notice may be lost. Every five minutes.

    What is known already changes nothing. Outside any transaction.
    """
    since = clock.now() - LOOKED_BACK
    for provider in payment_providers:
        if not isinstance(provider, TellsDisputes):
            continue
        try:
            told = list(provider.disputes(since))
        except (UnknownOutcome, ProviderRefused) as error:
            log.warning("%s did not tell its disputes: %r", provider.slug, error)
            continue
        for notice in told:
            try:
                once_more(settle)(notice, provider=provider.slug)
            except outbox.NotYet as not_yet:
                log.info("a dispute waits: %s", not_yet)
            except Exception as error:  # one that fails keeps no other unheard
                if is_passing(error):
                    raise
                log.exception("dispute %s of %s could not be settled", notice.reference, provider.slug)


def _open(order: Order, payment: Payment, notice: Notice) -> Dispute:
    """Write the dispute down, book it and block the tickets; those that another dispute blocked are remembered too."""
    amount: dict[str, Any] = {"amount_minor": notice.amount_minor, "currency": notice.currency}
    if notice.currency != payment.currency:
        log.error(
            "payment %s in %s is disputed in another currency: %s %s; counted as disputed in full",
            *(payment.public_id, payment.currency, notice.amount_minor, notice.currency),
        )
        told = {f"told_{name.removeprefix('amount_')}": value for name, value in amount.items()}
        amount = {"amount_minor": payment.amount_minor, "currency": payment.currency, **told}
    dispute = Dispute.objects.create(
        payment=payment,
        provider_reference=notice.reference,
        reason=DISPUTED,
        opened_at=clock.now(),
        **amount,
    )
    ledger.dispute_opened(order, dispute)
    if _bought_tickets(order, payment):
        ids = set(_paid_for(order).values_list("pk", flat=True))
        were = tickets.block(ids, reason=DISPUTED)
        for other in _open_about(ids).exclude(pk=dispute.pk):
            were = {**{int(pk): was for pk, was in other.tickets_were.items() if int(pk) in ids}, **were}
        dispute.tickets_were = {str(pk): was for pk, was in were.items()}
        dispute.save(update_fields=["tickets_were"])
    if notice.state == DisputeState.OPENED:
        log.error("payment %s is disputed: %s %s", payment.public_id, notice.amount_minor, notice.currency)
        mails.dispute_alert(order, dispute)
        transaction.on_commit(partial(signals.dispute_opened.send_robust, sender=Dispute, id=dispute.pk))
    return dispute


def _lock_orders(payment: Payment) -> None:
    """Lock this payment's order and those that stand or fall with it, by id: of the ticket for whose other choices it
    paid, and of the changes of its own tickets. So all disputes about one ticket wait for each other."""
    order_id = payment.order_id
    changed = OrderLine.objects.filter(choice_changes__line__order=order_id).values_list("order", flat=True)
    supplements = ChoiceChange.objects.filter(of_line__order=order_id).values_list("line__order", flat=True)
    concerned = {order_id, *changed, *supplements}
    list(Order.objects.select_for_update(no_key=True).filter(pk__in=concerned).order_by("pk").values_list("pk"))


def _paid_for(order: Order) -> QuerySet[Ticket]:
    """The tickets that an order bought, or to which it gave other choices that they still have."""
    changed = ChoiceChange.objects.filter(ChoiceChange.STANDS, line__order=order).values("of_line")
    return Ticket.objects.filter(Q(line__order=order) | Q(line__in=changed))


def _open_about(ticket_ids: Collection[int]) -> QuerySet[Dispute]:
    """The open disputes that keep any of these tickets blocked, whichever payment they are about."""
    return Dispute.objects.filter(
        state=DisputeState.OPENED, tickets_were__has_any_keys=[str(pk) for pk in sorted(ticket_ids)]
    )


def _bought_tickets(order: Order, payment: Payment) -> bool:
    """Whether this is the payment that paid for the order, and not one that was sent back for being late or too
    much."""
    return not payment.reason and order.state == OrderState.PAID


def _win(order: Order, dispute: Dispute) -> None:
    move(dispute, DisputeState.WON, reason=DISPUTE_WON, closed_at=clock.now())
    ledger.dispute_won(order, dispute)
    _restore(dispute, reason=DISPUTE_WON)


def _restore(dispute: Dispute, *, reason: str) -> None:
    """Give the tickets that this decided dispute blocked back what they were, but for those that another one is
    about, and those that have ended meanwhile."""
    were = {int(pk): was for pk, was in dispute.tickets_were.items()}
    waiting = {int(pk) for other in _open_about(were) for pk in other.tickets_were}
    tickets.unblock({pk: was for pk, was in were.items() if pk not in waiting}, reason=reason)


def _lose(order: Order, payment: Payment, dispute: Dispute) -> None:
    reason = DISPUTE_LOST
    if order.is_supplement:
        reason = DIFFERENCE_LOST if order.is_for_gift else CHANGE_LOST
    move(dispute, DisputeState.LOST, reason=reason, closed_at=clock.now())
    lines: list[OrderLine] = []
    if _bought_tickets(order, payment):
        lines = [line for line in reading.lines.all(order.pk) if line.is_held and line.refunded_at is None]
    if lines:
        ids = [line.pk for line in lines]
        paid_changes = refunds.changes_of(lines)
        bought = Ticket.objects.filter(line__in=ids)
        tickets.revoke(bought.values_list("pk", flat=True), reason=reason)
        if any(line.is_given_away for line in lines):
            mails.gift_letters.tickets_ended(order, ids)
        OrderLine.objects.filter(pk__in=ids).update(refunded_at=clock.now())
        reservations.give_back(lines)
        move_many(Order, [order.pk], OrderState.PAID, OrderState.REFUNDED, reason)
        for line in lines:
            changes.undo(line)
            changes.ask_for_proof(line)
        refunds.order_all(paid_changes, reason=changes.TICKET_ENDED)
    ledger.dispute_lost(order, dispute, lines)
    refunds.cover(order, payment)
    if order.is_supplement:
        _restore(dispute, reason=reason)
