"""One process that performs random verbs on one event: `python -m tests.concurrency.verbs EVENT SEED SECONDS`.

`opposite A B` instead locks two quotas in the order given, the second once another process holds its first too: the
negative control.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
import traceback
from collections import Counter
from datetime import timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.db import OperationalError, connection, transaction  # noqa: E402

from apps.events.models import Event  # noqa: E402
from apps.resale import listings, rules, waiting, waiting_offers  # noqa: E402
from apps.resale.models import Listing, WaitingEntry, WaitingOffer  # noqa: E402
from apps.ticketing import (  # noqa: E402
    catalogue,
    changes,
    clock,
    fulfilment,
    gift_payments,
    giving,
    ordering,
    outbox,
    payments,
    queue,
    refund_rule,
    refunds,
    reservations,
    tickets,
)
from apps.ticketing.extensions import NamedAdjustment, Notice, price_rules  # noqa: E402
from apps.ticketing.models import Choice, Gift, Order, OrderLine, Quota, Ticket, TicketType  # noqa: E402
from apps.ticketing.payments import settle  # noqa: E402
from apps.ticketing.transitions import StaleState, move  # noqa: E402

OPPOSITE = 77
DEARER_MINOR = 1_000
HOLDERS = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Dearer:
    """A price rule: every second person to whom a ticket is given would pay more for it."""

    slug = "dearer"

    def prepare(self, contexts: Any, at: Any) -> None:
        return None

    def adjustments(self, context: Any, line: Any, answers: Any) -> list[NamedAdjustment]:
        return []

    def reprice(self, ticket: Any, context: Any, answers: Any) -> list[NamedAdjustment]:
        is_dearer = context.email.startswith("g") and context.email.partition("@")[0][-1] in "02468"
        return [NamedAdjustment(self.slug, "Mer", "More", DEARER_MINOR)] if is_dearer else []

    def claim(self, order_lines: Any) -> None: ...

    def release(self, order_line_ids: Any) -> None: ...


class Shuffle:
    """Random verbs over the rows of one event. Each returns True when it changed something."""

    def __init__(self, event_id: int, seed: int) -> None:
        self.event = Event.objects.get(pk=event_id)
        self.chance = random.Random(seed)
        self.seed = seed
        self.number = 0

    def _any(self, *states: str) -> Order | None:
        orders = list(Order.objects.filter(event=self.event, state__in=states).order_by("?")[:1])
        return orders[0] if orders else None

    def place(self) -> bool:
        types = list(TicketType.objects.filter(event=self.event))
        self.number += 1
        wanted = [ordering.WantedTicket(self.chance.choice(types).pk) for _ in range(self.chance.randint(1, 4))]
        ordering.place(
            event=self.event,
            tickets=wanted,
            email=f"p{self.seed}-{self.number}@example.org",
            idempotency_key=f"verbs-{self.seed}-{self.number}",
        )
        return True

    def drain(self) -> bool:
        return queue.drain(self.event.pk) > 0

    def cancel(self) -> bool:
        order = self._any("queued", "waiting", "offered", "reserved")
        return order is not None and ordering.cancel(order)

    def accept(self) -> bool:
        order = self._any("offered")
        if order is None:
            return False
        reservations.accept_offer(order)
        return True

    def decline(self) -> bool:
        order = self._any("offered")
        if order is None:
            return False
        reservations.decline_offer(order)
        return True

    def extend(self) -> bool:
        order = self._any("reserved")
        return order is not None and reservations.extend(order)

    def expire(self) -> bool:
        Order.objects.filter(pk__in=[getattr(self._any("reserved", "offered"), "pk", None)]).update(
            reserved_until=clock.now() - timedelta(seconds=1)
        )
        return bool(reservations.expire_overdue(clock.now()))

    def resize(self) -> bool:
        quota = self.chance.choice(list(Quota.objects.filter(event=self.event)))
        try:
            reservations.resize(quota, self.chance.randint(4, 14))
        except reservations.BelowTaken:
            return False
        return True

    def retake(self) -> bool:
        with transaction.atomic():
            order = self._any("expired")
            if order is None:
                return False
            order = Order.objects.select_for_update(no_key=True).get(pk=order.pk)
            if order.state != "expired" or order.total_minor or not reservations.retake(order):
                return False
            move(order, "paid", paid_at=clock.now())
            fulfilment.fulfil(order)
        return True

    def pay(self) -> bool:
        with transaction.atomic():
            order = self._any("reserved")
            if order is None or order.total_minor:
                return False
            move(order, "paid", paid_at=clock.now())
            fulfilment.fulfil(order)
        return True

    def refund(self) -> bool:
        order = self._any("paid")
        if order is None:
            return False
        lines = OrderLine.objects.filter(order=order, is_held=True)[: self.chance.randint(1, 2)]
        refunds.order_refund(order, list(lines), reason="refund", actor=None)
        return True

    def hand_back(self) -> bool:
        order = self._any("paid")
        if order is None:
            return False
        offer = refund_rule.offer(order, clock.now())
        parts = offer.open_parts[:1] if offer.is_open else ()
        lines = frozenset(str(part.line.public_id) for part in parts)
        refunds.by_buyer(order, refund_rule.Agreed(lines, back_minor=0, fee_minor=0))
        return True

    def change(self) -> bool:
        rows = Ticket.objects.filter(event=self.event, state="valid").select_related("line__order")
        found = list(rows.order_by("?")[:1])
        choices = list(Choice.objects.filter(variation__ticket_type__in=[one.ticket_type_id for one in found]))
        if not choices:
            return False
        wanted = {choice.pk: self.chance.randint(0, 2) for choice in choices}
        kind = catalogue.load(self.event.pk).type(found[0].ticket_type_id)
        assert kind is not None
        planned = changes.plan(changes.has_now(found[0].line), wanted, kind)
        agreed = changes.difference(found[0].line, planned)
        changes.begin(found[0].line.order, found[0], wanted, agreed_minor=agreed)
        return True

    def pay_change(self) -> bool:
        found = list(Order.objects.filter(event=self.event, state="reserved", channel="change").order_by("?")[:1])
        if not found:
            return False
        payment = payments.start(found[0], "sandbox", "https://foyer.example/")
        if payment is None or payment.state != "started":
            return False
        settle.settle(
            Notice("", "payment", f"v-{payment.pk}", "captured", payment.amount_minor, "SEK", str(payment.public_id)),
            provider="sandbox",
        )
        return True

    def offer(self) -> bool:
        found = list(Ticket.objects.filter(event=self.event, state="valid").order_by("?")[:1])
        if not found:
            return False
        self.number += 1
        giving.give(found[0], name="Kim Ek", email=f"g{self.seed}-{self.number}@example.org")
        return True

    def take(self) -> bool:
        found = list(Gift.objects.filter(ticket__event=self.event, state="pending").order_by("?")[:1])
        if not found:
            return False
        giving.accept(found[0])
        return True

    def begin_difference(self) -> bool:
        found = list(Gift.objects.filter(ticket__event=self.event, state="pending").order_by("?")[:1])
        if not found:
            return False
        gift_payments.begin(found[0], agreed_minor=DEARER_MINOR)
        return True

    def pay_difference(self) -> bool:
        orders = Order.objects.filter(event=self.event, state="reserved", channel="gift")
        found = list(orders.order_by("?")[:1])
        if not found:
            return False
        payment = payments.start(found[0], "sandbox", "https://foyer.example/")
        if payment is None or payment.state != "started":
            return False
        settle.settle(
            Notice("", "payment", f"v-{payment.pk}", "captured", payment.amount_minor, "SEK", str(payment.public_id)),
            provider="sandbox",
        )
        outbox.run_called(gift_payments.key_of(found[0].lines.get()), early=True)
        return True

    def take_back(self) -> bool:
        found = list(Gift.objects.filter(ticket__event=self.event, state="pending").order_by("?")[:1])
        return bool(found) and giving.cancel(found[0]).state == "cancelled"

    def join_list(self) -> bool:
        order = self._any("waiting")
        # What waits in line is served before the list: only once it has left the line, the list has its turn.
        return order is not None and waiting.confirm(waiting.join_from(order)) and ordering.cancel(order)

    def leave_list(self) -> bool:
        found = list(WaitingEntry.objects.filter(event=self.event, state="waiting").order_by("?")[:1])
        return bool(found) and waiting.leave(found[0])

    def serve_list(self) -> bool:
        waiting.sweep(clock.now())
        return WaitingOffer.objects.filter(entry__event=self.event).exists()

    def _offered(self) -> WaitingOffer | None:
        open_ones = WaitingOffer.objects.filter(entry__event=self.event, state="open").select_related("entry__event")
        return open_ones.order_by("?").first()

    def take_offered(self) -> bool:
        found = self._offered()
        return found is not None and bool(waiting_offers.accept(found))

    def pass_offered(self) -> bool:
        found = self._offered()
        if found is None:
            return False
        waiting_offers.decline(found)
        return True

    def sell(self) -> bool:
        rows = Ticket.objects.filter(event=self.event, state="valid")
        found = list(rows.select_related("ticket_type", "line__order", "event").order_by("?")[:1])
        if not found:
            return False
        agreed = listings.terms(found[0], rules.of(self.event), found[0].line.kept_minor)
        listings.put_up(found[0], asked_minor=agreed.asked_minor, agreed_payout_minor=agreed.payout_minor)
        return True

    def keep(self) -> bool:
        found = list(Listing.objects.filter(event=self.event, state="open").order_by("?")[:1])
        return bool(found) and listings.withdraw(found[0]).state == "withdrawn"

    def admit(self) -> bool:
        found = list(Ticket.objects.filter(event=self.event, state="valid").order_by("?")[:1])
        if not found:
            return False
        tickets.use(found[0], reason="shuffle")
        return True


def run(event_id: int, seed: int, seconds: float) -> dict[str, int]:
    shuffle, done = Shuffle(event_id, seed), Counter(errors=0)
    price_rules.register(Dearer())
    verbs = [name for name in vars(Shuffle) if not name.startswith("_")]
    often = dict.fromkeys(("place", "drain", "pay"), 4)
    often |= dict.fromkeys(("expire", "retake", "change", "pay_change", "serve_list"), 3)
    often |= dict.fromkeys(("offer", "begin_difference", "pay_difference"), 2)
    begun = time.monotonic()
    # On a busy machine `seconds` may be over before a rare verb has had its turn: those not done yet have it sooner.
    while time.monotonic() < begun + (seconds if all(done[verb] for verb in verbs) else 5 * seconds):
        weights = [often.get(name, 1) if done[name] else 5 for name in verbs]
        verb = shuffle.chance.choices(verbs, weights)[0]
        try:
            done[verb] += bool(getattr(shuffle, verb)())
        except (
            *(StaleState, payments.NotPayable, refunds.NothingToRefund, refunds.OfferChanged),
            *(changes.NotChanged, giving.CannotGive, giving.Over),
            *(listings.CannotSell, listings.Changed, waiting_offers.Over, ordering.Refused),
        ):
            done["stale"] += 1
        except Exception:
            done["errors"] += 1
            traceback.print_exc()
    return done


def opposite(first: int, second: int) -> str:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM ticketing_quota WHERE id = %s FOR UPDATE", [first])
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [OPPOSITE])
            until = time.monotonic() + 30
            while time.monotonic() < until:  # for the other to hold its first as well
                cursor.execute(HOLDERS, [OPPOSITE])
                if cursor.fetchone()[0] == 2:
                    break
                time.sleep(0.05)
            cursor.execute("SELECT 1 FROM ticketing_quota WHERE id = %s FOR UPDATE", [second])
    except OperationalError as error:
        return "deadlock" if "deadlock" in str(error) else repr(error)
    return "fine"


if __name__ == "__main__":
    if sys.argv[1] == "opposite":
        print(opposite(int(sys.argv[2]), int(sys.argv[3])))
    else:
        print(json.dumps(run(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))))
