"""One ticket sold again while whoever comes to a named point dies there, and what must be true of it within a minute.

Seller and buyer close their tabs as soon as they have done their part, so that nobody but the house brings it to its
end. Meanwhile a sampler looks again and again whether there is exactly one good code for each place.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from dataclasses import dataclass, field

from django.db import connection, connections
from django.urls import reverse

from apps.events.models import Event
from apps.resale.models import Listing
from apps.ticketing.crashpoints import RESALE
from apps.ticketing.models import Order, Payment, Refund, SandboxCharge, SandboxRefund, SentMail, Ticket
from tests.faults.buyers import Manners
from tests.faults.house import House
from tests.faults.kills import WITHIN_SECONDS, VanishingBuyer, Watch, wait_for_quiet

ASKED_MINOR = 20_000
# As a stranger would count them, in one snapshot: places that are taken, and codes that are good or kept for a buyer.
GOOD_CODES = """
    SELECT (SELECT sum(taken) FROM ticketing_quota WHERE event_id = %(event)s),
        (SELECT count(*) FROM ticketing_ticket WHERE event_id = %(event)s AND state IN ('valid', 'held', 'used'))"""


@dataclass
class Sale:
    """One ticket sold again: where somebody was struck, whether anybody died of it, and in how many seconds after that
    death, the restart among them, its buyer had the ticket and its seller the money."""

    point: str
    seller: str
    buyer: str
    died: bool = False
    settled_seconds: float = 0
    samples: int = 0
    wrong_moments: list[tuple[int, int]] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)


class Seller(VanishingBuyer):
    """Puts a ticket up for sale from its page."""

    async def put_up(self, address: str) -> None:
        kronor = str(ASKED_MINOR // 100)
        page = await self.ask("GET", f"{address}?price={kronor}")
        sent = {**dict(self._fields(page.body)), "act": "list", "price": kronor, "who": "anybody"}
        await self.ask("POST", address, sent)


class NewOwner(VanishingBuyer):
    """Buys a ticket that is for sale, gives a good card, and is gone."""

    async def _buy(self) -> None:
        page = await self.ask("GET", self.form)
        answer = await self.ask("POST", self.form, {**dict(self._fields(page.body)), "email": self.email})
        if answer.status == 303:
            self.order = answer.where
            await self._see_it_through()


class GoodCodes(threading.Thread):
    """Looks at every moment whether each place of the event has one good code."""

    def __init__(self, house: House, event_id: int) -> None:
        super().__init__(daemon=True)
        self.house, self.event_id = house, event_id
        self.over, self.samples = threading.Event(), 0
        self.wrong: list[tuple[int, int]] = []

    def __enter__(self) -> GoodCodes:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join()

    def run(self) -> None:
        with self.house.database(), connection.cursor() as cursor:
            while not self.over.wait(0.02):
                cursor.execute(GOOD_CODES, {"event": self.event_id})
                places, codes = cursor.fetchone()
                self.samples += 1
                if places != codes:
                    self.wrong.append((places, codes))
        connections.close_all()


def kill_a_resale(house: House, event: Event, point: str, chance: random.Random) -> Sale:
    """Have one ticket bought, listed and bought again while whoever comes to `point` dies there, and wait until the
    sale is settled."""
    mark = f"{chance.getrandbits(32):x}"
    sale = Sale(point, f"seller-{mark}@example.org", f"buyer-{mark}@example.org")
    ticket = _buy_new(house, event, sale.seller, chance)
    wait_for_quiet(house)
    address = reverse("resale:sell", args=[ticket.public_id, ticket.secret])
    seller = Seller(house.port, address, sale.seller, chance.random(), Manners())
    is_listed = point != "R1"
    if is_listed:
        asyncio.run(seller.put_up(address))
        wait_for_quiet(house)
    with GoodCodes(house, event.pk) as codes, Watch(house, RESALE[point][0]) as watch:
        if not is_listed:
            asyncio.run(seller.put_up(address))
        listing = Listing.objects.get(ticket=ticket)
        # By its private link: the event has no page, and so stands on no marketplace.
        link = reverse("resale:private", args=[listing.public_id, listing.secret])
        buyer = NewOwner(house.port, link, sale.buyer, chance.random(), Manners())
        asyncio.run(buyer.buy())
        until = time.monotonic() + 2 * WITHIN_SECONDS
        while not _is_settled(sale) and time.monotonic() < until:
            time.sleep(0.1)
        settled_at = time.monotonic()
        while watch.died_at is None and time.monotonic() < until:
            time.sleep(0.1)  # a mail comes after the money, and so does a death there
    sale.died = watch.died_at is not None
    sale.settled_seconds = 0.0 if watch.died_at is None else round(max(0.0, settled_at - watch.died_at), 1)
    sale.samples, sale.wrong_moments = codes.samples, codes.wrong
    sale.heard = [*seller.heard, *buyer.manners.rude, buyer.told, *buyer.heard[-6:]]
    return sale


def _buy_new(house: House, event: Event, email: str, chance: random.Random) -> Ticket:
    buyer = VanishingBuyer(
        house.port, reverse("ticketing:form", args=[event.public_id]), email, chance.random(), Manners()
    )
    buyer.nature, buyer.tickets = "pays", 1
    asyncio.run(buyer.buy())
    until = time.monotonic() + WITHIN_SECONDS
    while time.monotonic() < until:
        ticket = Ticket.objects.filter(line__order__email=email, state="valid").first()
        if ticket is not None:
            return ticket
        time.sleep(0.1)
    raise AssertionError(f"{email} got no ticket to sell: {buyer.told} {buyer.heard[-6:]}")


def _is_settled(sale: Sale) -> bool:
    """Whether the buyer has the ticket and the seller the money."""
    has_ticket = Ticket.objects.filter(line__order__email=sale.buyer, line__order__state="paid", state="valid").exists()
    return has_ticket and Refund.objects.filter(payment__order__email=sale.seller, state="done").exists()


def judge_resales(house: House, sales: list[Sale]) -> list[str]:
    """What is wrong once all has come to its end: one charge and one refund each, one good code, one mail to each."""
    wrong = []
    arrived = [mail.read_text(errors="replace") for mail in house.mail.glob("*.eml")]
    for sale in sales:
        sold, bought = (Order.objects.filter(email=email) for email in (sale.seller, sale.buyer))
        if len(bought) != 1 or len(sold) != 1:
            wrong.append(f"{sale.point}: {len(sold)} sold, {len(bought)} bought; {sale.heard}")
            continue
        letters = [
            *SentMail.objects.filter(order=sold[0], name="resale_sold").values_list("message_id", flat=True),
            *SentMail.objects.filter(order=bought[0], name="order_confirmation").values_list("message_id", flat=True),
        ]
        found = {
            "states": (sold[0].state, bought[0].state),
            "tickets": _tickets(sale),
            "charges": (_charged(sold[0]), _charged(bought[0])),
            "refunds": _sent_back(sold[0]),
            "owed": list(Refund.objects.filter(payment__order=sold[0]).values_list("state", "amount_minor")),
            "listing": list(Listing.objects.filter(ticket__line__order=sold[0]).values_list("state", flat=True)),
            "mails": len(letters),
            "arrived": [sum(name in text for text in arrived) in (1, 2) for name in letters],
        }
        right = {
            "states": ("refunded", "paid"),
            "tickets": ["superseded", "valid"],
            "charges": ([sold[0].total_minor], [bought[0].total_minor]),
            "refunds": [ASKED_MINOR],
            "owed": [("done", ASKED_MINOR)],
            "listing": ["sold"],
            "mails": 2,
            "arrived": [True, True],
        }
        wrong += [f"{sale.point}: {name} is {found[name]}" for name in right if found[name] != right[name]]
    return wrong


def _tickets(sale: Sale) -> list[str]:
    own = Ticket.objects.filter(line__order__email__in=[sale.seller, sale.buyer])
    return list(own.order_by("pk").values_list("state", flat=True))


def _charged(order: Order) -> list[int]:
    """What the bank has on its books as taken for an order."""
    names = [str(public_id) for public_id in Payment.objects.filter(order=order).values_list("public_id", flat=True)]
    charges = SandboxCharge.objects.filter(reference__in=names, status="succeeded")
    return list(charges.values_list("amount_minor", flat=True))


def _sent_back(order: Order) -> list[int]:
    """What the bank has on its books as sent back for an order."""
    names = [str(public_id) for public_id in Payment.objects.filter(order=order).values_list("public_id", flat=True)]
    refunds = SandboxRefund.objects.filter(charge__reference__in=names, status="done")
    return list(refunds.values_list("amount_minor", flat=True))
