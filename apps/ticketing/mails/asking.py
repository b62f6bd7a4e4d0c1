"""Asking for a mail, in the transaction of its cause. Whether it is still worth sending is seen when it is written."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q, Sum

from apps.events.models import Event
from apps.ticketing import clock, outbox
from apps.ticketing.models import Dispute, EventMove, Order, Payment, Refund, Ticket
from apps.ticketing.states import OrderState

KIND = "mail.send"
ROUND = "mail.round"
GUEST_QUESTIONS = f"{KIND}:guest_questions:"
# The tickets are attached to it: it is written where PDFs are made, so that they keep no other mail waiting.
QUEUES = {"order_confirmation": "documents"}
# Whoever watches the queue sees that it is their turn; everybody else is written to a little later.
WATCHED_SECONDS = 20
# Whoever comes back from the bank sees there what happened; whoever does not come back is written to.
BACK_FROM_THE_BANK_SECONDS = 60
ENDS_SOON = timedelta(minutes=5)
# Holds that end so shortly after one another are reminded of together; less than letters.TOO_LATE.
TOGETHER = timedelta(seconds=20)
AGAIN_SECONDS = 600
# Before the last day to send money oneself, or halfway where there are but few days.
TRANSFER_ENDS_SOON = timedelta(days=2)
# What of an event a buyer is told about when it changes.


def order_confirmation(order: Order) -> None:
    """The tickets are the buyer's: what, when, where, what was paid, and who sold it. With the tickets as PDF."""
    _ask("order_confirmation", order)


def guest_questions(order: Order, ticket: Ticket, address: str, *, number: int) -> None:
    """To whom the buyer names, the link that opens the questions of one ticket. `number` tells it from earlier ones."""
    outbox.add(
        KIND,
        key=f"{GUEST_QUESTIONS}{ticket.public_id}:{number}",
        payload={"name": "guest_questions", "to": address, "ticket": ticket.pk},
        order=order,
    )


def your_turn(order_ids: Sequence[int]) -> None:
    """Whoever was served while no page of theirs is open learns that a place is held, and until when."""
    _ask_later("your_turn", order_ids, due_at=clock.now() + timedelta(seconds=WATCHED_SECONDS))


def place_is_kept(order: Order) -> None:
    """Somebody chose tickets with an address that stands in line already: the link goes to that address.

    Once in ten minutes however often it is asked for, so that nobody can flood a stranger's mailbox.
    """
    number = int(clock.now().timestamp()) // AGAIN_SECONDS
    _ask("place_is_kept", order, suffix=f"{order.public_id}:{number}")


def address_corrected(order: Order, old: str) -> None:
    """To the address an order had until now: it is another, and every link sent before has ended."""
    suffix = f"{order.public_id}:{order.secret[:12]}"
    outbox.add(
        KIND,
        key=f"{KIND}:address_corrected:{suffix}",
        payload={"name": "address_corrected", "to": old},
        order=order,
    )


def order_moved(order: Order) -> None:
    """To the address an order has now: its tickets, or its link while there are none."""
    name = "order_confirmation" if order.state == OrderState.PAID else "order_link"
    key = f"{KIND}:{name}:{order.public_id}:{order.secret[:12]}"
    outbox.add(KIND, key=key, payload={"name": name}, order=order, queue=_queue(name))


def hold_ends_soon(ends: Mapping[int, datetime]) -> None:
    """Five minutes before a hold ends, whoever has not paid and does not look at the page is reminded of it.

    `ends` is {order id: when its hold ends}. Asked for when the hold begins; a hold that is extended meanwhile has its
    reminder later.
    """
    together: dict[datetime, list[int]] = {}
    first: datetime | None = None
    for pk, until in sorted(ends.items(), key=lambda item: item[1]):
        if first is None or until - first > TOGETHER:
            first = until
        together.setdefault(first, []).append(pk)
    for until, ids in together.items():
        _ask_later("hold_ends_soon", ids, due_at=until - ENDS_SOON)


def hold_expired(order_ids: Sequence[int]) -> None:
    """The time to pay is over; nothing was charged."""
    ask_many("hold_expired", order_ids)


def payment_failed(order: Order, payment: Payment) -> None:
    """A payment was declined or failed, and its buyer has not come back to the page that says so."""
    due_at = clock.now() + timedelta(seconds=BACK_FROM_THE_BANK_SECONDS)
    _ask("payment_failed", order, suffix=str(payment.public_id), due_at=due_at, payment=payment.pk)


def transfer_instructions(order: Order, payment: Payment) -> None:
    """The buyer sends the money themselves: where to, how much, with which reference, and until when."""
    _ask("transfer_instructions", order, suffix=str(payment.public_id), payment=payment.pk)


def transfer_reminder(order: Order, payment: Payment) -> None:
    """Once, two days before the places are let go: the money has not come yet. `order.reserved_until` is that time."""
    if order.reserved_until is None:
        return
    left = order.reserved_until - clock.now()
    due_at = order.reserved_until - min(TRANSFER_ENDS_SOON, left / 2)
    _ask("transfer_reminder", order, suffix=str(order.public_id), due_at=due_at, payment=payment.pk)


def transfer_short(order: Order, payment: Payment, *, received_minor: int) -> None:
    """Less came than was agreed, and a treasurer asks for the rest."""
    suffix = f"{payment.public_id}:{received_minor}"
    _ask("transfer_short", order, suffix=suffix, payment=payment.pk, received_minor=received_minor)


def refund_ordered(order: Order, refund: Refund) -> None:
    """Money is on its way back, and why."""
    _ask("refund_ordered", order, suffix=str(refund.public_id), refund=refund.pk)


def tickets_ended(order: Order, line_ids: Sequence[int], *, fact: str, fee_minor: int) -> None:
    """Tickets have ended and no money goes back: they cost nothing, or all that is left of their price is
    kept as a fee. `fact` names it."""
    payload = {"name": "tickets_ended", "lines": list(line_ids), "fee_minor": fee_minor}
    outbox.add(KIND, key=f"{KIND}:tickets_ended:{fact}", payload=payload, order=order)


def refund_failed(order: Order, refund: Refund) -> None:
    """Money did not come back: it is owed, and the buyer can say where to send it."""
    _ask("refund_failed", order, suffix=str(refund.public_id), refund=refund.pk)


def event_cancelled(
    event: Event,
    *,
    to: Iterable[str] = (OrderState.PAID,),
    at: datetime | None = None,
    order: Order | None = None,
) -> None:
    """The event is cancelled: everybody whose order is in one of the states `to` is told, and how much goes back.

    Call it before the refunds of the same transaction are ordered: it reads what each order has paid and not had back.
    In bulk: two queries, however many orders. Sent by the sweeper, some hundreds a minute, so that the confirmations of
    a sale that runs at the same time are not kept waiting. One mail per order and moment `at`, however often it is
    asked for; `order` asks for that one alone.
    """
    at = at or clock.now()
    left = F("lines__price_minor") - F("lines__given_back_minor")
    kept = Sum(left, filter=Q(lines__is_held=True, lines__refunded_at__isnull=True), default=0)
    concerned = Order.objects.filter(event=event, state__in=list(to)).annotate(goes_back=kept).order_by("pk")
    if order is not None:
        concerned = concerned.filter(pk=order.pk)
    wanted = [
        _wanted("event_cancelled", pk, int(at.timestamp()), amount_minor=goes_back if state == OrderState.PAID else 0)
        for pk, state, goes_back in concerned.values_list("pk", "state", F("goes_back"))
    ]
    outbox.add_many(KIND, wanted, due_at=clock.now())


def event_moved(move: EventMove, order_ids: Sequence[int]) -> None:
    """The event is another day or place: what was, what is, and until when the money can be had back. Sent as
    `event_cancelled` is; to whoever was given a ticket by `gift_letters.event_moved`."""
    ask_many("event_moved", order_ids, due_at=clock.now(), asked_at=move.pk, move=move.pk)


def move_reminder(move: EventMove, order_ids: Sequence[int]) -> None:
    """The same once more, to those who have chosen nothing."""
    ask_many("move_reminder", order_ids, due_at=clock.now(), asked_at=move.pk, move=move.pk)


def payment_alert(order: Order, payment: Payment) -> None:
    """To the organiser: a payment was sent back by itself."""
    _ask("payment_alert", order, suffix=str(payment.public_id), payment=payment.pk)


def refund_alert(order: Order, refund: Refund) -> None:
    """To the organiser: a refund failed and is still owed."""
    _ask("refund_alert", order, suffix=str(refund.public_id), refund=refund.pk)


def books_alert(order: Order, *, what: str, wrong: str, facts: Mapping[str, Any]) -> None:
    """To the organiser: our books and the payment provider's differ about this order. `what` names the movement, for
    which one is written once; `wrong` is one of reconciliation.Wrong, `facts` its amounts."""
    payload = {"name": "books_alert", "what": what, "wrong": wrong, **facts}
    named = uuid.uuid5(order.public_id, f"{wrong} {what}")  # what providers call things may be long
    outbox.add(KIND, key=f"{KIND}:books_alert:{named}", payload=payload, order=order)


def dispute_alert(order: Order, dispute: Dispute) -> None:
    """To the organiser: a payment is disputed, or a dispute is decided."""
    suffix = f"{dispute.public_id}:{dispute.state}"
    key = f"{KIND}:dispute_alert:{suffix}"
    payload = {"name": "dispute_alert", "dispute": dispute.pk, "state": dispute.state}
    outbox.add(KIND, key=key, payload=payload, order=order)


def send_again(order: Order, payload: Mapping[str, Any]) -> None:
    """A mail once more, by somebody's wish, as a mail of its own. `payload` is that of the SentMail or the Effect."""
    key = f"{KIND}:{payload['name']}:again:{uuid.uuid4()}"
    outbox.add(KIND, key=key, payload={**payload, "again": True}, order=order, queue=_queue(payload["name"]))


def ask(name: str, order: Order, *, suffix: str, due_at: datetime | None = None, **facts: Any) -> None:
    """Ask for a plugin's mail (see `register`) about an order, once for each `suffix`. `facts` are its payload. Inside
    the transaction of its cause."""
    payload = {"name": name, **facts}
    outbox.add(KIND, key=f"{KIND}:{name}:{suffix}", payload=payload, order=order, queue=_queue(name), due_at=due_at)


def ask_each(name: str, wanted: Mapping[str, tuple[int, Mapping[str, Any]]]) -> None:
    """`ask` for many in one statement: {suffix: (order id, facts)}."""
    rows = [
        outbox.Wanted(f"{KIND}:{name}:{suffix}", {"name": name, **facts}, order_id)
        for suffix, (order_id, facts) in wanted.items()
    ]
    outbox.add_many(KIND, rows, queue=_queue(name))


def refund_sent(order: Order, refund: Refund) -> None:
    """To whoever was repaid: the money has been sent, on which day, and when it is there."""
    _ask("refund_sent", order, suffix=str(refund.public_id), refund=refund.pk)


def _ask(name: str, order: Order, *, suffix: str = "", due_at: datetime | None = None, **ids: int) -> None:
    key = f"{KIND}:{name}:{suffix or order.public_id}"
    outbox.add(KIND, key=key, payload={"name": name, **ids}, order=order, queue=_queue(name), due_at=due_at)


def _queue(name: str) -> str:
    return QUEUES.get(name, "default")


def ask_many(
    name: str,
    order_ids: Iterable[int],
    *,
    due_at: datetime | None = None,
    asked_at: int | None = None,
    **facts: Any,
) -> None:
    """One mail per order and moment: an order that is served a second time is written to a second time.

    `asked_at` is that moment in Unix seconds, when it is not now, or another number that names the occasion.
    """
    at = int(clock.now().timestamp()) if asked_at is None else asked_at
    outbox.add_many(KIND, [_wanted(name, pk, at, **facts) for pk in sorted(order_ids)], due_at=due_at)


def _ask_later(name: str, order_ids: Sequence[int], *, due_at: datetime) -> None:
    """A reminder for each of these orders at `due_at`; for several it is one effect until then. Next: rounds."""
    ids = sorted(order_ids)
    if len(ids) == 1:
        ask_many(name, ids, due_at=due_at)
    elif ids:
        at = int(clock.now().timestamp())
        key = f"{ROUND}:{name}:{ids[0]}:{at}"
        outbox.add(ROUND, key=key, payload={"name": name, "orders": ids, "at": at}, due_at=due_at)


def _wanted(name: str, order_id: int, at: int, **facts: Any) -> outbox.Wanted:
    return outbox.Wanted(f"{KIND}:{name}:{order_id}:{at}", {"name": name, **facts}, order_id)
