"""A ticket given away by two people and a door: the giver sends it, the recipient accepts it on a phone, the giver's
code is refused as given away and the recipient's lets them in."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from django.core import mail
from django.urls import reverse
from django.utils.translation import override
from playwright.sync_api import expect

from apps.checkin import reasons, scans
from apps.ticketing import credentials, event_face, gift_payments, giving, outbox
from apps.ticketing.extensions import price_rules
from apps.ticketing.models import Gift, Order, Ticket
from apps.ticketing.payments import settle
from tests import factories
from tests.browser.conftest import PHONE, Opener, looks_right_everywhere
from tests.browser.test_buyer_pages import Dinner, paid
from tests.ticketing.test_gift_payments import MORE, Members
from tests.ticketing.test_gift_payments import offered as offered_for_more

pytestmark = pytest.mark.django_db(transaction=True)


def address(name: str, *args: object, language: str = "sv") -> str:
    with override(language):
        return reverse(f"ticketing:{name}", args=args)


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "plain"])
def test_giver_recipient_and_door(open_tab: Opener, javascript: bool) -> None:
    event_face.forget()
    order = paid(Dinner())
    old = Ticket.objects.filter(line__order=order).order_by("line__position").first()
    assert old is not None
    old_code = credentials.sign(old)

    page = open_tab(javascript=javascript).goto(address("ticket", old.public_id, old.secret))
    if javascript:
        looks_right_everywhere(page, "gift-ticket")
        page.set_viewport_size(PHONE)
    page.get_by_role("link", name="Ge bort biljetten").click()
    page.get_by_role("button", name="Erbjud biljetten").click()
    expect(page.get_by_text("Skriv namnet på den som ska ha den.")).to_be_visible()
    if javascript:
        looks_right_everywhere(page, "gift-give-wrong")
        page.set_viewport_size(PHONE)
    page.get_by_label("Vem ska ha den?").fill("Kim Ek")
    page.get_by_label("Personens e-post").fill("kim@example.org")
    page.get_by_label("Några ord").fill("Jag hinner inte. Gå du!")
    page.get_by_role("button", name="Erbjud biljetten").click()
    expect(page.get_by_text("Vi har skrivit till kim@example.org.")).to_be_visible()
    if javascript:
        looks_right_everywhere(page, "gift-offered")

    outbox.run_all()
    (letter,) = [sent for sent in mail.outbox if sent.to == ["kim@example.org"]]
    link = re.search(r"https?://\S+(/sv/gifts/\S+)", str(letter.body))
    assert link is not None
    assert order.secret not in str(letter.body) + str(letter.alternatives[0][0])  # type: ignore[attr-defined]

    phone = open_tab(javascript=javascript).goto(link[1])
    expect(phone.get_by_text("Jag hinner inte. Gå du!")).to_be_visible()
    if javascript:
        looks_right_everywhere(phone, "gift-answer")
        phone.set_viewport_size(PHONE)
    phone.get_by_label("Ditt namn").fill("Kim Ekström")
    phone.get_by_role("button", name="Ta emot biljetten").click()
    expect(phone.locator(".ticket__qr")).to_be_visible()
    expect(phone.get_by_text("Kim Ekström").first).to_be_visible()
    if javascript:
        looks_right_everywhere(phone, "gift-accepted")

    page.goto(page.url.split("/sv/")[0] + address("ticket", old.public_id, old.secret))
    expect(page.get_by_text(re.compile("Du gav den här biljetten till Kim Ek"))).to_be_visible()
    expect(page.locator(".ticket__qr")).to_have_count(0)
    if javascript:
        looks_right_everywhere(page, "gift-gone")

    new = Gift.objects.get().became
    assert new is not None
    robin = factories.user(name="Robin Ek")
    turned_away = scans.admit(old_code, event=order.event, by=robin, scan_id=uuid4(), confirmed=True)
    let_in = scans.admit(credentials.sign(new), event=order.event, by=robin, scan_id=uuid4(), confirmed=True)
    assert (turned_away.outcome, turned_away.reason) == ("not_valid", reasons.GIVEN_AWAY)
    assert (let_in.outcome, let_in.initials) == ("admitted", "K. E.")


def test_an_offer_that_has_ended_says_so_to_its_recipient(open_tab: Opener) -> None:
    event_face.forget()
    ticket = Ticket.objects.filter(line__order=paid(Dinner())).first()
    assert ticket is not None
    gift = giving.give(ticket, name="Kim", email="kim@example.org")
    giving.cancel(gift)

    page = open_tab(language="en").goto(address("gift", gift.public_id, gift.secret, language="en"))

    expect(page.get_by_role("heading", name="The offer has ended")).to_be_visible()
    expect(page.get_by_role("button", name="Accept the ticket")).to_have_count(0)
    looks_right_everywhere(page, "gift-ended")


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "plain"])
def test_recipient_pays_what_the_ticket_costs_them_more(open_tab: Opener, javascript: bool) -> None:
    event_face.forget()
    with price_rules.temporarily(Members()):
        gift = offered_for_more()
        page = open_tab(javascript=javascript).goto(address("gift", gift.public_id, gift.secret))
        expect(page.get_by_text("Du skulle betala 50 kr mer")).to_be_visible()
        if javascript:
            looks_right_everywhere(page, "gift-pays")
            page.set_viewport_size(PHONE)
        page.get_by_label("Ditt namn").fill("Kim Ekström")
        page.get_by_role("button", name="Betala 50 kr och ta den").click()
        expect(page.get_by_role("heading", name="Biljetten är din när du betalar mellanskillnaden")).to_be_visible()
        expect(page.get_by_label("Namn")).to_have_value("Kim Ekström")
        if javascript:
            looks_right_everywhere(page, "gift-pays-checkout")
            page.set_viewport_size(PHONE)
        checkout = page.url

        page.goto(page.url.split("/sv/")[0] + address("gift", gift.public_id, gift.secret))
        expect(page.get_by_role("link", name="Fortsätt betala")).to_be_visible()
        if javascript:
            looks_right_everywhere(page, "gift-pays-begun")
            page.set_viewport_size(PHONE)

        order = Order.objects.get(channel="gift")
        due = factories.payment(order)
        settle.settle(factories.notice(due), provider=due.provider)
        page.goto(checkout)
        expect(page.get_by_role("link", name="Visa biljetten")).to_be_visible()
        assert Ticket.objects.get(state="valid").holder_name == "Kim Ekström"


def test_money_for_an_offer_that_was_taken_back_is_told_of(open_tab: Opener) -> None:
    event_face.forget()
    with price_rules.temporarily(Members()):
        gift = offered_for_more()
        order = gift_payments.begin(gift, agreed_minor=MORE)
        due = factories.payment(order)
        settle.settle(factories.notice(due), provider=due.provider)
        giving.cancel(gift)

        page = open_tab(language="en").goto(address("gift", gift.public_id, gift.secret, language="en"))

        expect(page.get_by_role("heading", name="The offer has ended")).to_be_visible()
        expect(page.get_by_role("heading", name="The SEK 50 you paid goes back, all of it")).to_be_visible()
        expect(page.get_by_text("No money was taken")).to_have_count(0)
        looks_right_everywhere(page, "gift-pays-back")
