"""One purchase whose processes die at a named point, and what must be true of it within a minute.

The buyer closes the tab as soon as the bank has the card, so that nobody but the house itself brings it to its end.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from dataclasses import dataclass
from datetime import timedelta

from django.urls import reverse

from apps.events.models import Event
from apps.ticketing import clock
from apps.ticketing.crashpoints import PURCHASE
from apps.ticketing.models import Effect, Order, OrderLine, Payment, Posting, SandboxCharge, SentMail, Ticket
from tests.faults.buyers import Buyer, Manners
from tests.faults.house import House

WITHIN_SECONDS = 60
REMINDERS = ("hold_ends_soon", "your_turn", "hold_expired")  # due later, or of those who do not look


@dataclass
class Death:
    """One purchase: where it was struck, whether anybody died of it, and in how many seconds after that death, the
    restart among them, whoever paid had the ticket; 0 where they had it before."""

    point: str
    email: str
    died: bool
    settled_seconds: float
    charges: int
    heard: list[str]  # the last answers the buyer got, for whoever looks for what went wrong


class VanishingBuyer(Buyer):
    """Buys one ticket, gives a good card, and is gone."""

    async def _see_it_through(self) -> None:
        while True:
            self.told = (await self.status())["state"]
            if self.told == "reserved" and await self._gives_card():
                return
            if self.told not in ("queued", "waiting", "reserved"):
                return
            await asyncio.sleep(0.3)

    async def _gives_card(self) -> bool:
        """Whether the bank has taken the card."""
        answer = await self.ask("POST", f"{self.order}pay/", {"name": "Robin Ek", "terms": "on"})
        bank = answer.where if answer.status == 303 else ""
        if bank in ("", self.order):
            return False  # the bank has not opened it yet, or the order says how it stands
        page = await self.ask("GET", bank)
        token = dict(self._fields(page.body)).get("csrfmiddlewaretoken", "")
        given = await self.ask("POST", bank, {"csrfmiddlewaretoken": token, "card": "pays", "action": "pay"})
        return given.status in (200, 303)


def kill_a_purchase(house: House, event: Event, point: str, chance: random.Random) -> Death:
    """Have one buyer buy while whoever comes to `point` dies there, and wait until the purchase is settled."""
    email = f"{point.lower()}-{chance.getrandbits(32):x}@example.org"
    form = reverse("ticketing:form", args=[event.public_id])
    buyer = VanishingBuyer(house.port, form, email, chance.random(), Manners())
    buyer.nature, buyer.tickets = "pays", 1
    wait_for_quiet(house)
    with Watch(house, PURCHASE[point][0]) as watch:
        asyncio.run(buyer.buy())
        until = time.monotonic() + 2 * WITHIN_SECONDS
        while not _is_settled(email) and time.monotonic() < until:
            time.sleep(0.1)
        settled_at = time.monotonic()
        while watch.died_at is None and time.monotonic() < until:
            time.sleep(0.1)  # the PDF and the mail come after the ticket, and so does a death there
    seconds = 0.0 if watch.died_at is None else max(0.0, settled_at - watch.died_at)
    heard = [*buyer.manners.rude, buyer.told, *buyer.heard[-6:]]
    return Death(point, email, watch.died_at is not None, round(seconds, 1), _charges(email), heard)


def wait_for_quiet(house: House) -> None:
    """Wait until nothing of an earlier purchase is left to do, so that this one is struck and no other. What a dead
    process had leased is free again sooner: time is passed, by everybody's clock."""
    house.begin_rush()
    until = time.monotonic() + 2 * WITHIN_SECONDS
    open_effects = Effect.objects.filter(state__in=["due", "leased", "unknown"]).exclude(payload__name__in=REMINDERS)
    while open_effects.exists() and time.monotonic() < until:
        time.sleep(0.3)
        if not open_effects.filter(state="due", due_at__lte=clock.now()).exists():
            house.let_time_pass(timedelta(seconds=20))


class Watch(threading.Thread):
    """Arms a crashpoint for the length of a with-block and notes when somebody came there and died."""

    def __init__(self, house: House, name: str) -> None:
        super().__init__(daemon=True)
        self.house, self.place = house, house.crash_folder / name
        self.died_at: float | None = None
        self.over = threading.Event()

    def __enter__(self) -> Watch:
        self.place.touch()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join()
        self.house.disarm()

    def run(self) -> None:
        while not self.over.wait(0.02):
            if not self.place.exists():
                self.died_at = time.monotonic()
                return


def _is_settled(email: str) -> bool:
    """Whether whoever paid has the ticket."""
    paid = Order.objects.filter(email=email, state="paid")
    return paid.exists() and Ticket.objects.filter(line__order__in=paid, state="valid").count() == 1


def _charges(email: str) -> int:
    payments = Payment.objects.filter(order__email=email).values_list("public_id", flat=True)
    found = SandboxCharge.objects.filter(reference__in=[str(public_id) for public_id in payments], status="succeeded")
    return found.count()


def judge_purchases(house: House, deaths: list[Death]) -> list[str]:
    """What is wrong after everything has come to its end: one order, charge, posting, ticket and noted mail each."""
    wrong = []
    arrived = [mail.read_text(errors="replace") for mail in house.mail.glob("*.eml")]
    for death in deaths:
        order = Order.objects.filter(email=death.email).first()
        if order is None:
            wrong.append(f"{death.point}: there is no order; {death.heard}")
            continue
        sent = list(
            SentMail.objects.filter(order=order, name="order_confirmation").values_list("message_id", flat=True)
        )
        found: dict[str, object] = {
            "state": order.state,
            "charges": _charges(death.email),
            "postings": Posting.objects.filter(order=order).count(),
            "held": OrderLine.objects.filter(order=order, is_held=True).count(),
            "tickets": Ticket.objects.filter(line__order=order).count(),
            "mails": len(sent),
            "arrived": sum(any(name in text for name in sent) for text in arrived) in (1, 2),
        }
        one = dict.fromkeys(("charges", "postings", "held", "tickets", "mails"), 1)
        right: dict[str, object] = {"state": "paid", **one, "arrived": True}
        wrong += [f"{death.point}: {name} is {found[name]}" for name in right if found[name] != right[name]]
    return wrong
