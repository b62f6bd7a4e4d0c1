"""The page on which a ticket is sold, open twice: what it showed before does nothing, and what is different is said."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from apps.resale import listings, reasons
from apps.resale.models import Listing
from apps.ticketing.models import Ticket
from tests.resale import houses

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("promises_kept")]


class Tab:
    """One tab, with the form as its page had it: what is hidden in it is sent along."""

    def __init__(self, client: Client, ticket: Ticket) -> None:
        self.client = client
        self.url = reverse("resale:sell", args=[ticket.public_id, ticket.secret]).replace("/sv/", "/en/")
        self.read(client.get(self.url))

    def read(self, answer: Any) -> None:
        page = answer.content.decode()
        self.status, self.fields = (
            answer.status_code,
            dict(re.findall(r'type="hidden" name="(\w+)" value="(.*?)"', page)),
        )
        self.fields |= dict(re.findall(r'name="(price)"[^>]* value="(.*?)"', page))
        self.fields |= dict(re.findall(r'name="(who)" value="(\w+)" checked', page))
        told = re.search(r"data-sell-problem>(.*?)</div>\s*(<p|$)", page, re.DOTALL)
        self.told = " ".join(strip_tags(told[1]).split()) if told else ""
        self.page = page

    def press(self, act: str, **typed: str) -> None:
        """A button; what comes back is the page that the browser is led to."""
        self.fields |= typed
        self.read(self.client.post(self.url, {**self.fields, "act": act}, follow=True))

    def reckon(self, **typed: str) -> None:
        """What the script asks while one types, and the button beside without it."""
        self.fields |= typed
        kept = self.fields
        self.read(self.client.get(self.url, kept))


@pytest.fixture
def ticket() -> Ticket:
    return houses.sold_ticket(price_minor=25_000)


def stands() -> list[tuple[str, int, bool]]:
    return list(Listing.objects.order_by("pk").values_list("state", "asked_minor", "is_private"))


def change(listing: Listing, asked_minor: int, *, is_private: bool = False) -> None:
    """In the other tab."""
    now = Listing.objects.get(pk=listing.pk)
    told = {"asked_minor": asked_minor, "agreed_payout_minor": asked_minor, "is_private": is_private}
    listings.change(now, version=now.version, **told)


@pytest.mark.parametrize("reckons", [False, True], ids=["pressed", "reckoned before"])
def test_stale_tab_changes_nothing_and_is_told_price_and_buyers(client, ticket, reckons):
    listing = houses.listed(ticket)
    tab = Tab(client, ticket)
    change(listing, 20_000, is_private=True)

    if reckons:
        tab.reckon(price="240")
    else:
        tab.press("change", price="240", payout="24000")

    assert stands() == [("open", 20_000, True)]
    assert tab.status == (200 if reckons else 409)
    assert tab.told == (
        "The price was changed from SEK 250 to SEK 200. Whoever has its link may buy it now, and not anybody."
        " Nothing was done. Below is how it is now."
    )
    assert (tab.fields["price"], tab.fields["who"], tab.fields["version"]) == ("200", "friend", "2")


def test_script_that_reckons_leaves_the_form_what_it_showed(client, ticket):
    """It exchanges the sum beside the form, and no more of it."""
    listing = houses.listed(ticket)
    tab = Tab(client, ticket)
    seen, at_first = dict(tab.fields), tab.page
    change(listing, 20_000, is_private=True)
    tab.reckon(price="240")

    summary = at_first[at_first.index('id="sell-summary"') :]
    assert 'name="version"' not in summary and 'name="listing"' not in summary
    tab.fields = {**seen, "payout": tab.fields["payout"]}
    tab.press("change", price="240")

    assert (tab.status, stands()) == (409, [("open", 20_000, True)])


def test_change_of_a_withdrawn_listing_does_not_put_it_up(client, ticket):
    listing = houses.listed(ticket)
    tab = Tab(client, ticket)
    listings.withdraw(listing)

    tab.press("change", price="240", payout="24000")

    assert (tab.status, stands()) == (409, [("withdrawn", 25_000, False)])
    assert tab.told == (
        "The ticket was withdrawn from sale since you looked, so nothing was changed. It is not for sale."
    )


def test_form_of_a_listing_before_does_nothing_to_the_one_now(client, ticket):
    first = houses.listed(ticket)
    tab = Tab(client, ticket)
    listings.withdraw(first)
    houses.listed(ticket, 20_000)

    tab.press("change", price="240", payout="24000")
    told = tab.told
    again = Tab(client, ticket)
    again.fields["listing"] = str(first.public_id)
    again.press("withdraw")

    assert stands() == [("withdrawn", 25_000, False), ("open", 20_000, False)]
    assert told == (
        "The ticket was withdrawn and put up for sale anew since you looked. The price was changed from SEK 250 to"
        " SEK 200. Nothing was done. Below is how it is now."
    )
    assert again.status == 409


def test_tab_that_would_put_up_what_is_for_sale_already_shows_how_it_is(client, ticket):
    tab = Tab(client, ticket)
    houses.listed(ticket, 20_000)

    tab.press("list", price="240", payout="24000")

    assert (tab.status, stands()) == (409, [("open", 20_000, False)])
    assert tab.told.startswith("The ticket is for sale already, for SEK 200, so nothing was changed.")
    assert (tab.fields["price"], tab.fields["version"]) == ("200", "1")


def test_what_the_organiser_withdrew_is_told_as_that(client, ticket):
    listing = houses.listed(ticket)
    tab = Tab(client, ticket)
    listings.withdraw(listing, reason=reasons.BY_DESK)

    tab.press("change", price="240", payout="24000")

    assert (tab.status, tab.told.startswith("The organiser withdrew the ticket from sale.")) == (409, True)


@pytest.mark.parametrize("state", ["held", "sold"])
def test_what_is_being_bought_or_sold_is_told_as_that(client, ticket, state):
    listing = houses.listed(ticket)
    tab = Tab(client, ticket)
    order = houses.ordered(listing)
    if state == "sold":
        houses.pay(order)

    tab.press("change", price="240", payout="24000")

    told = {"held": "Somebody is buying the ticket at this moment", "sold": "The ticket is sold already"}
    assert (tab.status, tab.told.startswith(told[state])) == (409, True)


def test_price_typed_without_reckoning_is_shown_with_what_comes_back(client, ticket):
    """Nothing has changed: the button named another sum than was typed beside it."""
    houses.listed(ticket)
    tab = Tab(client, ticket)

    tab.press("change", price="240")

    assert (tab.status, stands()) == (409, [("open", 25_000, False)])
    assert tab.told.startswith("At this price something else comes back than you saw.")
    assert (tab.fields["price"], tab.fields["payout"]) == ("240", "24000")

    tab.press("change")

    assert stands() == [("open", 24_000, False)]


@pytest.mark.parametrize("act", ["withdraw", "change", "", "buy"])
def test_button_that_the_page_did_not_show_lists_nothing(client, ticket, act):
    tab = Tab(client, ticket)

    tab.press(act, price="240", payout="24000")

    assert (tab.status, stands()) == (409, [])
