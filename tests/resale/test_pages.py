"""The pages of resale: find a ticket, buy it, sell one's own. And what they say to bad input."""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from apps.accounts.models import User
from apps.checkin import scans
from apps.discounts import facts
from apps.events.models import Event
from apps.resale import market as market_list
from apps.resale.acts import ListingsPanel
from apps.resale.blocks import ResaleBlock
from apps.resale.models import Listing, ResaleRule
from apps.ticketing import (
    challenges,
    clock,
    giving,
    limits,
    outbox,
    queue,
    refunds,
    sale_control,
    second_hand,
    tickets,
)
from apps.ticketing.models import Order, Payment, Refund, Ticket, TicketType
from apps.ticketing.payments.settle import settle as settle_notice
from tests import factories
from tests.clock import clock_moved
from tests.discounts import builders
from tests.resale import houses

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def promises(promises_kept):
    """Every test here ends with all promises kept."""


def sell_url(ticket: Ticket) -> str:
    return reverse("resale:sell", args=[ticket.public_id, ticket.secret])


def for_sale(price_minor: int = 25_000, asked_minor: int | None = None, **values) -> Listing:
    """A listing of an event with a public page."""
    ticket = houses.sold_ticket(price_minor=price_minor)
    houses.published(ticket.event)
    return houses.listed(ticket, asked_minor, **values)


def market(client, query: str = "") -> str:
    return client.get(reverse("resale:market") + query).content.decode()


# --- Finding -------------------------------------------------------------------------------------------------------


def test_market_shows_what_can_be_bought_and_nothing_else(client):
    shown = for_sale()
    private = for_sale(is_private=True)
    used = for_sale()
    tickets.use(used.ticket)
    held = for_sale()
    houses.ordered(held)
    closed = for_sale()
    ResaleRule.objects.create(event=closed.event, is_open=False)
    unseen = houses.listed(houses.sold_ticket(price_minor=25_000))  # an event without a page
    hidden = for_sale()
    hidden.ticket.ticket_type.visibility = "link"
    hidden.ticket.ticket_type.save()

    page = market(client)

    seen = {listing.pk: str(listing.public_id) in page for listing in Listing.objects.all()}
    others = (private, used, held, closed, unseen, hidden)
    assert seen == {shown.pk: True, **{listing.pk: False for listing in others}}


def stop(event: Event, how: str) -> None:
    """The event's sale is changed so; said with a sentence."""
    if how == "moved":
        sale_control.move(event, opens_at=clock.now() + timedelta(hours=2), say_sv="Banken är nere.")
    else:
        {"paused": sale_control.pause, "ended": sale_control.end}[how](event, say_sv="Banken är nere.")


@pytest.mark.parametrize(("how", "is_left_out"), [("paused", True), ("moved", True), ("ended", False)])
def test_listings_are_left_out_while_the_sale_stands_still(client, how, is_left_out):
    stopped, other = for_sale(), for_sale()
    own_page = reverse("resale:of_event", args=[stopped.event.public_id])

    def seen() -> tuple[bool, ...]:
        pages = (
            market(client),
            market(client, f"?event={stopped.event.public_id}"),
            client.get(own_page).content.decode(),
        )
        assert str(other.public_id) in pages[0]
        market_list.kept_any.forget()
        shown = [str(stopped.public_id) in page for page in pages]
        return (*shown, bool(second_hand.url_if_any(stopped.event)), stopped.event in market_list.kept_events(None))

    stop(stopped.event, how)
    while_stopped = seen()
    with clock_moved(timedelta(hours=3)):
        if how == "paused":
            sale_control.resume(stopped.event)
        afterwards = seen()

    assert (while_stopped, afterwards) == ((not is_left_out,) * 5, (True,) * 5)


@pytest.fixture
def kept_market(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is kept of the marketplace stays for the test, and no longer."""
    kept_of_market = (market_list.kept_counts, market_list.kept_any, market_list.kept_events)
    for kept in kept_of_market:
        kept.forget()
        monkeypatch.setattr(kept, "seconds", 60.0)
    yield
    for kept in kept_of_market:
        kept.forget()


@pytest.mark.usefixtures("kept_market")
def test_what_is_kept_of_the_market_counts_no_listing_of_a_sale_that_was_paused_meanwhile(
    client, django_capture_on_commit_callbacks
):
    stopped, _other = for_sale(), for_sale()

    def told() -> tuple[bool, bool, bool]:
        page = market(client)
        has_any = bool(second_hand.url_if_any(stopped.event))
        return "2 biljetter" in page, f'<option value="{stopped.event.public_id}"' in page, has_any

    before = told()
    with django_capture_on_commit_callbacks(execute=True):
        sale_control.pause(stopped.event)
    paused = told()
    with django_capture_on_commit_callbacks(execute=True):
        sale_control.resume(stopped.event)

    assert (before, paused, told()) == ((True, True, True), (False, False, False), (True, True, True))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?from=150", [200, 300]),
        ("?to=200", [100, 200]),
        ("?from=300&to=150", [200, 300]),
        ("?from=abc&to=-5", [100, 200, 300]),
        ("?from=999999999999", [100, 200, 300]),
        ("?sort=-price", [300, 200, 100]),
        ("?sort=nonsense", [100, 200, 300]),
        ("?event=not-a-uuid", [100, 200, 300]),
        (f"?event={uuid.UUID(int=7)}", []),
        (f"?type={uuid.UUID(int=7)}", []),
        ("?page=77", [100, 200, 300]),
        ("?q=%00%F0%9F%8E%AB", []),
    ],
)
def test_market_filters_and_sorts_by_its_address(client, query, expected):
    by_price = {kronor: for_sale(asked_minor=kronor * 100, price_minor=30_000) for kronor in (100, 200, 300)}

    page = market(client, query)

    places = {kronor: page.find(str(listing.public_id)) for kronor, listing in by_price.items()}
    assert sorted((kronor for kronor, at in places.items() if at >= 0), key=places.__getitem__) == expected


# What is for sale where two currencies are: 100 and 300 kr, 20 and 40 €.
MIXED = (("SEK", 100), ("SEK", 300), ("EUR", 20), ("EUR", 40))


def in_currency(currency: str, whole: int) -> Listing:
    """A listing at this price, of an event of its own that is sold in this currency."""
    event = factories.event(currency=currency)
    kind = factories.ticket_type(event, factories.quota(event), price_minor=30_000)
    houses.published(event)
    return houses.listed(houses.sold_ticket(of=kind), whole * 100)


def in_order(page: str, listings: dict[tuple[str, int], Listing]) -> list[tuple[str, int]]:
    """Which of these the page shows, from its top."""
    places = {what: page.find(str(listing.public_id)) for what, listing in listings.items()}
    return sorted((what for what, at in places.items() if at >= 0), key=places.__getitem__)


def chips_of(page: str) -> list[str]:
    return [html.unescape(word) for word in re.findall(r"Ta bort </span>([^<]+)<", page)]


@pytest.mark.parametrize(
    ("query", "expected", "chips"),
    [
        ("", [("SEK", 100), ("SEK", 300), ("EUR", 20), ("EUR", 40)], []),
        ("?sort=-price", [("SEK", 300), ("SEK", 100), ("EUR", 40), ("EUR", 20)], []),
        ("?from=30", [("SEK", 100), ("SEK", 300)], ["från 30\xa0kr"]),
        ("?from=30&currency=SEK", [("SEK", 100), ("SEK", 300)], ["från 30\xa0kr"]),
        ("?from=30&currency=EUR", [("EUR", 40)], ["från 30\xa0€"]),
        ("?to=150&currency=EUR&sort=-price", [("EUR", 40), ("EUR", 20)], ["0–150\xa0€"]),
        ("?from=50&to=10€&currency=EUR", [("EUR", 20), ("EUR", 40)], ["10–50\xa0€"]),
        ("?to=150&currency=DKK", [("SEK", 100)], ["0–150\xa0kr"]),
        ("?currency=EUR", [("EUR", 20), ("EUR", 40)], ["€"]),
        ("?currency=SEK&sort=-price", [("SEK", 300), ("SEK", 100)], ["kr"]),
    ],
)
def test_market_of_two_currencies_mixes_them_neither_in_its_range_nor_by_price(client, query, expected, chips):
    listings = {what: in_currency(*what) for what in MIXED}

    page = market(client, query)

    chosen = "EUR" if "€" in "".join(chips) else "SEK" if chips else ""
    assert (in_order(page, listings), chips_of(page)) == (expected, chips)
    assert re.findall(r'<option value="(SEK|EUR)"( selected)?>(kr|€)<', page) == [
        ("SEK", " selected" * (chosen == "SEK"), "kr"),
        ("EUR", " selected" * (chosen == "EUR"), "€"),
    ]
    assert "Från kr" not in page and "Till kr" not in page


@pytest.mark.parametrize(
    ("currency", "sign", "said", "link"),
    [("SEK", "kr", "", "?from=20&amp;"), ("EUR", "€", "EUR", "?from=20&amp;currency=EUR&amp;")],
)
def test_market_of_one_currency_has_its_range_in_it_and_asks_for_no_other(
    client, monkeypatch, currency, sign, said, link
):
    monkeypatch.setattr(market_list, "PER_PAGE", 1)
    listings = {(currency, whole): in_currency(currency, whole) for whole in (10, 25, 30)}

    page = market(client, "?from=20&sort=-price")

    assert in_order(page, listings) == [(currency, 30)]
    assert chips_of(page) == [f"från 20\xa0{sign}"]
    assert f">Från {sign}<" in page and f">Till {sign}<" in page and 'id="currency"' not in page
    assert re.findall(r'type="hidden" name="currency" value="(\w+)"', page) == [said] * bool(said)
    assert f'{link}sort=-price&amp;page=2"' in page  # and the address says it once others are for sale as well


def test_market_of_an_event_has_its_range_in_the_events_currency(client):
    listings = {what: in_currency(*what) for what in MIXED}
    event = listings["EUR", 40].event

    page = market(client, f"?event={event.public_id}&from=30")

    assert (in_order(page, listings), chips_of(page)) == ([("EUR", 40)], [event.title, "från 30\xa0€"])
    assert ">Från €<" in page and 'id="currency"' not in page
    assert 'href="/sv/resale/?from=30&amp;currency=EUR"' in page  # without the event, it is still euro


def test_range_for_an_event_is_in_its_own_currency_whatever_the_form_brought_along(client):
    listings = {what: in_currency(*what) for what in MIXED}
    kronor = listings[("SEK", 300)].event

    page = market(client, f"?event={kronor.public_id}&from=200&to=400&currency=EUR")

    assert in_order(page, listings) == [("SEK", 300)]
    assert "200–400\xa0kr" in page


def test_range_in_a_currency_of_which_nothing_is_left_says_so(client):
    listings = {("SEK", 25): in_currency("SEK", 25)}

    page = market(client, "?to=30&currency=EUR")

    assert (in_order(page, listings), chips_of(page)) == ([], ["0–30\xa0€"])
    assert '<option value="EUR" selected>€<' in page


def test_market_of_one_currency_sorts_as_its_index_does(client):
    in_currency("EUR", 20)
    one = str(market_list.found(market_list.Asked(), clock.now()).query)
    in_currency("SEK", 20)
    several = market_list.found(market_list.Asked(), clock.now())
    of_one_of_them = str(market_list.found(market_list.Asked(from_whole=1), clock.now()).query)

    by_index = 'ORDER BY "resale_listing"."price_minor" ASC, "resale_listing"."id" ASC'
    assert one.endswith(by_index) and of_one_of_them.endswith(by_index)
    assert '"currency" DESC, "resale_listing"."price_minor"' in str(several.query)


def test_market_of_two_currencies_reads_as_often_for_one_each_as_for_many(client):
    def queries() -> int:
        market(client)  # what is kept for a while has been read by then
        with CaptureQueriesContext(connection) as seen:
            market(client, "?from=1&currency=EUR")
        return len(seen)

    for what in (("SEK", 100), ("EUR", 20)):
        in_currency(*what)
    one = queries()
    for what in MIXED:
        in_currency(*what)

    assert queries() == one


@pytest.mark.parametrize("sort", ["price", "-price", "date", "-date"])
def test_market_has_each_ticket_once_on_its_pages_in_the_order_asked_for(client, monkeypatch, sort):
    monkeypatch.setattr(market_list, "PER_PAGE", 2)
    for kronor in (300, 100, 200):
        first = for_sale(kronor * 100)
        houses.listed(houses.sold_ticket(of=first.ticket.ticket_type), kronor * 50)
    at_once = in_currency("EUR", 120)
    Event.objects.filter(pk=at_once.event_id).update(starts_at=first.event.starts_at)
    plain = market_list.found(market_list.Asked(sort=sort), clock.now())

    pages = [market(client, f"?sort={sort}&page={number}") for number in (1, 2, 3, 4)]

    ids = [str(public_id) for public_id in plain.values_list("public_id", flat=True)]
    seen = [[one for one in dict.fromkeys(re.findall(r"resale/([0-9a-f-]{36})/", page))] for page in pages]
    assert seen == [ids[0:2], ids[2:4], ids[4:6], ids[6:7]]
    assert "page=2" in pages[0]


def test_market_by_date_reads_the_events_of_its_page_alone(client, monkeypatch):
    monkeypatch.setattr(market_list, "PER_PAGE", 1)
    soon, late = for_sale().event, for_sale().event
    Event.objects.filter(pk=late.pk).update(ends_at=late.ends_at + timedelta(days=7))
    Event.objects.filter(pk=late.pk).update(starts_at=late.starts_at + timedelta(days=7))

    with CaptureQueriesContext(connection) as seen:
        market(client, "?sort=-date&page=2")

    (read,) = [query["sql"] for query in seen if "LIMIT 1" in query["sql"] and '"starts_at" DESC' in query["sql"]]
    assert f"<= '{soon.starts_at:%Y-%m-%d}" in read


def test_market_finds_by_words_of_event_and_ticket(client):
    listing = for_sale()
    kind = listing.ticket.ticket_type

    assert str(listing.public_id) in market(client, f"?q={listing.event.title.split()[0]}")
    assert str(listing.public_id) in market(client, f"?q={kind.name_sv.lower()}")
    assert str(listing.public_id) not in market(client, "?q=zebra")


def test_among_very_many_events_the_soonest_are_offered_and_the_one_that_is_asked_for(client, monkeypatch):
    monkeypatch.setattr(market_list, "MOST_TO_CHOOSE", 2)
    events = sorted((for_sale().event for _number in range(4)), key=lambda event: (event.starts_at, event.pk))

    def offered(query: str = "") -> set[int]:
        page = market(client, query)
        return {event.pk for event in events if f'<option value="{event.public_id}"' in page}

    assert offered() == {events[0].pk, events[1].pk}
    assert offered(f"?event={events[3].public_id}") == {events[0].pk, events[1].pk, events[3].pk}


def test_chips_take_one_wish_away_each(client):
    listing = for_sale()

    page = market(client, f"?q=zebra&event={listing.event.public_id}&to=400")

    assert f'?event={listing.event.public_id}&amp;to=400"' in page
    assert '?q=zebra&amp;to=400"' in page
    assert f'?q=zebra&amp;event={listing.event.public_id}"' in page


def test_empty_parts_of_the_form_leave_the_address(client):
    answer = client.get(reverse("resale:market") + "?q=&from=&to=300&sort=price")

    assert (answer.status_code, answer["Location"]) == (302, reverse("resale:market") + "?to=300")


def test_market_reads_as_often_for_one_as_for_many(client):
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            market(client)
        return len(seen)

    for_sale()
    market(client)
    one = queries()
    for _ in range(3):
        for_sale()
    market(client)  # what is kept for a second has been read by then

    assert queries() == one


def test_market_reads_as_often_for_three_as_for_24_for_a_member_with_limited_prices(client, monkeypatch):
    monkeypatch.setattr(facts, "KEPT_SECONDS", 0.0)
    member = builders.member()

    def limited(listing: Listing) -> Listing:
        body = builders.body(listing.event.organisation)
        builders.discount(listing.event, bodies=[body], max_per_person=1, size=40)
        builders.member(body, user=member)
        builders.discount(listing.event, kind="more", amount_minor=1_000, stacking="added", max_per_person=9)
        of = listing.ticket.ticket_type
        houses.listed(houses.sold_ticket(of=of))
        return houses.listed(houses.sold_ticket(of=of))

    def queries() -> tuple[int, int]:
        market_list.kept_counts.forget()
        market_list.kept_events.forget()
        market(client)  # what is kept for a while has been read by then
        with CaptureQueriesContext(connection) as seen:
            page = market(client)
        return len(seen), page.count("Ditt pris")

    client.force_login(member)
    limited(for_sale())
    three = queries()
    for _ in range(7):
        limited(for_sale())

    assert (three[1], queries()) == (3, (three[0], 24))


def own_by_account(ticket: Ticket, user: User) -> None:
    Ticket.objects.filter(pk=ticket.pk).update(owner=user)


def own_by_address(ticket: Ticket, user: User) -> None:
    EmailAddress.objects.create(user=user, email=ticket.holder_email, verified=True)


def claim_an_address(ticket: Ticket, user: User) -> None:
    EmailAddress.objects.create(user=user, email=ticket.holder_email, verified=False)


@pytest.mark.parametrize(
    ("become", "is_own"), [(own_by_account, True), (own_by_address, True), (claim_an_address, False)]
)
def test_own_listing_is_changed_or_withdrawn_where_others_buy_it(client, become, is_own):
    listing, user = for_sale(), factories.user()
    become(listing.ticket, user)
    client.force_login(user)

    rows = market(client)
    page = client.get(reverse("resale:listing", args=[listing.public_id])).content.decode()
    panel = ListingsPanel().render(RequestFactory().get("/"), user)

    own = sell_url(listing.ticket)
    assert (own in rows, own in page, own in panel) == (is_own, is_own, is_own)
    assert (f'{own}#withdraw"' in rows, "Köp<span" in rows, 'name="seen"' in page) == (is_own, not is_own, not is_own)


def test_block_of_an_event_page_shows_four_and_leads_to_all(client):
    first = for_sale(30_000, 20_000)
    empty = client.get(reverse("resale:of_event", args=[uuid.UUID(int=7)])).content.decode()
    others = [houses.listed(houses.sold_ticket(of=first.ticket.ticket_type), 21_000 + n * 100) for n in range(4)]

    page = client.get(reverse("resale:of_event", args=[first.event.public_id])).content.decode()
    context = ResaleBlock().get_context({"heading": ""}, parent_context={"event": first.event})

    more = reverse("resale:market") + f"?event={first.event.public_id}"
    seen = list(dict.fromkeys(re.findall(r"resale/([0-9a-f-]{36})/", page)))
    assert seen == [str(listing.public_id) for listing in (first, *others[:3])]
    assert f'href="{more}"' in page and context["market_url"] == more
    assert context["fragment_url"] == reverse("resale:of_event", args=[first.event.public_id])
    assert "Inget är till salu just nu" in empty


# --- Buying --------------------------------------------------------------------------------------------------------


def test_guest_buys_from_the_page(client):
    listing = for_sale(asked_minor=20_000)
    address = reverse("resale:listing", args=[listing.public_id])
    assert "200\xa0kr" in client.get(address).content.decode()

    answer = client.post(address, {"email": "new@example.org", "idempotency_key": uuid.uuid4().hex})
    queue.drain(listing.event_id)

    order = Order.objects.get(email="new@example.org")
    assert (answer.status_code, order.state, order.total_minor) == (303, "reserved", 20_000)
    assert answer["Location"].startswith(reverse("ticketing:order", args=[order.reference, order.secret]))


@pytest.mark.parametrize("email", ["", "nobody", "a@b@c", "x" * 400])
def test_buying_with_a_bad_address_says_so_and_orders_nothing(client, email):
    listing = for_sale()
    address = reverse("resale:listing", args=[listing.public_id])
    before = Order.objects.count()

    answer = client.post(address, {"email": email, "idempotency_key": uuid.uuid4().hex})

    assert (answer.status_code, Order.objects.count()) == (422, before)
    assert "robin@example.org" in answer.content.decode()


def test_guest_of_an_event_that_asks_for_it_solves_the_challenge_first(client):
    listing = for_sale()
    type(listing.event).objects.filter(pk=listing.event_id).update(challenges_guests=True)
    address = reverse("resale:listing", args=[listing.public_id])
    before = Order.objects.count()

    page = client.get(address).content.decode()
    (key,) = re.findall(r'name="idempotency_key" value="(\w+)"', page)
    sent = {"email": "new@example.org", "idempotency_key": key}
    unsolved = client.post(address, {**sent, "answer": ""})
    assert (unsolved.status_code, Order.objects.count()) == (422, before)

    challenge = challenges.issue(listing.event, key)
    solved = client.post(address, {**sent, "challenge": challenge.token, "answer": challenges.solve(challenge)})
    assert (solved.status_code, Order.objects.count()) == (303, before + 1)


def test_guest_without_javascript_proves_their_address_by_a_code(client):
    listing = for_sale()
    type(listing.event).objects.filter(pk=listing.event_id).update(challenges_guests=True)
    address = reverse("resale:listing", args=[listing.public_id])
    sent = {"email": "new@example.org", "idempotency_key": uuid.uuid4().hex, "proof": "code"}

    page = client.post(address, sent).content.decode()

    assert f'action="{address}"' in page and 'name="code"' in page


def test_one_person_sends_no_orders_without_end(client, monkeypatch):
    listing = for_sale()
    address = reverse("resale:listing", args=[listing.public_id])
    monkeypatch.setattr(limits, "ORDERS", 1)
    client.get(address)  # by whose form the browser is known

    answers = [
        client.post(address, {"email": "Many@example.org", "idempotency_key": uuid.uuid4().hex}) for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [303, 429]
    assert answers[1]["Retry-After"].isdigit()


def address_of(listing: Listing) -> str:
    if listing.is_private:
        return reverse("resale:private", args=[listing.public_id, listing.secret])
    return reverse("resale:listing", args=[listing.public_id])


@pytest.mark.parametrize("is_private", [False, True])
@pytest.mark.parametrize(
    ("how", "title"), [("paused", "Försäljningen är pausad"), ("moved", "Försäljningen är flyttad till")]
)
def test_page_of_a_listing_says_that_the_sale_stands_still_and_takes_no_order(client, how, title, is_private):
    listing = for_sale(is_private=is_private)
    stop(listing.event, how)
    sent = {"email": "new@example.org", "idempotency_key": uuid.uuid4().hex}
    before = Order.objects.count()

    page = client.get(address_of(listing)).content.decode()
    answer = client.post(address_of(listing), sent)

    assert title in page and "Banken är nere." in page and 'name="seen"' not in page
    assert (answer.status_code, Order.objects.count()) == (409, before)
    assert "inget beställdes" in answer.content.decode() and title in answer.content.decode()
    with clock_moved(timedelta(hours=3)):
        if how == "paused":
            sale_control.resume(listing.event)
        assert 'name="seen"' in client.get(address_of(listing)).content.decode()
        assert client.post(address_of(listing), sent).status_code == 303


def test_page_of_a_listing_stays_as_it_is_when_the_sale_is_ended_or_the_ticket_is_gone(client):
    ended, gone = for_sale(), for_sale()
    houses.bought(gone)
    stop(ended.event, "ended")
    stop(gone.event, "paused")

    assert 'name="seen"' in client.get(address_of(ended)).content.decode()
    assert "inte till salu längre" in client.get(address_of(gone)).content.decode()


def test_order_that_was_sent_before_a_pause_is_found_again_by_the_same_form(client):
    listing = for_sale()
    sent = {"email": "new@example.org", "idempotency_key": uuid.uuid4().hex}
    first = client.post(address_of(listing), sent)
    stop(listing.event, "paused")

    again = client.post(address_of(listing), sent)

    assert (again.status_code, again["Location"]) == (303, first["Location"])


def test_page_of_a_listing_that_is_being_bought_says_until_when(client):
    listing = for_sale()
    order = houses.ordered(listing)

    page = client.get(reverse("resale:listing", args=[listing.public_id])).content.decode()

    assert 'name="email"' not in page
    assert f"{order.reserved_until.astimezone(listing.event.zone):%H.%M}" in page


def test_private_listing_is_found_by_its_link_alone(client):
    listing = for_sale(is_private=True)

    assert client.get(reverse("resale:listing", args=[listing.public_id])).status_code == 404
    assert client.get(reverse("resale:private", args=[listing.public_id, "w" * 32])).status_code == 404
    assert client.get(reverse("resale:private", args=[listing.public_id, listing.secret])).status_code == 200


@pytest.mark.parametrize("visibility", ["link", "members"])
def test_ticket_of_a_kind_not_shown_to_everybody_is_sold_by_its_link_and_its_seller_is_told(client, visibility):
    listing = for_sale()
    TicketType.objects.filter(pk=listing.ticket.ticket_type_id).update(visibility=visibility)
    private = reverse("resale:private", args=[listing.public_id, listing.secret])

    page = client.get(sell_url(listing.ticket)).content.decode()
    outbox.run_all(kinds=["mail.send"])

    assert private in page
    assert "Biljetten syns i Andra hand" not in page
    assert "sorten syns inte i Andra hand" in page
    assert "med länken på dess sida" in mail.outbox[-1].body
    assert client.get(private).status_code == 200
    assert client.get(reverse("resale:listing", args=[listing.public_id])).status_code == 404


# --- Selling -------------------------------------------------------------------------------------------------------


def test_owner_lists_changes_and_withdraws(client):
    ticket = houses.sold_ticket(price_minor=25_000)
    ResaleRule.objects.create(event=ticket.event, fee_minor=1_000)
    address = sell_url(ticket)
    assert "240\xa0kr" in client.get(address).content.decode()

    client.post(address, {"act": "list", "price": "250", "payout": "24000", "who": "anybody"})
    listing = Listing.objects.get()
    assert (listing.state, listing.asked_minor, listing.is_private) == ("open", 25_000, False)

    seen = {"listing": str(listing.public_id), "version": "1"}
    client.post(address, {"act": "change", "price": "200", "payout": "19000", "who": "friend", **seen})
    listing.refresh_from_db()
    assert (listing.asked_minor, listing.is_private, listing.version) == (20_000, True, 2)

    client.post(address, {"act": "withdraw", **seen})
    listing.refresh_from_db()
    assert listing.state == "withdrawn"


def test_seller_is_told_to_which_card_the_money_goes(client):
    ticket = houses.sold_ticket(price_minor=25_000)
    Payment.objects.update(paid_with="Visa ···· 4242")
    assert "till Visa ····\u00a04242" in client.get(sell_url(ticket)).content.decode()

    houses.bought(houses.listed(ticket))

    assert sold_mail_to(ticket.line.order.email) == ["går tillbaka till Visa ····\u00a04242 och"]


def test_whoever_was_given_the_ticket_is_not_told_its_payers_card(client):
    new = giving.accept(giving.give(houses.sold_ticket(price_minor=25_000), name="Kim", email="kim@example.org"))
    given = Ticket.objects.select_related("event", "line__order", "ticket_type").get(pk=new.pk)
    Payment.objects.update(paid_with="Visa ···· 4242")
    page = client.get(sell_url(given)).content.decode()
    assert "samma väg som betalningen kom" in page and "4242" not in page

    houses.bought(houses.listed(given))

    page = client.get(sell_url(given)).content.decode()
    assert "250\xa0kr tillhör den som betalade" in page and "4242" not in page
    assert sold_mail_to(given.line.order.email) == ["går tillbaka till Visa ····\u00a04242 och"]
    assert sold_mail_to(given.holder_email) == []


def sold_mail_to(address: str) -> list[str]:
    """What the mails about a ticket that was sold tell this person of where the money goes."""
    outbox.run_all(kinds=["mail.send"])
    told = " ".join(str(letter.body) for letter in mail.outbox if letter.to == [address] and "såld" in letter.subject)
    assert told
    return re.findall("går tillbaka till Visa ····\u00a04242 och", told)


@pytest.mark.parametrize(
    "price", ["", "abc", "-5", "0", "250,01", "251", "99999999999", "1e3", "<script>", "12.345", "NaN", "inf"]
)
def test_price_that_is_none_is_refused_beside_the_field(client, price):
    ticket = houses.sold_ticket(price_minor=25_000)

    answer = client.post(sell_url(ticket), {"act": "list", "price": price, "payout": "25000", "who": "anybody"})

    assert answer.status_code in (409, 422)
    assert not Listing.objects.exists()
    assert "alert" in answer.content.decode() or "field__error" in answer.content.decode()


def test_listing_cannot_be_changed_or_withdrawn_while_somebody_buys_it(client):
    ticket = houses.sold_ticket(price_minor=25_000)
    listing = houses.listed(ticket)
    houses.ordered(listing)

    seen = {"listing": str(listing.public_id), "version": "1"}

    answers = [
        client.post(sell_url(ticket), {"act": "change", "price": "100", "payout": "10000", **seen}).status_code,
        client.post(sell_url(ticket), {"act": "withdraw", **seen}).status_code,
    ]

    listing.refresh_from_db()
    assert (answers, listing.state, listing.asked_minor) == ([409, 409], "held", 25_000)


def test_listing_twice_makes_one(client):
    ticket = houses.sold_ticket(price_minor=25_000)
    form = {"act": "list", "price": "250", "payout": "25000", "who": "anybody"}

    answers = [client.post(sell_url(ticket), form).status_code for _ in range(2)]

    assert (answers, Listing.objects.count()) == ([303, 303], 1)


@pytest.mark.parametrize("trouble", ["used", "refunded", "disputed", "kind", "closed", "cancelled", "late"])
def test_ticket_that_cannot_be_sold_says_why(client, trouble):
    ticket = houses.sold_ticket(price_minor=25_000)
    if trouble == "used":
        tickets.use(ticket)
    elif trouble == "refunded":
        refunds.order_refund(ticket.line.order, [ticket.line], reason=refunds.BY_ORGANISER)
    elif trouble == "disputed":
        tickets.block([ticket.pk], reason="disputed")
    elif trouble == "kind":
        ticket.ticket_type.is_resellable = False
        ticket.ticket_type.save()
    elif trouble == "closed":
        ResaleRule.objects.create(event=ticket.event, is_open=False)
    elif trouble == "cancelled":
        type(ticket.event).objects.update(cancelled_at=clock.now())
    else:
        ticket.event.doors_at = clock.now() - timedelta(minutes=1)
        ticket.event.save()

    form = {"act": "list", "price": "250", "payout": "25000", "who": "anybody"}
    answer = client.post(sell_url(ticket), form)

    assert (answer.status_code, Listing.objects.count()) == (409, 0)
    assert client.get(sell_url(ticket)).status_code == 200


def test_ticket_that_somebody_is_buying_is_not_listed_again(client):
    ticket = houses.sold_ticket(price_minor=25_000)
    houses.ordered(houses.listed(ticket))

    answer = client.post(sell_url(ticket), {"act": "list", "price": "250", "payout": "25000", "who": "anybody"})

    assert (answer.status_code, Listing.objects.count()) == (409, 1)


def test_ticket_that_is_being_bought_says_until_when_on_its_page_its_order_and_at_the_door(client):
    ticket = houses.sold_ticket(price_minor=25_000)
    order = houses.ordered(houses.listed(ticket))
    until = f"{order.reserved_until.astimezone(ticket.event.zone):%H.%M}"
    bought = ticket.line.order

    own = client.get(reverse("ticketing:ticket", args=[ticket.public_id, ticket.secret])).content.decode()
    orders = client.get(reverse("ticketing:order", args=[bought.reference, bought.secret])).content.decode()
    door = scans.admit(ticket.short_code, event=ticket.event, by=factories.user())

    assert f"köps till {until}" in own and f"köps till {until}" in orders
    assert "giltig tills" not in own
    assert until in door.sentence
    with translation.override("en"):
        assert door.sentence.startswith(f"Somebody is buying this ticket, until {until}.")


def test_old_ticket_says_what_became_of_it(client):
    ticket = houses.sold_ticket(price_minor=25_000)
    ResaleRule.objects.create(event=ticket.event, fee_minor=1_000)
    houses.bought(houses.listed(ticket))
    address = reverse("ticketing:ticket", args=[ticket.public_id, ticket.secret])
    pdf = reverse("ticketing:ticket_pdf", args=[ticket.public_id, ticket.secret])

    page = client.get(address).content.decode()

    assert "240\xa0kr är på väg tillbaka" in page
    assert 'class="ticket__qr"' not in page
    assert client.get(pdf)["Location"] == address
    assert "240\xa0kr" in client.get(sell_url(ticket)).content.decode()


def answered(state: str) -> None:
    """The provider's word about the money to the seller."""
    refund = Refund.objects.get()
    told = factories.notice(refund.payment, state, kind="refund", our_id=str(refund.public_id), reference="")
    refunds.settle(told, provider=refund.payment.provider)


def by_hand(state: str) -> None:
    Payment.objects.update(provider="manual-transfer")
    answered(state)


def owed(lost_minor: int = 0) -> None:
    """It did not arrive; the payer's bank took `lost_minor` back for them in a dispute."""
    answered("failed")
    if lost_minor:
        dispute("opened", lost_minor)
        dispute("lost", lost_minor)


def owed_and_paid_otherwise() -> None:
    owed()
    refunds.pay_otherwise(Refund.objects.get(), note="Swish")


def dispute(state: str, amount_minor: int) -> None:
    paid = Refund.objects.get().payment
    told = {"kind": "dispute", "reference": "dispute-1", "amount_minor": amount_minor}
    settle_notice(factories.notice(paid, state, **told), provider=paid.provider)


@pytest.mark.parametrize(
    ("settle", "level", "words"),
    [
        pytest.param(lambda: None, "info", "SEK 250 is on its way back.", id="ordered"),
        pytest.param(lambda: answered("pending"), "info", "arrives within 5–10 bank days", id="on-its-way"),
        pytest.param(lambda: answered("done"), "success", "It was sent on", id="sent"),
        pytest.param(lambda: dispute("opened", 25_000), "info", "SEK 250 waits for your bank.", id="disputed"),
        pytest.param(lambda: by_hand("pending"), "info", "The organiser pays it back by hand", id="by-hand"),
        pytest.param(lambda: by_hand("done"), "success", "has paid the money out by hand", id="paid-by-hand"),
        pytest.param(owed, "warning", "SEK 250 did not arrive.", id="owed"),
        pytest.param(lambda: owed(5_000), "warning", "SEK 200 did not arrive.", id="partly-covered"),
        pytest.param(lambda: owed(25_000), "success", "came back to you from your bank", id="covered"),
        pytest.param(owed_and_paid_otherwise, "success", "was paid to you in another way", id="paid-otherwise"),
    ],
)
def test_payer_of_a_sold_ticket_reads_how_the_money_stands_and_others_do_not(client, settle, level, words):
    ticket = houses.sold_ticket(price_minor=25_000)
    houses.bought(houses.listed(ticket))
    settle()
    order, refund = ticket.line.order, Refund.objects.get()
    with translation.override("en"):
        addresses = [sell_url(ticket), reverse("ticketing:ticket", args=[ticket.public_id, ticket.secret])]
        payout = reverse("ticketing:order_payout", args=[order.reference, order.secret, refund.public_id])

    def read(address: str) -> str:
        page = client.get(address).content.decode()
        return page.replace("\xa0", " ").replace("&#x27;", "'")

    page, own = map(read, addresses)
    assert f'"alert alert--{level}"' in page and words in page
    assert (payout in page) == (level == "warning")
    assert page.count('class="alert ') == 1
    if level == "warning":
        assert words in own

    Ticket.objects.filter(pk=ticket.pk).update(holder_email="robin@example.org")
    page, own = map(read, addresses)
    assert '"alert alert--success"' in page and "SEK 250 is for whoever paid for it" in page
    assert words not in page + own and payout not in page + own and order.secret not in page + own


def test_somebody_elses_link_sells_nothing(client):
    ticket = houses.sold_ticket(price_minor=25_000)
    address = reverse("resale:sell", args=[ticket.public_id, "w" * 32])

    assert client.post(address, {"act": "list", "price": "250", "payout": "25000"}).status_code == 404


def test_ticket_page_leads_to_the_sale(client):
    ticket = houses.sold_ticket(price_minor=25_000)
    address = reverse("ticketing:ticket", args=[ticket.public_id, ticket.secret])
    assert sell_url(ticket) in client.get(address).content.decode()

    houses.bought(houses.listed(ticket))

    page = client.get(address).content.decode()
    assert sell_url(ticket) in page  # which tells what became of it
    assert "ticket__qr" not in page


def test_my_pages_show_what_one_sells(client):
    person = factories.user()
    client.force_login(person)
    order = houses.pay(factories.reserved_order(1, price_minor=25_000))
    Ticket.objects.filter(line__order=order).update(owner=person)
    listing = houses.listed(Ticket.objects.select_related("event", "line__order", "ticket_type").get())

    page = client.get(reverse("accounts:my_pages")).content.decode()

    assert sell_url(listing.ticket) in page
