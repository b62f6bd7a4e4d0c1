"""One of every page of the desk on which somebody keeps the money, by phone and on a wide screen: each fits its window,
and axe has nothing to say of what is ours in it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.events.tenancy import Role
from apps.ticketing import cancellations, clock, moves, payments, queue, refunds, transfers
from apps.ticketing.extensions import Notice
from apps.ticketing.models import Order, Payment, Refund, TransferAccount
from apps.ticketing.payments import manual, settle
from tests import factories
from tests.browser.conftest import DESKTOP, PHONE, Opener, Tab, overflow, shot, violations
from tests.resale import houses
from tests.tenancy.world import World, make_world, member, sell

pytestmark = pytest.mark.django_db(transaction=True)

SIZES = (PHONE, DESKTOP)


def build() -> tuple[User, dict[str, str]]:
    """A treasurer who is an editor too, and {name of a page: its address} in a house where all has happened."""
    world = make_world("Lyktan")
    person = member(world.organisation, Role.TREASURER, name="Bo Berg")
    assert world.organisation.editors is not None
    person.groups.add(world.organisation.editors)
    account = TransferAccount.objects.create(
        organisation=world.organisation,
        offers_transfer=True,
        bankgiro="9912346",
        offers_swish=True,
        swish_number="1234567890",
        days=10,
    )
    disputed, failed, part = (sell(world) for _ in range(3))
    paid = Payment.objects.get(order=disputed)
    told = Notice("", "dispute", "dispute-1", "opened", paid.amount_minor, "SEK", our_id=str(paid.public_id))
    settle.settle(told, provider=paid.provider)
    debt = refunds.order_refund(failed, failed.lines.all(), reason="refused")
    assert debt is not None
    news = factories.notice(debt.payment, "failed", kind="refund", our_id=str(debt.public_id), reference="")
    settle.settle(news, provider=debt.payment.provider)
    refunds.give_back(part, part.lines.all()[0], 5_000, note="Kall soppa")
    waiting, back = (_by_hand(world, number) for number in range(2))
    transfers.approve(back, received_minor=back.amount_minor, actor=person)
    refunds.order_refund(back.order, back.order.lines.all(), reason="refused")
    owed = Refund.objects.get(payment=back)
    settle.settle(
        factories.notice(back, "pending", kind="refund", our_id=str(owed.public_id), reference=""),
        provider=back.provider,
    )
    elsewhere = make_world("Skuggan")
    elsewhere.event.organisation = world.organisation
    elsewhere.event.save()
    later = elsewhere.event
    moves.announce(
        later,
        by=person,
        answer_by=clock.now() + timedelta(days=3),
        facts={"starts_at": later.starts_at + timedelta(days=7), "ends_at": later.ends_at + timedelta(days=7)},
        say_sv="Lokalen är översvämmad.",
    )
    cancellations.propose(later, by=person, say_sv="Vi måste tyvärr ställa in. Alla pengar går tillbaka.")
    listing = houses.listed(houses.ticket_of(sell(world)))
    event, moved = world.event.public_id, later.public_id
    return person, {
        "books": reverse("books"),
        "books-event": reverse("event_books", args=[event]),
        "to-do": reverse("refund_task:index"),
        "paid-otherwise": reverse("refund_task:otherwise", args=[debt.public_id]),
        "order-disputed": reverse("order_desk:inspect", args=[disputed.public_id]),
        "order-given-back": reverse("order_desk:inspect", args=[part.public_id]),
        "refund": reverse("order_desk:refund", args=[part.public_id]),
        "refund-rule": f"{reverse('refund_rule_desk:add')}?event={event}",
        "transfers": reverse("transfer_desk:index"),
        "transfer": reverse("transfer_desk:inspect", args=[waiting.public_id]),
        "bank-file": reverse("transfer_desk:bank_file"),
        "to-pay-back": reverse("pay_back_desk:index"),
        "pay-back": reverse("pay_back_desk:inspect", args=[owed.public_id]),
        "accounts": reverse("transfer_account_desk:index"),
        "account": reverse("transfer_account_desk:edit", args=[account.public_id]),
        "cancel": reverse("cancellation_desk:index"),
        "cancel-event": reverse("cancellation_desk:event", args=[event]),
        "cancel-proposed": reverse("cancellation_desk:event", args=[moved]),
        "move": reverse("move_desk:event", args=[event]),
        "moved": reverse("move_desk:event", args=[moved]),
        "second-hand": reverse("listing_desk:inspect", args=[listing.public_id]),
        "second-hand-change": reverse("listing_desk:change", args=[listing.public_id]),
        "stripe": reverse("stripe_desk:index"),
    }


def _by_hand(world: World, number: int) -> Payment:
    """An order whose buyer sends the money, waiting for it."""
    order = factories.order(
        world.event, factories.wanted(world.kind, 1, (world.choice, 1)), email=f"kim{number}@example.org"
    )
    queue.drain(world.event.pk)
    Order.objects.filter(pk=order.pk).update(name=f"Kim Köpare {number}")
    started = payments.start(Order.objects.get(pk=order.pk), manual.TRANSFER, "https://example.org/")
    assert started is not None
    return payments.open(started)


def signed_in(tab: Tab, live_server: Any, person: User) -> Tab:
    client = Client()
    client.force_login(person)
    tab.page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    return tab


def test_every_page_where_money_is_kept_fits_and_is_sound(open_tab: Opener, live_server: Any) -> None:
    person, pages = build()
    tab = signed_in(open_tab(size=DESKTOP), live_server, person)
    wrong: dict[str, Any] = {}
    for name, address in pages.items():
        page = tab.goto(address)
        assert page.locator("h1, h2").count() and live_server.url + address == page.url, name
        for size in SIZES:
            page.set_viewport_size(size)
            shot(page, f"desk-{name}-{size['width']}")
            if (wider := overflow(page)) > 0:
                wrong[f"{name} at {size['width']}"] = f"{wider} px too wide"
        if found := violations(page, inside="#main"):
            wrong[name] = found

    assert wrong == {}
