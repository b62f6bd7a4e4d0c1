"""What buyers see of a sale that is paused, moved or ended: on the form, in line, at the checkout."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.events import listing, page_cache, tenancy
from apps.events.models import Event, OrganisationPage
from apps.ticketing import clock, kept_rows, ordering, queue, sale_control, sale_notice
from apps.ticketing.models import Order, SaleChange, TicketType
from tests import factories
from tests.clock import clock_moved
from tests.tenancy.world import page_of

pytestmark = pytest.mark.django_db

SAY = {"say_sv": "Banken är nere. Vi är tillbaka kl. 12.30.", "say_en": "The bank is down. Back at 12:30."}


@pytest.fixture
def event() -> Event:
    return factories.event()


@pytest.fixture
def dinner(event: Event) -> TicketType:
    return factories.ticket_type(event, factories.quota(event, 2))


def form_address(event: Event) -> str:
    return reverse("ticketing:form", args=[event.public_id])


def order_address(order: Order, name: str = "order") -> str:
    return reverse(f"ticketing:{name}", args=[order.reference, order.secret])


def shown(html: str) -> list[str]:
    """Which wordings of the notice are not hidden."""
    return re.findall(r'data-sale-is="(\w+)">', html)


def body(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def _form(event: Event, dinner: TicketType) -> str:
    return form_address(event)


def _queued(event: Event, dinner: TicketType) -> str:
    return order_address(factories.order(event, factories.wanted(dinner)))


def _reserved(event: Event, dinner: TicketType) -> str:
    return order_address(factories.reserved_order(1, of=dinner))


def _offered(event: Event, dinner: TicketType) -> str:
    order = factories.order(event, factories.wanted(dinner, 3))
    queue.drain_all()
    return order_address(order)


def _waiting(event: Event, dinner: TicketType) -> str:
    factories.reserved_order(2, of=dinner)
    order = factories.order(event, factories.wanted(dinner))
    queue.drain_all()
    return order_address(order)


PLACES = pytest.mark.parametrize("go", [_form, _queued, _waiting, _offered, _reserved], ids=lambda go: go.__name__[1:])
Place = Callable[[Event, TicketType], str]


@PLACES
def test_sentence_of_a_pause_stands_on_every_page_in_its_language(
    event: Event, dinner: TicketType, client: Client, go: Place
) -> None:
    address = go(event, dinner)
    assert shown(body(client, address)) == []

    sale_control.pause(event, **SAY)

    swedish, english = body(client, address), body(client, address.replace("/sv/", "/en/"))
    assert (shown(swedish), SAY["say_sv"] in swedish) == (["paused"], True)
    assert (shown(english), SAY["say_en"] in english) == (["paused"], True)

    sale_control.resume(event)
    assert shown(body(client, address)) == []


@PLACES
def test_moved_sale_says_when_it_opens(event: Event, dinner: TicketType, client: Client, go: Place) -> None:
    address = go(event, dinner)

    sale_control.move(event, opens_at=clock.now() + timedelta(hours=2), **SAY)

    html = body(client, address)
    assert (shown(html), SAY["say_sv"] in html) == (["moved"], True)


def test_ended_sale_says_so_to_those_who_hold_and_those_who_come(
    event: Event, dinner: TicketType, client: Client
) -> None:
    hold, late = _reserved(event, dinner), factories.order(event, factories.wanted(dinner, 3))
    sale_control.end(event, **SAY)
    queue.drain_all()

    for address in (hold, form_address(event)):
        html = body(client, address)
        assert (shown(html), SAY["say_sv"] in html) == (["ended"], True)
    rejected = body(client, order_address(late))
    assert (shown(rejected), SAY["say_sv"] in rejected) == ([], True)
    assert "Arrangören har avslutat försäljningen. Inga pengar har dragits." in rejected


def test_form_in_a_pause_still_leads_into_the_queue(event: Event, dinner: TicketType, client: Client) -> None:
    sale_control.pause(event, **SAY)
    key = re.search(r'name="idempotency_key" value="([^"]+)"', body(client, form_address(event)))
    assert key is not None

    data = {"idempotency_key": key[1], f"type-{dinner.public_id}": "1", "email": "kim@example.org"}
    response = client.post(form_address(event), data)

    order = Order.objects.get()
    assert (response.status_code, order.state) == (303, "queued")
    assert shown(body(client, response["Location"])) == ["paused"]


@pytest.mark.parametrize(
    ("verb", "sentence"),
    [("end", "Arrangören har avslutat försäljningen."), ("move", "Försäljningen har inte öppnat än.")],
)
def test_form_sent_from_an_old_page_is_answered_with_a_sentence_and_keeps_the_choices(
    event: Event, dinner: TicketType, client: Client, verb: str, sentence: str
) -> None:
    key = re.search(r'name="idempotency_key" value="([^"]+)"', body(client, form_address(event)))
    assert key is not None
    when = {"opens_at": clock.now() + timedelta(hours=2)} if verb == "move" else {}
    getattr(sale_control, verb)(event, **SAY, **when)

    data = {"idempotency_key": key[1], f"type-{dinner.public_id}": "1", "email": "kim@example.org"}
    response = client.post(form_address(event), data)

    html = response.content.decode()
    assert (response.status_code, Order.objects.count()) == (422, 0)
    assert sentence in html and SAY["say_sv"] in html


def test_clock_at_the_checkout_stands_still(event: Event, dinner: TicketType, client: Client) -> None:
    address = _reserved(event, dinner)
    with clock_moved(timedelta(minutes=10, seconds=30)):
        sale_control.pause(event, **SAY)
    with clock_moved(timedelta(hours=1)):
        html = body(client, address)

        assert "data-stopped" in html
        assert "Klockan står still. 5 minuter återstår när försäljningen fortsätter." in html
        assert body(client, address).count("Platsen är din till") == 0


def test_status_of_an_order_tells_the_sale_and_the_clock(event: Event, dinner: TicketType, client: Client) -> None:
    order = factories.reserved_order(1, of=dinner)
    sale_control.pause(event, **SAY)

    with clock_moved(timedelta(hours=1)):
        told = client.get(order_address(order, "order_status")).json()

    assert (told["state"], told["sale"]["state"], told["sale"]["number"]) == ("reserved", "paused", 1)
    assert (told["sale"]["sv"], told["sale"]["en"]) == (SAY["say_sv"], SAY["say_en"])
    since = sale_control.state_of(event.pk).since
    assert since is not None
    assert (told["now"], told["until"]) == (since.isoformat(), order.reserved_until.isoformat())


def test_news_are_asked_of_the_database_once_a_second(
    event: Event, client: Client, django_assert_max_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rows in kept_rows.ALL:
        monkeypatch.setattr(rows, "seconds", 60.0)
    sale_control.forget()
    kept_rows.event(event.public_id)
    with django_assert_max_num_queries(2):  # its sale, the time
        for _ in range(3):
            response = client.get(reverse("ticketing:sale_news", args=[event.public_id]))
    assert response.json() == {"number": 0, "state": "", "sv": "", "en": "", "opens_at": ""}
    assert (response["Cache-Control"], "Set-Cookie" in response) == ("public, max-age=1", False)


@pytest.mark.usefixtures("kept_for_long")
def test_news_are_no_older_than_they_are_kept_themselves(event: Event) -> None:
    """What this process knows already of the sale may be a second old, and is not asked."""
    assert sale_control.shown(event.pk).number == 0
    SaleChange.objects.create(event=event, number=1, kind="paused", at=clock.now())  # by another process

    assert sale_notice.news_of(event.pk)["state"] == "paused"


@pytest.mark.parametrize("go", [_queued, _waiting])
def test_page_in_line_says_where_to_ask_for_the_sale(
    event: Event, dinner: TicketType, client: Client, go: Place
) -> None:
    html = body(client, go(event, dinner))

    address = reverse("ticketing:sale_news", args=[event.public_id])
    assert f'data-poll-url="{address}" data-live-url="" data-beside-queue' in html
    assert html.index("sale-stream.js") < html.index("queue.js")


def test_sentence_in_one_language_serves_both(event: Event) -> None:
    sale_control.pause(event, say_sv="Paus.")

    news = sale_notice.news_of(event.pk)

    assert (news["sv"], news["en"]) == ("Paus.", "Paus.")


def test_leaving_works_in_a_pause(event: Event, dinner: TicketType, client: Client) -> None:
    order = factories.order(event, factories.wanted(dinner))
    sale_control.pause(event, **SAY)

    client.post(order_address(order, "order_leave"))

    order.refresh_from_db()
    assert order.state == "cancelled"
    with pytest.raises(ordering.Refused):
        factories.order(event, [])


@pytest.mark.parametrize(
    ("verb", "availability", "word"),
    [("pause", "OutOfStock", "Pausad"), ("end", "Discontinued", "Försäljningen stängd")],
)
def test_lists_and_kept_pages_say_how_the_sale_stands(
    event: Event, dinner: TicketType, verb: str, availability: str, word: str
) -> None:
    getattr(sale_control, verb)(event, **SAY)

    at = clock.now()
    offers = listing.offers_of([event], at)[event.pk]
    standing = listing.standing_of(event, offers, at)
    assert [offer.availability for offer in offers] == [availability]
    assert standing is not None and standing.word == word


@pytest.mark.django_db(transaction=True)
def test_kept_event_page_tells_of_a_pause_at_once(client: Client) -> None:
    """For whoever has no JavaScript; the page is kept whole for a minute, but not over a change of the sale."""
    page_cache.begin_anew()
    seller = tenancy.create_organisation("Lyktan")
    event = factories.event(organisation=seller)
    factories.ticket_type(event, factories.quota(event))
    tickets = [{"type": "tickets", "value": {"heading": "", "event": None}, "id": "a2"}]
    address = page_of(event, OrganisationPage.objects.get(pk=seller.root_page_id), body=tickets).url
    assert SAY["say_sv"] not in body(client, address)

    sale_control.pause(event, **SAY)
    assert SAY["say_sv"] in body(client, address)

    sale_control.resume(event)
    assert SAY["say_sv"] not in body(client, address)
