"""The language chooser leads from every kind of page to the same page in the other language, and back."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from tests import factories
from tests.checkin.conftest import paid_tickets
from tests.tenancy.world import World, page_of

pytestmark = pytest.mark.django_db

PAGES = (
    *("/sv/", "/sv/?when=week", "/sv/{slug}/", "/sv/{slug}/event/", "/sv/legal/{slug}/terms/", "/sv/legal/privacy/1/"),
    *("/sv/orders/{reference}/{secret}/", "/sv/tickets/{ticket}/{ticket_secret}/", "/sv/events/{event}/tickets/"),
    *("/sv/nothing-here/", "/accounts/login/", "/accounts/signup/?next=/my/", "/accounts/password/reset/"),
)


def choose(client: Client, html: str) -> str:
    """Use the chooser as a visitor does; the address of the page one comes to."""
    link = re.search(r'<a class="lang__link" href="([^"]+)"', html)
    if link:
        return unescape(link[1])
    going_on = re.search(
        r'name="next" value="([^"]*)">\s*<button class="lang__link" name="language" value="(\w+)"', html
    )
    assert going_on, "no way to the other language"
    return client.post(reverse("set_language"), {"next": unescape(going_on[1]), "language": going_on[2]})["Location"]


@pytest.mark.parametrize("pattern", PAGES)
def test_the_chooser_stays_on_the_page(ours: World, pattern: str) -> None:
    kind = factories.ticket_type(ours.event, factories.quota(ours.event, 5))
    [ticket] = paid_tickets(ours.event, kind)
    order = ticket.line.order
    ours.page.delete()
    for root in ours.organisation.pages.all():
        page = page_of(ours.event, root, slug="event")
        page.translation_key = ours.event.public_id
        page.save()
    facts = {
        "slug": ours.organisation.slug,
        "reference": order.reference,
        "secret": order.secret,
        "ticket": ticket.public_id,
        "ticket_secret": ticket.secret,
        "event": ours.event.public_id,
    }
    client = Client(headers={"accept-language": "sv"})
    address = pattern.format(**facts)

    there = client.get(address)
    english = choose(client, there.content.decode())
    here = client.get(english)
    back = choose(client, here.content.decode())

    assert '<html lang="sv"' in there.content.decode()
    assert (here.status_code, '<html lang="en"' in here.content.decode()) == (there.status_code, True)
    assert english.partition("?")[0] == address.partition("?")[0].replace("/sv/", "/en/")
    assert back.partition("?")[0] == address.partition("?")[0]
