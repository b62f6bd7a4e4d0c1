"""Presale links through the real form and the real queue: what they open, how many, and for how long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.discounts import allotment, presale
from apps.discounts.models import PresaleLink, PresaleStock
from apps.ticketing import catalogue, clock, invariants, ordering, queue, reasons, reservations
from apps.ticketing.models import Order, OrderLine, Quota
from apps.ticketing.payments import settle
from tests import factories
from tests.clock import clock_moved
from tests.discounts import presales

pytestmark = pytest.mark.django_db
FULL = ("waiting", reasons.SOLD_OUT)
HELD = ("reserved", "")


@pytest.fixture(autouse=True)
def english(settings: LazySettings) -> None:
    settings.LANGUAGE_CODE = "en"


def test_a_link_opens_its_hidden_ticket_through_the_form_and_the_queue(client: Client) -> None:
    event = factories.event()
    alumni = presales.hidden_type(event)
    made = presales.link(alumni, size=5)

    plain = presales.text_of(client.get(presales.form_of(event)))
    shown = client.get(presales.form_of(event, made))
    fields = presales.hidden_fields(shown.content.decode())
    answer = presales.send(client, alumni, 2, tokens=fields["token"])
    order = Order.objects.get()
    states = presales.decided(order)
    again = presales.text_of(Client().get(presales.form_of(event, made)))

    assert "Alumni" not in plain
    assert "By your link: 5 of 5 left" in presales.text_of(shown)
    assert fields["token"] == [presales.token(made)]
    assert made.secret not in answer["Location"]
    assert (answer.status_code, order.tokens, states) == (303, [presales.token(made)], [HELD])
    assert set(order.lines.values_list("is_held", "allotment")) == {(True, f"presale:{made.pk}")}
    assert "By your link: 3 of 5 left" in again
    assert invariants.check() == []


def test_a_form_by_a_link_is_nobody_elses(client: Client) -> None:
    event = factories.event()
    made = presales.link(presales.hidden_type(event))
    factories.ticket_type(event, factories.quota(event))

    private = client.get(presales.form_of(event, made))
    public = Client().get(presales.form_of(event))

    assert private["Cache-Control"].startswith("private, no-store")
    assert (private["Referrer-Policy"], private["X-Robots-Tag"]) == ("same-origin", "noindex, nofollow")
    assert made.secret not in public.content.decode() and "Alumni" not in public.content.decode()


def test_without_its_link_a_hidden_ticket_is_answered_as_one_that_does_not_exist(client: Client) -> None:
    event = factories.event()
    alumni, other = presales.hidden_type(event), presales.hidden_type(factories.event())
    factories.ticket_type(event, factories.quota(event))
    made = presales.link(alumni)
    stranger = presales.link(other)

    answers = [
        presales.send(client, kind, 1, tokens=tokens, to=event)
        for kind, tokens in ((alumni, []), (other, []), (alumni, ["link:wrong"]), (alumni, [presales.token(stranger)]))
    ]

    texts = [
        presales.text_of(answer).replace(str(alumni.public_id), "").replace(str(other.public_id), "")
        for answer in answers
    ]
    assert [answer.status_code for answer in answers] == [422] * 4
    assert texts[0] == texts[1]
    assert all(str(reasons.sentence(reasons.NOT_ON_SALE)) in text and "Alumni" not in text for text in texts)
    assert not Order.objects.exists()
    assert presales.send(client, alumni, 1, tokens=[presales.token(made)]).status_code == 303


CASES = {
    "bad": ({}, allotment.UNKNOWN),
    "not-yet": ({"opens_at": timedelta(hours=1)}, allotment.NOT_YET),
    "over": ({"closes_at": timedelta(seconds=-1)}, allotment.OVER),
    "revoked": ({"revoked_at": timedelta(0)}, allotment.REVOKED),
    "used-up": ({"used": 5}, allotment.USED_UP),
}


@pytest.mark.parametrize(("changes", "reason"), CASES.values(), ids=CASES)
def test_a_link_that_opens_nothing_has_a_sentence_of_its_own_and_leads_to_the_public_page(
    client: Client, changes: dict, reason: str
) -> None:
    event = factories.event()
    factories.ticket_type(event, factories.quota(event), name_en="Public")
    made = presales.link(presales.hidden_type(event))
    moments = {name: clock.now() + value if isinstance(value, timedelta) else value for name, value in changes.items()}
    PresaleLink.objects.filter(pk=made.pk).update(**moments)
    address = presales.form_of(event, made) if changes else presales.form_of(event) + "?link=wrong"

    response = client.get(address)

    sentences = {code: str(reasons.sentence(code)) for _changes, code in CASES.values()}
    said = {code for code, sentence in sentences.items() if sentence in presales.text_of(response)}
    assert said == {reason}
    assert "Alumni" not in presales.text_of(response) and "Public" in presales.text_of(response)
    assert f'href="{presales.form_of(event)}"' in response.content.decode()


def test_the_queue_judges_a_link_again(client: Client) -> None:
    alumni = presales.hidden_type(factories.event(), size=10)
    made = presales.link(alumni, size=3)
    placed = [presales.place(alumni, 2, made, fewer_is_fine=fine) for fine in (True, True, False)]
    late = presales.place(alumni, 1, made)

    states = presales.decided(*placed, late)

    assert states == [
        HELD,
        ("offered", reasons.PARTIAL),
        ("rejected", allotment.USED_UP),
        ("rejected", allotment.USED_UP),
    ]
    assert presales.stock(alumni) == [(10, 3, 0)]
    assert invariants.check() == []


def test_a_link_that_was_revoked_in_the_meantime_buys_nothing() -> None:
    alumni = presales.hidden_type(factories.event())
    made = presales.link(alumni)
    order = presales.place(alumni, 1, made)

    presale.revoke(made)

    assert presales.decided(order) == [("rejected", allotment.REVOKED)]
    assert presale.revoke(made) is False


def test_whoever_queued_in_time_keeps_their_link() -> None:
    alumni = presales.hidden_type(factories.event())
    made = presales.link(alumni, closes_at=clock.now() + timedelta(minutes=5), sets_aside=True)
    order = presales.place(alumni, 2, made)

    with clock_moved(timedelta(minutes=6)):
        states = presales.decided(order)

        assert states == [HELD]
        assert presales.stock(alumni) == [(10, 2, 0)]
        assert presales.decided(presales.place(alumni, 1, made)) == [("rejected", allotment.OVER)]
    assert invariants.check() == []


# --- Places set aside ----------------------------------------------------------------------------------------------


def test_places_set_aside_are_for_the_links_buyers_only() -> None:
    event = factories.event()
    hall = factories.quota(event, 4)
    public = factories.ticket_type(event, hall)
    alumni = factories.ticket_type(event, hall, visibility="link")
    made = presales.link(alumni, size=3, sets_aside=True, closes_at=clock.now() + timedelta(days=1))

    first, second = (factories.order(event, factories.wanted(public, n), fewer_is_fine=False) for n in (2, 1))
    states = presales.decided(first, second)
    by_link = presales.buy(alumni, 3, made)

    assert states == [FULL, HELD]
    assert (by_link.state, presales.stock(public)) == ("reserved", [(4, 4, 0)])
    assert invariants.check() == []


def test_a_link_without_places_is_no_way_around_a_quota() -> None:
    event = factories.event()
    hall = factories.quota(event, 2)
    public = factories.ticket_type(event, hall)
    alumni = factories.ticket_type(event, hall, visibility="link")
    made = presales.link(alumni, size=5)
    factories.order(event, factories.wanted(public, 1))

    order = presales.buy(alumni, 3, made)

    assert (order.state, presales.stock(alumni)) == ("offered", [(2, 2, 0)])
    assert PresaleLink.objects.get().used == 1


def test_what_is_let_go_goes_back_to_its_link_while_that_lives_and_else_to_everybody() -> None:
    event = factories.event()
    hall = factories.quota(event, 2)
    public = factories.ticket_type(event, hall)
    alumni = factories.ticket_type(event, hall, visibility="link")
    made = presales.link(alumni, size=2, sets_aside=True, closes_at=clock.now() + timedelta(hours=1))
    first, second = presales.buy(alumni, 1, made), presales.buy(alumni, 1, made)
    waiting = factories.order(event, factories.wanted(public))
    assert presales.decided(waiting) == [FULL]

    ordering.cancel(first)
    assert (presales.stock(public), presales.decided(waiting)) == ([(2, 1, 1)], [FULL])
    assert presales.buy(alumni, 1, made).state == "reserved"
    with clock_moved(timedelta(hours=2)):
        ordering.cancel(second)

        assert presales.decided(waiting) == [HELD]
        assert presales.stock(public) == [(2, 2, 0)]
    assert PresaleLink.objects.get().used == 1
    assert invariants.check() == []


@pytest.mark.parametrize("by", ["the queue", "cron"])
def test_the_end_of_a_link_gives_its_places_to_those_who_wait(by: str) -> None:
    event = factories.event()
    hall = factories.quota(event, 3)
    public = factories.ticket_type(event, hall)
    alumni = factories.ticket_type(event, hall, visibility="link")
    presales.link(alumni, size=2, sets_aside=True, closes_at=clock.now() + timedelta(hours=1))
    waiting = factories.order(event, factories.wanted(public, 3), fewer_is_fine=False)
    assert presales.decided(waiting) == [FULL]

    with clock_moved(timedelta(hours=1)):
        if by == "cron":
            presale.return_all_lapsed()
            assert presales.stock(public) == [(3, 0, 0)]
        queue.drain(event.pk)
        queue.drain(event.pk)

        assert presales.decided(waiting) == [HELD]
    assert invariants.check() == []


def test_places_that_are_not_there_cannot_be_set_aside() -> None:
    alumni = presales.hidden_type(factories.event(), size=4)
    closes_at = clock.now() + timedelta(days=1)
    presales.link(alumni, size=3, sets_aside=True, closes_at=closes_at)

    with pytest.raises(reservations.TooFewLeft):
        presales.link(alumni, size=2, sets_aside=True, closes_at=closes_at)

    assert PresaleLink.objects.count() == 1
    assert presales.stock(alumni) == [(4, 0, 3)]
    with pytest.raises(reservations.BelowTaken):
        reservations.resize(Quota.objects.get(), 2)


def test_a_link_of_two_tickets_keeps_its_number_of_each_and_counts_them_together() -> None:
    event = factories.event()
    hall, party = factories.quota(event, 10), factories.quota(event, 10)
    dinner = factories.ticket_type(event, hall, visibility="link")
    dance = factories.ticket_type(event, hall, party, visibility="link")
    made = presales.link(dinner, dance, size=4, sets_aside=True, closes_at=clock.now() + timedelta(days=1))

    bought = factories.order(
        event, [*factories.wanted(dinner, 1), *factories.wanted(dance, 2)], tokens=[presales.token(made)]
    )
    presales.decided(bought)

    assert presales.stock(dance) == [(10, 3, 1), (10, 2, 2)]
    ordering.cancel(bought)
    assert presales.stock(dance) == [(10, 0, 4), (10, 0, 4)]
    assert presales.buy(dance, 5, made).state == "offered"
    assert invariants.check() == []


def test_two_orders_of_one_person_meet_the_limit_per_person() -> None:
    alumni = presales.hidden_type(factories.event())
    made = presales.link(alumni, size=6, max_per_person=2)

    first = presales.buy(alumni, 1, made, email="kim@example.org")
    second = presales.buy(alumni, 2, made, email="Kim@example.org", fewer_is_fine=False)
    third = presales.buy(alumni, 2, made, email="kim+2@example.org")
    other = presales.buy(alumni, 2, made, email="other@example.org")

    assert [(order.state, order.reason) for order in (first, second, third, other)] == [
        HELD,
        ("rejected", allotment.PER_PERSON),
        ("offered", reasons.PARTIAL),
        HELD,
    ]


def test_a_public_ticket_by_a_used_up_link_is_bought_like_anybodys() -> None:
    event = factories.event()
    public = factories.ticket_type(event, factories.quota(event, 5))
    made = presales.link(public, size=1, sets_aside=True, closes_at=clock.now() + timedelta(days=1))

    order = presales.buy(public, 3, made)

    assert (order.state, presales.stock(public)) == ("reserved", [(5, 3, 0)])
    assert sorted(order.lines.values_list("allotment", flat=True)) == ["", "", f"presale:{made.pk}"]


def test_two_links_together_are_used_one_after_the_other() -> None:
    alumni = presales.hidden_type(factories.event())
    one, other = presales.link(alumni, size=1), presales.link(alumni, size=2)

    order = presales.buy(alumni, 3, one, other)

    assert order.state == "reserved"
    assert list(PresaleLink.objects.order_by("pk").values_list("used", flat=True)) == [1, 2]


def test_late_money_takes_from_the_link_again_or_goes_back() -> None:
    alumni = presales.hidden_type(factories.event())
    made = presales.link(alumni, size=2, sets_aside=True, closes_at=clock.now() + timedelta(days=1))
    orders = [presales.buy(alumni, 2, made)]
    due = factories.payment(orders[0], state="cancelled")
    reservations.release([orders[0].pk], "reserved", "expired", reasons.HOLD_EXPIRED)
    orders.append(presales.buy(alumni, 1, made))

    settle.settle(factories.notice(due), provider=due.provider)
    orders[0].refresh_from_db()
    assert orders[0].state == "expired"  # one ticket is left of the link, and two were paid for

    ordering.cancel(orders[1])
    orders.append(presales.buy(alumni, 1, made))
    other = factories.payment(orders[2], state="cancelled")
    reservations.release([orders[2].pk], "reserved", "expired", reasons.HOLD_EXPIRED)
    settle.settle(factories.notice(other), provider=other.provider)
    orders[2].refresh_from_db()

    assert orders[2].state == "paid"
    assert (PresaleLink.objects.get().used, presales.stock(alumni)) == (1, [(10, 1, 1)])
    assert invariants.check() == []


def test_a_recount_sets_right_what_has_drifted() -> None:
    alumni = presales.hidden_type(factories.event())
    made = presales.link(alumni, size=4, sets_aside=True, closes_at=clock.now() + timedelta(days=1))
    presales.buy(alumni, 1, made)
    Quota.objects.update(set_aside=6)
    PresaleLink.objects.update(used=3)
    broken = {violation.promise for violation in invariants.check()}

    reservations.recount(alumni.event_id)

    assert len(broken) == 2
    assert (presales.stock(alumni), PresaleLink.objects.get().used) == ([(10, 1, 3)], 1)
    assert invariants.check() == []


def test_a_recount_keeps_no_more_for_a_link_than_it_is_good_for() -> None:
    alumni = presales.hidden_type(factories.event())
    presales.link(alumni, size=4, sets_aside=True, closes_at=clock.now() + timedelta(days=1))
    PresaleStock.objects.update(count=9)
    Quota.objects.update(set_aside=9)

    reservations.recount(alumni.event_id)

    assert (presales.stock(alumni), PresaleStock.objects.get().count) == ([(10, 0, 4)], 4)


def test_many_links_end_with_as_few_questions_as_one() -> None:
    counts = []
    for number in (1, 4):
        alumni = presales.hidden_type(factories.event())
        for _link in range(number):
            presales.link(alumni, size=2, sets_aside=True, closes_at=clock.now() + timedelta(hours=1))
        with clock_moved(timedelta(hours=1)), CaptureQueriesContext(connection) as asked:
            presale.return_lapsed(alumni.event_id, clock.now())
        counts.append(len(asked))
        assert presales.stock(alumni) == [(10, 0, 0)]

    assert counts[0] == counts[1]


def test_an_event_without_links_and_buyers_without_tokens_are_asked_nothing_more() -> None:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 900))

    def drained(number: int, **values: Any) -> list[str]:
        for _ in range(number):
            factories.order(event, factories.wanted(kind), **values)
        catalogue.load(event.pk, fresh=True)
        with CaptureQueriesContext(connection) as queries:
            queue.drain_all()
        return [query["sql"] for query in queries]

    drained(3)
    before = drained(3)
    links = [presales.link(kind, size=2) for _ in range(60)]
    after = drained(3)
    with_one = len(drained(1, tokens=[presales.token(links[0])]))
    with_many = drained(40, tokens=[presales.token(one) for one in links[:5]])

    assert not any("discounts_presale" in sql for sql in (*before, *after))
    assert len(after) <= len(before)
    assert len(with_many) <= with_one + 1
    assert OrderLine.objects.exclude(allotment="").count() == 10


@pytest.mark.parametrize("ahead", [0, 3], ids=["alone", "behind a batch without the link"])
def test_a_kept_place_that_comes_back_is_the_next_ones_who_waits_by_the_link(
    monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    monkeypatch.setattr(queue, "BATCH", 3)
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 100), max_per_order=50, max_per_person=50)
    made = presales.link(kind, size=3, sets_aside=True, closes_at=clock.now() + timedelta(days=1))
    holder, *_others = orders = [presales.buy(kind, 2, made), presales.buy(kind, 49), presales.buy(kind, 48)]
    orders += [presales.buy(kind, 2, fewer_is_fine=False) for _ in range(ahead)]
    orders.append(presales.buy(kind, 3, made, fewer_is_fine=False))
    assert presales.decided(*orders)[-1:] == [FULL]
    orders.append(presales.place(kind, 3, made, fewer_is_fine=False))

    ordering.cancel(holder)

    assert presales.decided(*orders)[3:] == [*[FULL] * ahead, HELD, FULL]
    assert presales.stock(kind) == [(100, 100, 0)]
    assert invariants.check() == []
