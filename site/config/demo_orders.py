"""A few paid orders for the demo, bought as anybody would: placed, decided, and paid at the sandbox bank. So that there
is something to cancel, to move and to pay back.
"""

from __future__ import annotations

from django.db import IntegrityError

from apps.accounts.models import User
from apps.events.models import Event
from apps.ticketing import ordering, payments, queue
from apps.ticketing.models import Order, SandboxCharge, TicketType
from apps.ticketing.payments import sandbox

BUYERS = (("Ada Alm", 2), ("Bosse Björk", 1), ("Cleo Cederlund", 1), ("Disa Dahl", 3))


def sell(event: Event) -> None:
    """Four orders of `event`, once. Outside any transaction: the bank is asked. An event whose sale is closed stays."""
    kind = TicketType.objects.filter(event=event).order_by("position").first()
    if kind is None or event.cancelled_at is not None:
        return
    for number, (name, tickets) in enumerate(BUYERS):
        key = f"demo-{event.public_id.hex[:16]}-{number}"
        if Order.objects.filter(idempotency_key=key).exists():
            continue
        try:
            buy(event, kind, name, f"{name.split()[0].lower()}@example.org", tickets=tickets, key=key)
        except (ordering.Refused, IntegrityError):
            return


def buy(
    event: Event, kind: TicketType, name: str, email: str, *, tickets: int = 1, key: str = "", user: User | None = None
) -> None:
    """One order, decided and paid. Raises ordering.Refused. Outside any transaction."""
    order = ordering.place(
        event=event,
        tickets=[ordering.WantedTicket(kind.pk, ())] * tickets,
        email=email,
        user=user,
        idempotency_key=key or f"demo-{event.public_id.hex[:16]}-{kind.pk}",
    )
    queue.drain(event.pk)
    Order.objects.filter(pk=order.pk).update(name=name)
    order.refresh_from_db()
    _pay(order)


def _pay(order: Order) -> None:
    try:
        payment = payments.start(order, "sandbox", "/")
    except payments.NotPayable:
        return
    if payment is None:
        return
    payment = payments.open(payment)
    charge = (
        SandboxCharge.objects.filter(public_id=payment.provider_reference).first() if payment.redirect_url else None
    )
    if charge is not None and charge.status in sandbox.OPEN:
        sandbox.give_card(charge.public_id, "pays")
    payments.fetch(payment.pk)
