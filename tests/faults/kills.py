"""One purchase whose processes die at a named point, and what must be true of it within a minute.

The buyer closes the tab as soon as the bank has the card, so that nobody but the house itself brings it to its end.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass

from django.urls import reverse

from apps.events.models import Event
from apps.ticketing.crashpoints import PURCHASE
from apps.ticketing.models import Order, OrderLine, Payment, Posting, SandboxCharge, SentMail, Ticket
from tests.faults.buyers import Buyer, Manners
from tests.faults.house import House

WITHIN_SECONDS = 60


@dataclass
class Death:
    """One purchase: where it was struck, whether anybody died of it, and in how many seconds from the first click, the
    death and the restart among them, whoever paid had the ticket."""

    point: str
    email: str
    died: bool
    settled_seconds: float
    charges: int


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
    buyer.tickets = 1
    house.arm(PURCHASE[point][0])
    begun = time.monotonic()
    asyncio.run(buyer.buy())
    settled, until = 0.0, begun + 2 * WITHIN_SECONDS
    while time.monotonic() < until:
        if not settled and _is_settled(email):
            settled = time.monotonic() - begun
        if settled and not (house.crash_folder / PURCHASE[point][0]).exists():
            break  # the PDF and the mail come after the ticket, and so does a death there
        time.sleep(0.1)
    died = not house.disarm()
    return Death(point, email, died, round(settled or time.monotonic() - begun, 1), _charges(email))


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
        order = Order.objects.get(email=death.email)
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
