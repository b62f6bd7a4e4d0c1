"""A sold-out evening: a guest joins the waiting list, confirms by mail, is offered a place that came back and takes it,
with the choice that has to be made, on a phone with and without JavaScript."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.urls import reverse
from django.utils.translation import override
from playwright.sync_api import expect

from apps.resale.models import WaitingEntry
from apps.ticketing import event_face, outbox, queue
from apps.ticketing.models import Order, Ticket
from tests import factories
from tests.browser.conftest import PHONE, Opener, looks_right_everywhere
from tests.resale import houses, lines

pytestmark = pytest.mark.django_db(transaction=True)


def link_in(address: str) -> str:
    """The entry's page, as the newest mail to this address has it."""
    outbox.run_all()
    letter = [sent for sent in mail.outbox if sent.to == [address]][-1]
    found = re.search(r"https?://\S+(/sv/waiting/\S+)", str(letter.body))
    assert found is not None
    return found[1]


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "plain"])
def test_a_guest_joins_is_offered_a_ticket_and_takes_it(open_tab: Opener, javascript: bool) -> None:
    event_face.forget()
    event, kind = lines.sold_out(name_sv="Sittning", name_en="Dinner")
    drink = factories.variation(kind, kind="one")
    for name in ("Öl", "Alkoholfritt"):
        factories.choice(drink, name_sv=name)
    with override("sv"):
        form = reverse("ticketing:form", args=[event.public_id])
    page = open_tab(javascript=javascript).goto(form)

    def look(name: str) -> None:
        if javascript:
            looks_right_everywhere(page, f"waiting-{name}")
            page.set_viewport_size(PHONE)

    look("sold-out")
    page.get_by_role("link", name="Ställ dig på väntelistan").first.click()
    page.get_by_label("Din e-post").fill("kim@example.org")
    page.get_by_label("Hur många?").fill("99")
    page.get_by_role("button", name="Ställ dig på väntelistan").click()
    expect(page.get_by_text("Skriv hur många biljetter du vill ha")).to_be_visible()
    look("join-wrong")
    page.get_by_label("Hur många?").fill("1")
    page.get_by_role("button", name="Ställ dig på väntelistan").click()
    expect(page.get_by_text("Vi har skrivit till kim@example.org")).to_be_visible()
    look("mailed")

    page.goto(page.url.split("/sv/")[0] + link_in("kim@example.org"))
    look("confirm")
    page.get_by_role("button", name="Ja, sätt upp mig på listan").click()
    expect(page.get_by_role("heading", name="Du är nummer 1 på listan")).to_be_visible()
    look("place")

    lines.comes_back(Order.objects.get(event=event))
    page.goto(page.url.split("/sv/")[0] + link_in("kim@example.org"))
    expect(page.get_by_role("heading", name="En biljett till dig")).to_be_visible()
    look("offer")
    page.get_by_text("Alkoholfritt").click()
    page.get_by_role("button", name=re.compile("Ta för")).click()
    queue.drain(event.pk)
    page.reload()
    expect(page.get_by_role("button", name=re.compile("Betala"))).to_be_visible()

    entry = WaitingEntry.objects.get()
    with override("sv"):
        page.goto(page.url.split("/sv/")[0] + reverse("resale:waiting", args=[entry.public_id, entry.secret]))
    expect(page.get_by_role("heading", name="Du tog den")).to_be_visible()
    look("taken")
    houses.pay(Order.objects.get(channel="list"))
    page.reload()
    expect(page.get_by_role("heading", name="Du står inte längre på väntelistan")).to_be_visible()
    look("served")
    assert Ticket.objects.filter(event=event, holder_email="kim@example.org").exists()
