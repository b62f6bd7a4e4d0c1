"""The order page over HTTP: every state, who may see it, what may be done from it, and what it asks of the database."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import override

from apps.ticketing import (
    catalogue,
    clock,
    event_face,
    live,
    live_tokens,
    ordering,
    queue,
    reasons,
    refunds,
    reservations,
    standing,
    views,
)
from apps.ticketing.models import Order, Payment
from apps.ticketing.order_page import Place, Verdict, read
from apps.ticketing.visitors import cookie_of
from tests import factories
from tests.clock import clock_moved
from tests.ticketing.test_views import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english(settings: LazySettings) -> None:
    settings.LANGUAGE_CODE = "en"
    event_face.forget()


@pytest.fixture
def event() -> Any:
    seller = factories.organisation(
        legal_name="The Lantern Society", organisation_number="802999-0000", address="Campus Road 3", vat_number="SE1"
    )
    return factories.event(organisation=seller)


@pytest.fixture
def dinner(event: Any) -> Any:
    return factories.ticket_type(event, factories.quota(event, 4), name_en="Dinner", price_minor=25_000, vat_percent=25)


def address(order: Order, name: str = "order") -> str:
    with override("en"):
        return reverse(f"ticketing:{name}", args=[order.reference, order.secret])


def said_on(response: Any) -> str:
    """The page's words as they are read, whatever elements they stand in."""
    return re.sub(r" ([,.:])", r"\1", " ".join(text_of(response).split()))


def reserved(event: Any, kind: Any, number: int = 1, **values: Any) -> Order:
    order = factories.order(event, factories.wanted(kind, number), **values)
    queue.drain(event.pk)
    order.refresh_from_db()
    return order


def fresh(order: Order) -> Order:
    order.refresh_from_db()
    return order


# --- Who may see it -----------------------------------------------------------------------------------------------


def test_the_page_is_neither_cached_nor_indexed_nor_told_to_others(client: Client, event: Any, dinner: Any) -> None:
    response = client.get(address(reserved(event, dinner)))

    assert response.status_code == 200
    assert response["Cache-Control"] == "private, no-store"
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["X-Robots-Tag"] == "noindex, nofollow"
    assert Session.objects.count() == 0 and "sessionid" not in response.cookies


@pytest.mark.parametrize("name", ["order", "order_status", "order_pay", "order_leave", "order_keep", "order_wait",
                                  "order_more_time"])  # fmt: skip
def test_a_wrong_reference_and_a_wrong_secret_find_the_same_nothing(
    client: Client, event: Any, dinner: Any, name: str
) -> None:
    order, other = reserved(event, dinner), reserved(event, dinner)
    method = client.post if name in ("order_keep", "order_wait", "order_more_time") else client.get
    tries = [
        ("ZZZZ9999", order.secret),
        (order.reference, "x" * 32),
        (order.reference, other.secret),
        (other.reference, order.secret),
    ]

    with override("en"):
        answers = [method(reverse(f"ticketing:{name}", args=list(pair))) for pair in tries]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert len({re.sub(r"[0-9a-f]{16}", "", text_of(answer)) for answer in answers}) == 1
    assert fresh(order).state == "reserved"


@pytest.mark.parametrize(
    "path",
    [
        "orders/%00%00%00%00%00%00%00%00/xxxxxxxxxxxxxxxxxxxx/",
        "orders/ÅÄÖ/x/",
        "orders/ABCDEFGH/" + "x" * 500 + "/",
        "tickets/nonsense/xxxxxxxxxxxxxxxxxxxx/",
    ],
)
def test_nonsense_in_the_address_finds_nothing(client: Client, path: str) -> None:
    assert client.get(f"/en/{path}").status_code == 404


# --- Its states ---------------------------------------------------------------------------------------------------


def test_queued_shows_place_forecast_and_stream(client: Client, event: Any, dinner: Any) -> None:
    for _ in range(2):
        factories.order(event, factories.wanted(dinner))
    order = factories.order(event, factories.wanted(dinner))

    page = client.get(address(order)).content.decode()

    assert ">3</span>" in page and 'data-ahead="2"' in page and 'data-state="queued"' in page
    assert f'data-order="{order.public_id}"' in page
    assert re.search(r'<noscript><meta http-equiv="refresh" content="\d+"></noscript>', page)
    token = re.search(r"/live/([\w-]+)\?seen=queued&amp;at=\d+", page)
    assert token is not None
    assert live_tokens.read(token[1], secret=views.settings.LIVE_SECRET, at=0).order == order.public_id
    text = " ".join(text_of(client.get(address(order))).split())
    assert "Those ahead of you want 2 of the 4 that are left." in text
    assert order.email in text


def test_total_vat_seller_and_that_nothing_was_charged_are_always_there(
    client: Client, event: Any, dinner: Any
) -> None:
    for order in (factories.order(event, factories.wanted(dinner, 2)), reserved(event, dinner, 2)):
        text = text_of(client.get(address(order))).replace("\xa0", " ").replace("&nbsp;", " ")

        assert "SEK 500" in text
        assert "of which VAT 25%: SEK 100" in text
        assert "Nothing has been charged" in text
        assert "The Lantern Society, org. no. 802999-0000, Campus Road 3" in text and "VAT no. SE1" in text
        assert order.reference in text


def test_who_waits_for_more_than_is_left_is_not_told_that_all_is_taken(client: Client, event: Any) -> None:
    dinner = factories.ticket_type(event, factories.quota(event, 3))
    order = reserved(event, dinner, 5, fewer_is_fine=False)

    client.cookies[cookie_of(event.public_id)] = f"{order.reference}.{order.secret}"
    with override("en"):
        form = reverse("ticketing:form", args=[event.public_id])
    said = [said_on(client.get(address(order))), said_on(client.get(form, headers={"HX-Request": "true"}))]

    assert order.state == "waiting"
    assert "There is no room for your order right now" in said[0] and "Tickets left 3" in said[0]
    assert "There is no room for your order right now. When places come back" in said[1]
    assert "All places are taken" not in "".join(said)


def test_waiting_is_honest_about_places_that_may_come_back(client: Client, event: Any, dinner: Any) -> None:
    reserved(event, dinner, 4)
    order = reserved(event, dinner, 2)

    page = client.get(address(order))

    assert order.state == "waiting"
    said = said_on(page)
    assert "In line before you: 0, who want 0. Left: 0. Held by others until they pay: 4." in said
    assert "You will probably not get one" in said
    assert 'data-state="waiting"' in page.content.decode() and 'data-reason="sold_out"' in page.content.decode()


def test_one_of_two_is_said_in_good_swedish(client: Client, event: Any, dinner: Any) -> None:
    reserved(event, dinner, 3)
    order = reserved(event, dinner, 2)
    with override("sv"):
        swedish = reverse("ticketing:order", args=[order.reference, order.secret])

    assert "Du fick 1 av 2 biljetter" in text_of(client.get(swedish))


def test_an_offer_can_be_kept(client: Client, event: Any, dinner: Any) -> None:
    reserved(event, dinner, 3)
    order = reserved(event, dinner, 3)
    assert order.state == "offered"
    text = text_of(client.get(address(order))).replace("\xa0", " ")
    assert "You got 1 of 3 tickets" in text and "Keep 1 ticket, SEK 250" in text and "wait for all 3" in text

    response = client.post(address(order, "order_keep"))

    assert (response.status_code, response["Location"]) == (303, address(order))
    assert (fresh(order).state, order.total_minor) == ("reserved", 25_000)
    assert "1 ticket is yours if you pay now" in text_of(client.get(address(order)))


def test_an_offer_can_be_let_go_for_all_or_nothing(client: Client, event: Any, dinner: Any) -> None:
    reserved(event, dinner, 3)
    order = reserved(event, dinner, 3)

    client.post(address(order, "order_wait"))

    assert (fresh(order).state, order.fewer_is_fine) == ("waiting", False)


@pytest.mark.parametrize("name", ["order_keep", "order_wait"])
def test_answering_an_offer_twice_or_too_late_does_nothing(client: Client, event: Any, dinner: Any, name: str) -> None:
    order = reserved(event, dinner)

    response = client.post(address(order, name))

    assert (response.status_code, fresh(order).state) == (303, "reserved")


def test_a_hold_can_be_made_longer_once(client: Client, event: Any, dinner: Any) -> None:
    order = reserved(event, dinner)
    until = order.reserved_until
    assert address(order, "order_more_time") in client.get(address(order)).content.decode()

    for _ in range(2):
        client.post(address(order, "order_more_time"))

    later = fresh(order).reserved_until
    assert until and later and later - until == timedelta(minutes=5)
    assert address(order, "order_more_time") not in client.get(address(order)).content.decode()


def test_the_countdown_runs_by_the_clock_of_the_database(client: Client, event: Any, dinner: Any) -> None:
    order = reserved(event, dinner)

    with clock_moved(timedelta(minutes=10)):
        page = client.get(address(order)).content.decode()
        now = re.search(r'data-now="([^"]+)"', page)
        assert now is not None
        said = clock.datetime.fromisoformat(now[1])

    until = re.search(r'data-until="([^"]+)"', page)
    assert until is not None and clock.datetime.fromisoformat(until[1]) == order.reserved_until
    assert timedelta(minutes=4) < order.reserved_until - said < timedelta(minutes=5, seconds=1)


def test_a_hold_whose_time_is_up_is_over_before_the_sweeper_comes(client: Client, event: Any, dinner: Any) -> None:
    order = reserved(event, dinner)

    with clock_moved(timedelta(minutes=16)):
        text = text_of(client.get(address(order)))
        status = client.get(address(order, "order_status")).json()

    assert fresh(order).state == "reserved"
    assert "Time ran out" in text and reasons.sentence(reasons.HOLD_EXPIRED) in text
    assert "Join the queue again" in text
    assert status["state"] == "expired"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("expired", "Time ran out"),
        ("rejected", "This ticket is not on sale."),
        ("cancelled", "You gave up your place. Nothing was charged."),
    ],
)
def test_an_order_that_is_over_says_why_and_shows_a_way_on(
    client: Client, event: Any, dinner: Any, state: str, words: str
) -> None:
    if state == "expired":
        order = reserved(event, dinner)
        reservations.expire_overdue(clock.now() + timedelta(hours=1))
    elif state == "rejected":
        order = factories.order(event, factories.wanted(dinner))
        dinner.is_published = False
        dinner.save()
        queue.drain(event.pk)
    else:
        order = factories.order(event, factories.wanted(dinner))
        ordering.cancel(order)

    page = client.get(address(order))

    assert fresh(order).state == state
    assert words in text_of(page)
    assert reverse("ticketing:form", args=[event.public_id]) in page.content.decode()


def test_paid_shows_the_tickets_and_celebrates_once(client: Client, event: Any) -> None:
    kind = factories.ticket_type(event, factories.quota(event, 4), price_minor=0)
    order = reserved(event, kind, 2)
    client.post(address(order, "order_pay"), {"name": "Robin", "terms": "on"})

    first, second = (client.get(address(order)).content.decode() for _ in range(2))

    assert fresh(order).state == "paid"
    assert len(set(re.findall(r"/en/tickets/[0-9a-f-]{36}/[\w-]+/", first))) == 2
    assert ("queue--paid" in first, "queue--paid" in second) == (True, False)
    assert "Nothing was charged." in first


@pytest.mark.parametrize("name", ["order", "order_status"])
def test_a_look_at_the_head_alone_is_answered_and_is_no_visit(client: Client, event: Any, name: str) -> None:
    kind = factories.ticket_type(event, factories.quota(event, 4), price_minor=0)
    order = reserved(event, kind)
    client.post(address(order, "order_pay"), {"name": "Robin", "terms": "on"})

    head = client.head(address(order, name))

    assert (head.status_code, head.content) == (200, b"")
    assert "queue--paid" in client.get(address(order)).content.decode()


def test_refunds_are_told(client: Client, event: Any, dinner: Any, settings: LazySettings) -> None:
    order = reserved(event, dinner, 2)
    payment = Payment.objects.create(
        order=order, provider="sandbox", amount_minor=order.total_minor, currency="SEK", created_at=clock.now()
    )
    from apps.ticketing.extensions import Notice
    from apps.ticketing.payments import settle

    settle.settle(
        Notice("e", "payment", "r1", "captured", order.total_minor, "SEK", our_id=str(payment.public_id)),
        provider="sandbox",
    )
    refunds.order_refund(fresh(order), [order.lines.first()], reason=reasons.REFUSED)  # type: ignore[list-item]

    text = text_of(client.get(address(order))).replace("\xa0", " ")

    assert "SEK 250 is on its way back." in text
    assert "not valid any more" in text
    refunds.order_refund(fresh(order), list(order.lines.all()), reason=reasons.REFUSED)
    assert "The tickets are not valid any more" in text_of(client.get(address(order)))


# --- Leaving ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["queued", "waiting", "offered", "reserved"])
def test_leaving_frees_the_place_at_once(client: Client, event: Any, dinner: Any, state: str) -> None:
    if state == "waiting":
        reserved(event, dinner, 4)
    if state == "offered":
        reserved(event, dinner, 3)
    order = factories.order(event, factories.wanted(dinner, 2))
    if state != "queued":
        queue.drain(event.pk)
    assert fresh(order).state == state
    taken = dinner.quotas.get().taken

    response = client.post(address(order, "order_leave"))

    held = {"queued": 0, "waiting": 0, "offered": 1, "reserved": 2}[state]
    assert (response.status_code, fresh(order).state, order.reason) == (303, "cancelled", reasons.CANCELLED_BY_BUYER)
    assert dinner.quotas.get().taken == taken - held


def test_leaving_asks_first_without_javascript(client: Client, event: Any, dinner: Any) -> None:
    order = reserved(event, dinner)

    text = text_of(client.get(address(order, "order_leave")))

    assert "Release the places?" in text and "Nothing has been charged." in text
    assert fresh(order).state == "reserved"


def test_a_paid_order_cannot_be_left(client: Client, event: Any) -> None:
    kind = factories.ticket_type(event, factories.quota(event, 4), price_minor=0)
    order = reserved(event, kind)
    client.post(address(order, "order_pay"), {"name": "Robin", "terms": "on"})

    answers = [client.get(address(order, "order_leave")), client.post(address(order, "order_leave"))]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert fresh(order).state == "paid"


# --- What it costs ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("kept_for_long")
@pytest.mark.parametrize("has_choices", [True, False], ids=["choices", "none"])
@pytest.mark.parametrize("state", ["queued", "reserved", "paid"])
def test_the_number_of_queries_does_not_grow_with_the_order(
    client: Client, event: Any, state: str, has_choices: bool
) -> None:
    kind = factories.ticket_type(event, factories.quota(event, 100), price_minor=0, max_per_order=10)
    picks = [(factories.choice(factories.variation(kind)), 1)] if has_choices else []

    def count(number: int) -> int:
        order = factories.order(event, factories.wanted(kind, number, *picks))
        if state != "queued":
            queue.drain(event.pk)
        if state == "paid":
            client.post(address(order, "order_pay"), {"name": "Robin", "terms": "on"})
        client.get(address(order))
        with CaptureQueriesContext(connection) as queries:
            client.get(address(order))
        return len(queries)

    assert count(1) == count(5) <= 13


@pytest.mark.usefixtures("kept_for_long")
def test_status_is_two_queries_while_the_count_of_the_sale_is_kept(client: Client, event: Any, dinner: Any) -> None:
    order = factories.order(event, factories.wanted(dinner))
    client.get(address(order, "order_status"))

    with CaptureQueriesContext(connection) as queries:
        answer = client.get(address(order, "order_status"))

    left = {str(dinner.quotas.get().public_id): 4}
    told = answer.json()
    as_planned = {"number": 0, "state": "", "sv": "", "en": "", "opens_at": ""}
    assert told == {
        "state": "queued", "reason": "", "decided": 0, "rate": 0.0, "held": 0, "quotas": left, "held_quotas": {},
        "waiting": 0, "sale": as_planned, "until": "", "now": told["now"],
    }  # fmt: skip
    assert len(queries) <= 2
    assert answer["Cache-Control"] == "private, no-store"


def test_the_stock_of_what_is_hidden_is_told_to_whoever_ordered_it_alone(
    client: Client, event: Any, dinner: Any, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    messages: list[Any] = []
    monkeypatch.setattr(live, "_tell", lambda event, message, results: messages.append(message))
    monkeypatch.setattr(standing, "_told", {})
    vip = factories.ticket_type(event, factories.quota(event, 20))
    factories.choice(factories.variation(dinner, kind="many"), factories.quota(event, 50))
    for one in (dinner, vip):
        reserved(event, one)
    of_all, of_vip = factories.order(event, factories.wanted(dinner)), factories.order(event, factories.wanted(vip))
    type(vip).objects.filter(pk=vip.pk).update(visibility="link")
    catalogue.forget()
    standing.shown.forget()
    messages.clear()
    hall, secret = (str(kind.quotas.get().public_id) for kind in (dinner, vip))

    told = [client.get(address(order, "order_status")).json() for order in (of_all, of_vip)]
    standing.tell()
    with django_capture_on_commit_callbacks(execute=True):
        queue.drain(event.pk)

    assert [one["quotas"].keys() for one in told] == [{hall}, {hall, secret}]
    assert [one["held_quotas"] for one in told] == [{hall: 1}, {hall: 1, secret: 1}]
    streamed = [message["progress"] for message in messages if "progress" in message]
    assert len(streamed) >= 2
    assert all(one["quotas"].keys() == {hall} and secret not in one.get("held_quotas", {}) for one in streamed)


def test_status_tells_when_the_order_was_decided(client: Client, event: Any, dinner: Any) -> None:
    order = reserved(event, dinner)

    assert client.get(address(order, "order_status")).json()["state"] == "reserved"


# --- The forecast -------------------------------------------------------------------------------------------------


def place(**values: Any) -> Place:
    return Place(
        **{"ahead": 0, "decided": 0, "rate": 0.0, "held": 0, "left": 10, "wanted_ahead": 0, "own": 1, **values}
    )


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        pytest.param({"left": 330, "wanted_ahead": 251, "own": 2}, Verdict.ENOUGH, id="enough"),
        pytest.param({"left": 253, "wanted_ahead": 251, "own": 2}, Verdict.ENOUGH, id="just-enough"),
        pytest.param({"left": 100, "wanted_ahead": 110, "own": 2}, Verdict.UNCERTAIN, id="a-few-too-many"),
        pytest.param({"left": 0, "held_places": 30, "wanted_ahead": 4}, Verdict.UNCERTAIN, id="holds-may-end"),
        pytest.param({"left": 0, "held_places": 4, "own": 1}, Verdict.UNCERTAIN, id="next-in-line"),
        pytest.param({"left": 0, "held_places": 300, "wanted_ahead": 812}, Verdict.SHORT, id="812-before-300"),
        pytest.param({"left": 0, "wanted_ahead": 20, "own": 2}, Verdict.NOTHING, id="all-sold"),
        pytest.param({"left": 100, "wanted_ahead": 400, "own": 2}, Verdict.SHORT, id="far-too-many"),
    ],
)
def test_verdict(facts: dict[str, int], verdict: Verdict) -> None:
    assert place(**facts).verdict == verdict


def test_odds_are_those_of_the_scarcest_quota_and_nobody_elses() -> None:
    event = factories.event()
    hall, floor = factories.quota(event, 60), factories.quota(event, 20)
    dinner, party = factories.ticket_type(event, hall), factories.ticket_type(event, floor)
    for _ in range(30):
        factories.order(event, factories.wanted(dinner))
    both = factories.order(event, factories.wanted(dinner) + factories.wanted(party))

    shown = read(both, clock.now()).place

    assert shown is not None
    assert (shown.left, shown.wanted_ahead, shown.own, shown.quota) == (20, 0, 1, str(floor.public_id))
    assert shown.verdict == Verdict.ENOUGH


def test_odds_are_those_of_a_choice_that_is_gone(client: Client) -> None:
    event = factories.event()
    cellar = factories.quota(event, 2)
    dinner = factories.ticket_type(event, factories.quota(event, 200))
    wine = factories.choice(factories.variation(dinner), cellar, max_quantity=2)
    factories.order(event, factories.wanted(dinner, 1, (wine, 2)))
    waiting = factories.order(event, factories.wanted(dinner, 1, (wine, 1)))
    queue.drain(event.pk)
    waiting.refresh_from_db()

    shown = read(waiting, clock.now()).place

    assert waiting.state == "waiting" and shown is not None
    assert (shown.left, shown.held_places, shown.own, shown.quota) == (0, 2, 1, str(cellar.public_id))
    assert shown.verdict == Verdict.UNCERTAIN
    assert f'data-scarcest="{cellar.public_id}"' in client.get(address(waiting)).content.decode()


@pytest.mark.parametrize(
    ("ahead", "rate", "minutes"),
    [
        pytest.param(213, 1.4, (2, 4), id="about-two-and-a-half"),
        pytest.param(3000, 5.0, (8, 15), id="about-ten"),
        pytest.param(100, 1.2, (1, 2), id="about-one-and-a-half"),
    ],
)
def test_the_wait_is_told_as_a_range(ahead: int, rate: float, minutes: tuple[int, int]) -> None:
    found = place(ahead=ahead, rate=rate)

    assert (found.wait_low, found.wait_high) == minutes


def test_the_wait_is_unknown_before_the_queue_moves_and_short_near_the_front() -> None:
    assert (place(ahead=5).minutes, place(ahead=5).wait_low) == (None, None)
    assert place(ahead=5, rate=1.0).is_under_a_minute
    assert place(ahead=5, rate=1.0).reload_seconds == 3
    assert place(ahead=9000, rate=1.0).reload_seconds == 30
    assert (place(ahead=0).reload_seconds, place(ahead=500).reload_seconds) == (3, 15)


def test_an_offer_says_of_each_ticket_what_stood_in_its_way(client: Client, event: Any) -> None:
    hall, vegan_meals = factories.quota(event, 5), factories.quota(event, 1)
    dinner = factories.ticket_type(event, hall, name_en="Dinner")
    party = factories.ticket_type(event, factories.quota(event, 1), name_en="Party", position=1)
    food = factories.variation(dinner)
    vegan = factories.choice(food, vegan_meals, name_en="Vegan", delta_minor=1_000)
    tickets = factories.wanted(dinner, 2, (vegan, 1)) + factories.wanted(party, 2)
    order = factories.order(event, tickets)
    queue.drain(event.pk)

    page = client.get(address(order)).content.decode()
    said = said_on(client.get(address(order)))

    assert fresh(order).state == "offered"
    assert 'data-reason="partial"' in page
    assert "You got 2 of 4 tickets" in said
    assert "Not to be had Dinner Vegan: Vegan is sold out Party: none left" in said
    assert client.get(address(order, "order_status")).json()["reason"] == "partial"
    with override("sv"):
        swedish = reverse("ticketing:order", args=[order.reference, order.secret])
    assert "Du fick 2 av 4 biljetter" in text_of(client.get(swedish))


# --- News for open pages ------------------------------------------------------------------------------------------


def test_the_queue_tells_how_much_is_left(
    event: Any, dinner: Any, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    messages: list[Any] = []
    monkeypatch.setattr(live, "_tell", lambda event, message, results: messages.append(message))
    factories.order(event, factories.wanted(dinner, 3))

    with django_capture_on_commit_callbacks(execute=True):
        queue.drain(event.pk)

    told = [message["progress"]["quotas"] for message in messages if "progress" in message]
    assert told == [{str(dinner.quotas.get().public_id): 1}]


def test_a_sale_that_moves_outside_the_queue_is_told_to_who_waits_and_only_when_it_moves(
    event: Any, dinner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages: list[Any] = []
    monkeypatch.setattr(live, "_tell", lambda event, message, results: messages.append(message))
    monkeypatch.setattr(standing, "_told", {})
    holder = reserved(event, dinner, 4)
    waiting = [reserved(event, dinner, 1) for _ in range(2)]
    messages.clear()
    quota = str(dinner.quotas.get().public_id)

    assert [standing.tell(), standing.tell()] == [1, 0]
    ordering.cancel(waiting[0])
    ordering.cancel(holder)
    assert standing.tell() == 1
    ordering.cancel(waiting[1])
    assert standing.tell() == 0  # nobody is left to be told

    facts = [(told["progress"]["quotas"], told["progress"]["held_quotas"], told["progress"]["waiting"])
             for told in messages if "progress" in told]  # fmt: skip
    assert facts == [({quota: 0}, {quota: 4}, 2), ({quota: 4}, {}, 1)]


def test_who_waits_is_told_how_many_are_before(client: Client, event: Any, dinner: Any) -> None:
    reserved(event, dinner, 4)
    first, second = reserved(event, dinner, 1), reserved(event, dinner, 1)
    assert client.get(address(second, "order_status")).json()["ahead"] == 1

    ordering.cancel(first)

    assert client.get(address(second, "order_status")).json()["ahead"] == 0


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[uuid.UUID, str]]:
    news: list[tuple[uuid.UUID, str]] = []
    monkeypatch.setattr(live, "_tell", lambda event, message, results: news.extend(results))
    return news


def test_what_happens_outside_the_queue_is_told_to_open_pages(
    client: Client, event: Any, told: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    kind = factories.ticket_type(event, factories.quota(event, 4), price_minor=0)
    with django_capture_on_commit_callbacks(execute=True):
        order = reserved(event, kind)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(address(order, "order_pay"), {"name": "Robin", "terms": "on"})
    with django_capture_on_commit_callbacks(execute=True):
        other = factories.order(event, factories.wanted(kind))
        ordering.cancel(other)

    assert told == [(order.public_id, "reserved"), (order.public_id, "paid"), (other.public_id, "cancelled")]


def test_a_failed_payment_is_told_to_the_page_that_waits_for_the_bank(
    event: Any, dinner: Any, told: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    from apps.ticketing.extensions import Notice
    from apps.ticketing.payments import settle

    order = reserved(event, dinner)
    payment = Payment.objects.create(
        order=order, provider="sandbox", amount_minor=order.total_minor, currency="SEK", created_at=clock.now()
    )
    with django_capture_on_commit_callbacks(execute=True):
        settle.settle(
            Notice("e", "payment", "r", "failed", order.total_minor, "SEK", our_id=str(payment.public_id)),
            provider="sandbox",
        )

    assert told == [(order.public_id, live.PAYMENT_NEWS)]
