"""One of every page that visitors and buyers meet, in both languages: what the checks of all pages and the pictures for
docs/screenshots look at. A new page type belongs into `build`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management import call_command
from django.urls import reverse
from django.utils.translation import override

from apps.accounts.models import User
from apps.events.models import EventPage, HomePage, Organisation, OrganisationPage, PlainPage
from apps.ticketing import catalogue, clock, moves, ordering, payments, queue, refunds, reservations
from apps.ticketing.models import Order, Payment, RefundRule, SandboxCharge, Ticket, TicketType
from apps.ticketing.payments import manual, settle
from tests import factories
from tests.browser.test_buyer_pages import Dinner, paid, pay_by_sandbox, reserved

LANGUAGES = ("sv", "en")
# What is made below, by name. The sample pages of tests/look hold the parts, test_door what the door answers.
NAMES = (
    "home", "list", "list-empty", "organisation", "event", "plain", "legal", "form", "form-not-open", "form-sold-out",
    "remind", "order-queued", "order-waiting", "order-offered", "checkout", "bank", "order-paying", "order-transfer",
    "order-paid", "order-expired", "order-rejected", "order-cancelled", "order-refunded", "order-disputed",
    "order-moved", "moved", "refund", "refund-agree", "repair", "find", "ticket", "login", "signup", "password",
    "not-found", "my", "door-events", "door",
)  # fmt: skip
# Who must be signed in to see it; nobody on the other pages. The door has a frame of its own, without the site's foot.
SIGNED_IN = {"my": "buyer@example.org", "door-events": "door@example.org", "door": "door@example.org"}
AT_THE_DOOR = ("door-events", "door")
Addresses = dict[str, dict[str, str]]
"""{name: {language: path}}"""


def build() -> Addresses:
    """Make the demo's house and an order in every state; the addresses of one page of each kind."""
    call_command("setup_demo", verbosity=0)
    dinner = Dinner(Organisation.objects.get(slug="lyktan"))
    orders = _orders(dinner)  # first, since it lets an hour pass
    found = {**_pages(), **_forms(dinner), **_accounts()}
    payment = Payment.objects.get(order=orders.pop("bank"))
    found["bank"] = _both("ticketing:sandbox_pay", payment.provider_reference)
    for name, order in orders.items():
        found[name] = _both("ticketing:order", order.reference, order.secret)
    found |= {**_signed_in(dinner, orders["order-paid"]), **_troubled(dinner)}
    bought = orders["order-paid"]
    found["repair"] = _both("ticketing:order_repair", bought.reference, bought.secret)
    found["find"] = _both("ticketing:find_orders")
    ticket = Ticket.objects.filter(line__order=orders["order-paid"]).order_by("line__position")[0]
    found["ticket"] = _both("ticketing:ticket", ticket.public_id, ticket.secret)
    RefundRule.objects.create(event=dinner.event, at=clock.now(), kind="hours", hours_before=24, fee_minor=2_500)
    paid_for = orders["order-paid"]
    found["refund"] = _both("ticketing:order_refund", paid_for.reference, paid_for.secret)
    chosen = f"?ticket={paid_for.lines.all()[0].public_id}"
    found["refund-agree"] = {language: f"{path}{chosen}" for language, path in found["refund"].items()}
    assert sorted(found) == sorted(NAMES)
    return found


def _both(view: str, *arguments: object) -> dict[str, str]:
    found = {}
    for language in LANGUAGES:
        with override(language):
            found[language] = reverse(view, args=arguments)
    return found


def _pages() -> Addresses:
    lucia = EventPage.objects.filter(title__startswith="Luciasittning")[0].event
    chosen = {
        "home": HomePage.objects.all(),
        "organisation": OrganisationPage.objects.filter(organisation=lucia.organisation),
        "event": EventPage.objects.filter(event=lucia),
        "plain": PlainPage.objects.filter(translation_key=PlainPage.objects.order_by("pk")[0].translation_key),
    }
    found = {
        name: {page.locale.language_code: page.get_url() or "" for page in pages.select_related("locale")}
        for name, pages in chosen.items()
    }
    found["list"] = _both("event_list")
    found["list-empty"] = {language: f"{address}?q=finns-inte" for language, address in found["list"].items()}
    found["legal"] = _both("legal:legal", "terms")
    found["not-found"] = {language: f"/{language}/finns-inte/" for language in LANGUAGES}
    return found


def _forms(dinner: Dinner) -> Addresses:
    later = factories.event(organisation=dinner.event.organisation, title_sv="Vårbalen", title_en="Spring ball")
    factories.ticket_type(later, factories.quota(later), sale_opens_at=clock.now() + timedelta(days=2, hours=4))
    full = factories.event(organisation=dinner.event.organisation, title_sv="Glöggmingel", title_en="Mulled wine")
    kind = factories.ticket_type(full, factories.quota(full, 1))
    factories.order(full, factories.wanted(kind))
    queue.drain(full.pk)
    catalogue.forget()
    return {
        "form": _both("ticketing:form", dinner.event.public_id),
        "form-not-open": _both("ticketing:form", later.public_id),
        "remind": _both("ticketing:remind", later.public_id),
        "form-sold-out": _both("ticketing:form", full.public_id),
    }


def _accounts() -> Addresses:
    names = {"login": "account_login", "signup": "account_signup", "password": "account_reset_password"}
    return {name: _both(view) for name, view in names.items()}


def _signed_in(dinner: Dinner, bought: Order) -> Addresses:
    buyer = User.objects.get(email=SIGNED_IN["my"])
    Order.objects.filter(pk=bought.pk).update(user=buyer)
    Ticket.objects.filter(line__order=bought).update(owner=buyer)
    return {
        "my": _both("accounts:my_pages"),
        "door-events": _both("checkin:events"),
        "door": _both("checkin:door", dinner.event.public_id),
    }


def _troubled(dinner: Dinner) -> Addresses:
    """A paid order that is disputed, and one whose event has moved."""
    disputed = paid(dinner, email="disputes@student.example")
    payment = Payment.objects.get(order=disputed)
    settle.settle(factories.notice(payment, "opened", kind="dispute", reference="dispute-1"), provider=payment.provider)
    elsewhere = Dinner(dinner.event.organisation)
    moved, event = paid(elsewhere, email="moved@student.example"), elsewhere.event
    moves.announce(
        event,
        by=factories.user(is_superuser=True),
        answer_by=clock.now() + timedelta(days=7),
        facts={"starts_at": event.starts_at + timedelta(days=14), "ends_at": event.ends_at + timedelta(days=14)},
        say_sv="Lokalen är översvämmad.",
        say_en="The place is flooded.",
    )
    return {
        "order-disputed": _both("ticketing:order", disputed.reference, disputed.secret),
        "order-moved": _both("ticketing:order", moved.reference, moved.secret),
        "moved": _both("ticketing:order_moved", moved.reference, moved.secret),
    }


def _orders(dinner: Dinner) -> dict[str, Order]:
    def somebody() -> dict[str, str]:  # each buys at most two
        return {"email": f"somebody{Order.objects.count()}@student.example"}

    found = {"order-expired": reserved(dinner, **somebody())}
    reservations.expire_overdue(clock.now() + timedelta(hours=1))
    found["order-rejected"] = dinner.order(1, **somebody())
    TicketType.objects.filter(pk=dinner.dinner.pk).update(is_published=False)
    queue.drain(dinner.event.pk)
    TicketType.objects.filter(pk=dinner.dinner.pk).update(is_published=True)
    catalogue.forget()
    found["order-cancelled"] = dinner.order(1, **somebody())
    ordering.cancel(found["order-cancelled"])
    found["order-refunded"] = paid(dinner, **somebody())
    refunds.order_refund(found["order-refunded"], list(found["order-refunded"].lines.all()), reason="refused")
    found["checkout"] = reserved(dinner, **somebody())
    found["order-paid"] = paid(dinner, **somebody())
    found["order-paying"] = reserved(dinner, **somebody())
    pay_by_sandbox(found["order-paying"], "slow")
    SandboxCharge.objects.filter(card="slow").update(changed_at=clock.now() + timedelta(days=1))  # slower than any test
    found["bank"] = reserved(dinner, **somebody())
    payments.open(payments.start(found["bank"], "sandbox", "http://localhost/"))
    elsewhere = Dinner(Organisation.objects.get(slug="kulissen"))  # where buyers may send the money themselves
    found["order-transfer"] = reserved(elsewhere, **somebody())
    payments.open(payments.start(found["order-transfer"], manual.SWISH, "http://localhost/"))
    found["order-waiting"] = _last(Dinner(dinner.event.organisation), fewer_is_fine=False)
    found["order-offered"] = _last(Dinner(dinner.event.organisation))
    dinner.order(2, **somebody())
    found["order-queued"] = dinner.order(2, **somebody())
    for name, order in found.items():
        order.refresh_from_db()
        held = ("checkout", "bank", "order-paying", "order-transfer")
        wanted = "reserved" if name in held else name.removeprefix("order-")
        assert order.state == wanted, (name, order.state)
    return found


def _last(dinner: Dinner, **values: Any) -> Order:
    """An order of two where one place is left."""
    dinner.event.quotas.filter(size=400).update(taken=399)
    order = dinner.order(2, **values)
    queue.drain(dinner.event.pk)
    return order
