"""Choices and questions by phone: a buyer with two tickets, the friend who answers by a link, and another drink."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from apps.ticketing import answers, clock, invariants, outbox, queue
from apps.ticketing.models import Answer, Effect, LineChoice, Order, Question, Ticket
from tests import factories
from tests.browser.conftest import AT_REST, DESKTOP, PHONE, Opener, looks_right_everywhere, overflow, shot
from tests.browser.test_buyer_pages import pay_by_sandbox
from tests.browser.test_buying import form_of, serve
from tests.tenancy.world import make_world

pytestmark = pytest.mark.django_db(transaction=True)


class Sittning:
    """Beer is preselected; of wine, which costs 90 more, there are five; up to three snaps, and two questions."""

    def __init__(self) -> None:
        self.event = factories.event(
            organisation=factories.organisation(name="Festföreningen Lyktan"),
            starts_at=clock.now() + timedelta(days=30),
        )
        self.kind = factories.ticket_type(
            self.event, factories.quota(self.event, 40), name_sv="Sittning", name_en="Dinner", price_minor=25_000,
            vat_percent=12,
        )  # fmt: skip
        drink = factories.variation(self.kind, name_sv="Dryck", name_en="Beverage")
        self.beer = factories.choice(drink, name_sv="Öl", name_en="Beer", is_default=True)
        self.wine = factories.choice(
            drink, factories.quota(self.event, 5), name_sv="Vin", name_en="Wine", delta_minor=9_000
        )
        factories.choice(drink, name_sv="Alkoholfritt", name_en="Alcohol-free", delta_minor=-1_000, position=2)
        extra = factories.variation(self.kind, kind="many", name_sv="Till maten", name_en="With the food", position=1)
        self.snaps = factories.choice(extra, name_sv="Snaps", name_en="Snaps", delta_minor=3_000, max_quantity=3)
        self.diet = Question.objects.create(
            ticket_type=self.kind, text_sv="Vad äter du inte?", text_en="What do you not eat?", kind="diet",
            is_required=True, is_sensitive=True,
        )  # fmt: skip
        self.song = Question.objects.create(
            ticket_type=self.kind, text_sv="Vilken visa vill du höra?", text_en="Which song?", position=1
        )


def pay_at_the_bank(page: Page, amount: str) -> None:
    page.get_by_role("button", name=re.compile(f"Betala {amount}")).click()
    page.wait_for_url(re.compile("/sandbox/"))
    page.get_by_role("button", name=re.compile(f"Betala {amount}")).click()


def test_a_buyer_a_friend_and_another_drink(open_tab: Opener) -> None:
    evening = Sittning()
    page = open_tab().goto(form_of(evening.event, "sv"))
    page.locator(".type-row").first.locator('[data-step="1"]').first.click()
    page.locator(".type-row").first.locator('[data-step="1"]').first.click()
    expect(page.get_by_label("Öl").nth(1)).to_be_checked()  # nobody has to tap
    page.get_by_role("button", name="Fler: Snaps, biljett 1").click()
    page.get_by_role("button", name="Fler: Snaps, biljett 1").click()
    looks_right_everywhere(page, "choices-form")
    page.set_viewport_size(PHONE)
    page.locator("#buyer-email").fill("alva@student.example")
    page.locator("[data-price-button]").click()
    page.wait_for_url(re.compile("/sv/orders/"))
    serve(page, evening.event)
    page.get_by_label("Namn").fill("Alva Ek")
    page.get_by_label("Jag godkänner").check()
    pay_at_the_bank(page, "560")  # the form, the checkout and the bank: three screens
    expect(page.get_by_role("heading", level=1)).to_have_text("Biljetterna är dina!")
    order = Order.objects.get()
    picked = LineChoice.objects.order_by("line__position", "choice").values_list("choice", "quantity")
    assert list(picked) == [(evening.beer.pk, 1), (evening.snaps.pk, 2), (evening.beer.pk, 1)]
    looks_right_everywhere(page, "choices-paid")
    page.set_viewport_size(PHONE)

    # Her own answers.
    page.get_by_role("link", name="Svara, eller skicka länkarna").click()
    looks_right_everywhere(page, "answers-order")
    page.set_viewport_size(PHONE)
    page.get_by_role("link", name="Svara här").first.click()
    page.get_by_role("button", name="Spara svaren").click()
    expect(page.get_by_text("Det här måste besvaras. Inget sparades.")).to_be_visible()
    looks_right_everywhere(page, "answers-ticket-wrong")
    page.set_viewport_size(PHONE)
    page.get_by_label("Vegetarian").check()
    page.get_by_label("Något annat, till exempel en allergi").fill("selleri")
    page.get_by_role("button", name="Spara svaren").click()
    expect(page.get_by_text("Sparat. Tack!")).to_be_visible()
    looks_right_everywhere(page, "answers-ticket")
    page.set_viewport_size(PHONE)

    # The other's link, by mail.
    page.goto(page.url.split("/sv/")[0] + reverse("ticketing:order_answers", args=[order.reference, order.secret]))
    page.get_by_text("Skicka frågorna till gästen").nth(1).click()
    page.get_by_label("Din gästs e-post").nth(1).fill("bo@student.example")
    page.get_by_role("button", name="Mejla länken").click()
    expect(page.get_by_text("Länken är på väg till din gäst.")).to_be_visible()
    outbox.run(Effect.objects.get(payload__name="guest_questions").pk)

    # The friend, on a phone of their own, in English.
    second = Ticket.objects.order_by("line__position")[1]
    friend = open_tab(language="en").goto(
        reverse("ticketing:ticket_answers", args=[second.public_id, answers.token_of(second)]).replace("/sv/", "/en/")
    )
    friend.get_by_label("Eats everything").check()
    friend.get_by_label("Which song?").fill("Helan går")
    friend.get_by_role("button", name="Save the answers").click()
    expect(friend.get_by_text("Saved. Thank you!")).to_be_visible()
    assert Answer.objects.count() == 3

    # And wine instead of beer, while there is time.
    page.goto(page.url.split("?")[0])
    expect(page.get_by_text("Allt besvarat").first).to_be_visible()
    page.get_by_role("link", name=re.compile("Ändra valen.*Biljett 1")).click()
    looks_right_everywhere(page, "change")
    page.set_viewport_size(PHONE)
    page.get_by_label("Vin").check()
    page.get_by_role("button", name="Se vad det blir").click()
    looks_right_everywhere(page, "change-confirm")
    page.set_viewport_size(PHONE)
    page.get_by_role("button", name=re.compile("Vidare och betala 90")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dina nya val hålls medan du betalar")
    looks_right_everywhere(page, "change-checkout")
    page.set_viewport_size(PHONE)
    pay_at_the_bank(page, "90")
    expect(page.get_by_text("Dina val är ändrade.")).to_be_visible()
    looks_right_everywhere(page, "change-done")
    first = LineChoice.objects.filter(line__order=order, line__position=0).values_list("choice", "quantity")
    assert sorted(first) == sorted([(evening.wine.pk, 1), (evening.snaps.pk, 2)])
    assert invariants.check() == []


def test_without_javascript_the_default_needs_no_second_page(open_tab: Opener) -> None:
    evening = Sittning()
    page = open_tab(language="en", javascript=False).goto(form_of(evening.event))

    page.get_by_label("Number: Dinner").fill("2")
    page.get_by_label("E-mail").fill("robin@example.org")
    page.get_by_role("button", name=re.compile("Get tickets|Buy|Queue|tickets")).first.click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("is your place")
    assert list(LineChoice.objects.values_list("choice", flat=True)) == [evening.beer.pk] * 2


def test_questions_asked_before_paying_stand_in_the_checkout(open_tab: Opener) -> None:
    evening = Sittning()
    Question.objects.filter(pk=evening.diet.pk).update(is_asked_before_paying=True)
    order = factories.order(evening.event, factories.wanted(evening.kind, 1, (evening.beer, 1)))
    queue.drain(evening.event.pk)

    page = open_tab().goto(f"/sv/orders/{order.reference}/{order.secret}/")

    expect(page.get_by_text("Vad äter du inte?")).to_be_visible()
    looks_right_everywhere(page, "checkout-asks")


def test_the_organiser_reads_and_makes_questions(open_tab: Opener, live_server: Any) -> None:
    world = make_world("Lyktan")
    diet = Question.objects.create(ticket_type=world.kind, text_sv="Mat?", text_en="What do you not eat?", kind="diet")
    order = factories.order(world.event, factories.wanted(world.kind, 2, (world.choice, 1)))
    queue.drain(world.event.pk)
    order.refresh_from_db()
    pay_by_sandbox(order)
    line = Ticket.objects.filter(line__order=order)[0].line
    answers.answer(line, {diet.pk: answers.Given(("vegan",), "celery")})
    client = Client()
    client.force_login(world.editor)
    tab = open_tab(size=DESKTOP, language="en")
    cookie = client.cookies["sessionid"].value
    tab.page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])

    page = tab.goto(reverse("event_answers", args=[world.event.public_id]))
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        page.evaluate(AT_REST)
        shot(page, f"desk-answers-{size['width']}")
        assert overflow(page) <= 0
    page.get_by_role("link", name="Show that too").click()
    expect(page.get_by_text("That you looked is noted.")).to_be_visible()

    page.set_viewport_size(DESKTOP)
    page = tab.goto(reverse("ticket_type_desk:edit", args=[world.kind.public_id]))
    page.get_by_role("button", name="Add a free question").click()
    page.locator('[name="questions-1-text_en"]').fill("Which song?")
    shot(page, "desk-type-questions-1280")
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_text("is saved")).to_be_visible()
    assert world.kind.questions.filter(text_en="Which song?").exists()
