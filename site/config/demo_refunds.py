"""What the demo shows of refunds: an event's rule, an order that can be refunded, and a refund that did not arrive.

Everything goes the way a buyer's order goes, through the sandbox bank; outside a transaction, since banks are asked.
"""

from __future__ import annotations

from datetime import timedelta

from apps.accounts.models import User
from apps.events.models import Event
from apps.ticketing import checkout, clock, ordering, outbox, payments, queue, refunds
from apps.ticketing.extensions import Notice
from apps.ticketing.models import Order, RefundRule, SandboxCharge, TicketType
from apps.ticketing.payments import sandbox
from apps.ticketing.states import OrderState, RefundState

PAYS, REFUND_FAILS = "pays", "refund_fails"


def make_rule(event: Event) -> None:
    """Until two days before, for a fee; as if it had been promised before anybody bought."""
    if not RefundRule.objects.filter(event=event).exists():
        RefundRule.objects.create(
            event=event, at=clock.now() - timedelta(days=1), kind="hours", hours_before=48, fee_minor=2_500
        )


def make_orders(event: Event) -> None:
    """The buyer's two tickets, paid, and a stranger's refund to a card that is closed by now: a task to do."""
    kind = TicketType.objects.filter(event=event, position=0).get()
    buyer = User.objects.filter(email="buyer@example.org").first()
    _paid(event, kind, 2, card=PAYS, email="buyer@example.org", name="Kim Karlsson", user=buyer)
    _paid(event, kind, 1, card=PAYS, email="nora@example.org", name="Nora Nyman")  # who sells hers: demo_resale
    order = _paid(event, kind, 1, card=REFUND_FAILS, email="sam@example.org", name="Sam Sandberg")
    if order is not None:
        refund = refunds.order_refund(
            order, list(order.lines.all()), reason=refunds.BY_ORGANISER, note="Sjuk, ringde på tisdagen"
        )
        assert refund is not None
        outbox.run_called(f"{refunds.SEND}:{refund.public_id}", early=True)
        # The bank's notice would come by itself once the site runs; here it has come already.
        failed = Notice(
            event_id="",
            kind="refund",
            reference="",
            state=RefundState.FAILED,
            amount_minor=refund.amount_minor,
            currency=refund.currency,
            our_id=str(refund.public_id),
        )
        refunds.settle(failed, provider=refund.payment.provider)


def _paid(
    event: Event, kind: TicketType, number: int, *, card: str, email: str, name: str, user: User | None = None
) -> Order | None:
    """The order, or None when it was made before, cannot be made now, or there is no sandbox to pay in."""
    key = f"demo-{event.public_id}-{email}"
    if Order.objects.filter(idempotency_key=key).exists() or sandbox.Sandbox.slug not in _providers(event):
        return None
    choices = [variation.choices.all()[0].pk for variation in kind.variations.all() if variation.choices.exists()]
    wanted = ordering.WantedTicket(kind.pk, tuple((choice, 1) for choice in choices))
    order = ordering.place(event=event, tickets=[wanted] * number, email=email, user=user, idempotency_key=key)
    queue.drain(event.pk)
    order.refresh_from_db()
    if order.state != OrderState.RESERVED:
        return None
    checkout.accept(order, name=name, terms=checkout.terms_of(event))
    payment = payments.start(order, sandbox.Sandbox.slug, "")
    assert payment is not None
    payment = payments.open(payment)
    sandbox.give_card(SandboxCharge.objects.get(public_id=payment.provider_reference).public_id, card)
    payments.fetch(payment.pk)
    order.refresh_from_db()
    return order if order.state == OrderState.PAID else None


def _providers(event: Event) -> list[str]:
    return [provider.slug for provider in payments.available(event.currency)]
