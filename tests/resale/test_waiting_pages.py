"""The pages of a waiting list: joining, one's own page, the desk. And what they say to bad input."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from config import cron
from config.logs import mask
from django.urls import reverse
from django.utils.translation import override

from apps.accounts.extensions import my_page_panels, personal_data
from apps.events.models import Event
from apps.resale import waiting, waiting_offers, waiting_time
from apps.resale import waiting_reasons as reasons
from apps.resale.models import WaitingEntry, WaitingRule
from apps.ticketing import clock, outbox
from apps.ticketing.models import Order, Ticket
from apps.ticketing.reasons import sentence
from apps.ticketing.states import OrderState
from tests import factories
from tests.clock import clock_moved
from tests.resale import houses, lines

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def promises(promises_kept):
    """Every test here ends with all promises kept."""


def join_url(event) -> str:
    return reverse("resale:wait", args=[event.public_id])


def own_url(entry) -> str:
    return reverse("resale:waiting", args=[entry.public_id, entry.secret])


def page(client, url: str) -> str:
    return client.get(url).content.decode()


def wish(kind, **values) -> dict[str, str]:
    return {"type": str(kind.public_id), "quantity": "1", "email": "robin@example.org", **values}


# --- Joining -------------------------------------------------------------------------------------------------------


def test_a_sold_out_event_leads_to_its_list(client):
    event, _kind = lines.sold_out()

    block = page(client, reverse("ticketing:form", args=[event.public_id]))

    assert join_url(event) in block


def test_a_guest_is_on_the_list_once_they_confirm_and_can_leave_by_the_link(client, mailoutbox):
    event, kind = lines.sold_out()

    answer = client.post(join_url(event), wish(kind))
    entry = WaitingEntry.objects.get()
    assert (answer.status_code, entry.state) == (200, "asked")
    assert entry.secret not in answer.content.decode()
    outbox.run_all(early=True)
    assert entry.secret in mailoutbox[-1].body

    houses.listed(Ticket.objects.select_related("event", "line__order", "ticket_type").get(event=event))
    assert lines.offers_to(entry) == []
    client.post(own_url(entry), {"act": "confirm"})
    entry.refresh_from_db()
    assert entry.state == "waiting"

    client.post(own_url(entry), {"List-Unsubscribe": "One-Click"})
    entry.refresh_from_db()
    assert (entry.state, entry.reason) == ("left", reasons.LEFT)


def test_an_address_on_the_list_is_answered_like_any_other_and_written_to_again(client, mailoutbox):
    event, kind = lines.sold_out()
    first = client.post(join_url(event), wish(kind)).content.decode()
    second = client.post(join_url(event), wish(kind)).content.decode()
    outbox.run_all(early=True)

    assert WaitingEntry.objects.count() == 1
    assert first.split("<main")[1] == second.split("<main")[1]
    assert [letter.to for letter in mailoutbox if letter.to == ["robin@example.org"]] == [["robin@example.org"]] * 2


def test_who_is_signed_in_is_on_the_list_at_once_and_sees_their_place(client):
    event, kind = lines.sold_out()
    lines.waits(event)
    person = factories.user()
    client.force_login(person)

    answer = client.post(join_url(event), wish(kind), follow=True)

    entry = WaitingEntry.objects.get(user=person)
    assert (entry.state, waiting.ahead(entry)) == ("waiting", 1)
    assert "nummer 2" in answer.content.decode() or "number 2" in answer.content.decode()
    assert client.post(join_url(event), wish(kind)).url == own_url(entry)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"quantity": "0"}, reasons.BAD_NUMBER),
        ({"quantity": "11"}, reasons.BAD_NUMBER),
        ({"quantity": "-1"}, reasons.BAD_NUMBER),
        ({"quantity": "two"}, reasons.BAD_NUMBER),
        ({"type": ""}, reasons.NOTHING_CHOSEN),
        ({"type": "of another event"}, reasons.NOTHING_CHOSEN),
        ({"quantity": "3"}, reasons.TOO_MANY),
    ],
)
def test_bad_wishes_are_told_why_and_nothing_is_stored(client, sent, said):
    event, kind = lines.sold_out(max_per_person=2)

    answer = client.post(join_url(event), wish(kind, **sent))

    assert answer.status_code == 422
    assert sentence(said).split(".")[0] in answer.content.decode().replace("&#x27;", "'")
    assert WaitingEntry.objects.count() == 0


def test_nobody_waits_for_what_can_be_bought_or_where_there_is_no_list(client):
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event))
    assert client.post(join_url(event), wish(kind)).status_code == 422

    closed, gone = lines.sold_out()
    WaitingRule.objects.create(event=closed, is_open=False)
    assert client.post(join_url(closed), wish(gone)).status_code == 422

    assert WaitingEntry.objects.count() == 0


def test_who_lost_in_the_queue_joins_with_one_tap_and_keeps_rank_kinds_and_number(client):
    event, kind = lines.sold_out(max_per_person=None)
    order = lines.decided(factories.order(event, factories.wanted(kind, 2), fewer_is_fine=False))
    Order.objects.filter(pk=order.pk).update(email_confirmed_at=clock.now())
    later = lines.waits(event)
    tap = reverse("resale:wait_from", args=[order.reference, order.secret])
    assert order.state == OrderState.WAITING
    assert tap in page(client, reverse("ticketing:order", args=[order.reference, order.secret]))

    answer = client.post(tap)

    entry = WaitingEntry.objects.get(order=order)
    assert answer.url == own_url(entry)
    assert (entry.rank, entry.quantity, entry.all_or_nothing) == (order.rank, 2, True)
    assert [one.pk for one in entry.types.all()] == [kind.pk]
    assert (waiting.ahead(entry), waiting.ahead(later)) == (0, 1)
    assert client.post(tap).url == own_url(entry)


def test_an_address_that_was_only_typed_takes_its_rank_along_once_it_is_confirmed_and_opens_nobodys_page(client):
    event, kind = lines.sold_out(max_per_person=None)
    vera = waiting.join(event, email="vera@example.org", type_ids=[kind.pk], quantity=1)
    taken, free = [
        lines.decided(factories.order(event, factories.wanted(kind), email=email))
        for email in (vera.email, "new@example.org")
    ]
    answers = [
        client.post(reverse("resale:wait_from", args=[order.reference, order.secret])) for order in (taken, free)
    ]

    entry = WaitingEntry.objects.get(order=free)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert all(one.secret not in answer.content.decode() for one in (vera, entry) for answer in answers)
    assert (entry.state, entry.rank) == ("asked", free.rank)
    assert waiting.confirm(entry)


def test_the_rank_of_an_order_is_taken_along_once(client):
    event, kind = lines.sold_out(max_per_person=None)
    order = lines.decided(factories.order(event, factories.wanted(kind)))
    Order.objects.filter(pk=order.pk).update(email_confirmed_at=clock.now())
    tap = reverse("resale:wait_from", args=[order.reference, order.secret])
    client.post(tap)
    waiting.leave(WaitingEntry.objects.get(order=order))

    assert client.post(tap).status_code == 409
    assert WaitingEntry.objects.filter(order=order).count() == 1


def test_who_joins_as_a_guest_shows_that_they_are_no_robot_where_the_event_asks_that(client):
    event, kind = lines.sold_out()
    Event.objects.filter(pk=event.pk).update(challenges_guests=True)

    answer = client.post(join_url(event), wish(kind))

    assert answer.status_code == 422
    assert "data-challenge" in answer.content.decode()
    assert WaitingEntry.objects.count() == 0


def test_an_order_that_got_its_place_cannot_join_with_its_rank(client):
    event, _kind = lines.sold_out()
    order = Order.objects.get(event=event)

    answer = client.post(reverse("resale:wait_from", args=[order.reference, order.secret]))

    assert answer.status_code == 409
    assert WaitingEntry.objects.count() == 0


# --- One's own page ------------------------------------------------------------------------------------------------


def test_places_are_taken_on_the_page_with_the_choice_that_must_be_made(client):
    event, kind = lines.sold_out()
    drink = factories.variation(kind, kind="one")
    beer, juice = factories.choice(drink), factories.choice(drink)
    entry = lines.waits(event)
    lines.comes_back(Order.objects.get(event=event))
    offer = lines.offer_to(entry)
    sent = {"act": "accept", "offer": str(offer.public_id), "seen": str(kind.price_minor)}

    refused = client.post(own_url(entry), sent)
    assert refused.status_code == 409
    assert Order.objects.filter(channel="list").count() == 0

    answer = client.post(own_url(entry), {**sent, f"choice-1-{drink.public_id}": str(juice.public_id)})

    order = lines.decided(Order.objects.get(channel="list"))
    assert answer.url == reverse("ticketing:order", args=[order.reference, order.secret])
    assert order.state == OrderState.RESERVED
    assert [pick.choice_id for line in order.lines.all() for pick in line.choices.all()] == [juice.pk]
    assert beer.pk != juice.pk


@pytest.mark.parametrize("sent", [{"offer": "nonsense"}, {"offer": ""}, {"seen": "1"}, {"act": "accept"}])
def test_crafted_answers_are_told_and_nothing_is_ordered(client, sent):
    event, _kind = lines.sold_out()
    entry = lines.waits(event)
    houses.listed(Ticket.objects.select_related("event", "line__order", "ticket_type").get(event=event))
    offer = lines.offer_to(entry)

    answer = client.post(own_url(entry), {"act": "accept", "offer": str(offer.public_id), **sent})

    assert answer.status_code == 409
    assert lines.states_of(entry) == ["open"]


def test_the_log_does_not_tell_the_token_of_an_own_page(client):
    event, _kind = lines.sold_out()
    entry = lines.waits(event)

    told = mask(f"GET {own_url(entry)} 200")

    assert told == f"GET {own_url(entry).replace(entry.secret, '***')} 200"


def test_the_page_says_why_somebody_was_passed(client):
    event, _kind = lines.sold_out()
    other = factories.ticket_type(event, factories.quota(event, 1))
    factories.paid_order(of=other)
    entry = lines.waits(event, other)
    houses.listed(
        Ticket.objects.select_related("event", "line__order", "ticket_type")
        .filter(event=event)
        .exclude(ticket_type=other)
        .get()
    )

    assert sentence(reasons.NOT_THIS_KIND) in page(client, own_url(entry))


def test_two_together_are_offered_two_together_and_never_one():
    event, _kind = lines.sold_out(2)
    pair = lines.waits(event, quantity=2, all_or_nothing=True)
    tickets = list(Ticket.objects.select_related("event", "line__order", "ticket_type").filter(event=event))

    houses.listed(tickets[0])
    assert lines.offers_to(pair) == []
    assert [skip.reason for skip in pair.skips.all()] == [reasons.TOO_FEW]
    houses.listed(tickets[1])

    offer = lines.offer_to(pair)
    order = lines.paid(waiting_offers.accept(offer))
    pair.refresh_from_db()
    assert (offer.quantity, order.lines.count(), pair.state) == (2, 2, "served")


def test_a_person_over_their_limit_is_passed():
    event, kind = lines.sold_out(2, max_per_person=1)
    seller, owner = Order.objects.filter(event=event).order_by("pk")
    entry = WaitingEntry.objects.create(
        event=event, buyer_key=owner.buyer_key, email=owner.email, rank=1, state="waiting", joined_at=clock.now()
    )
    entry.types.set([kind])

    houses.listed(Ticket.objects.select_related("event", "line__order", "ticket_type").get(line__order=seller))

    assert lines.offers_to(entry) == []
    assert [skip.reason for skip in entry.skips.all()] == [reasons.NOT_ALLOWED]


def test_who_buys_elsewhere_is_off_the_list():
    event, kind = lines.sold_out()
    entry = lines.waits(event)
    lines.comes_back(Order.objects.get(event=event))
    waiting_offers.decline(lines.offer_to(entry))

    order = factories.order(event, factories.wanted(kind), email=entry.email, user=entry.user)
    lines.paid(order)

    entry.refresh_from_db()
    assert (order.state, entry.state, entry.reason) == (OrderState.PAID, "served", reasons.BOUGHT)


@pytest.mark.parametrize("number", [1, 3])
def test_my_pages_tell_the_place_on_each_list_with_as_many_questions_as_for_one(rf, number, django_assert_num_queries):
    person = factories.user()
    for _ in range(number):
        event, kind = lines.sold_out()
        lines.waits(event)
        waiting.join(event, email="", user=person, type_ids=[kind.pk], quantity=1)

    with override("en"), django_assert_num_queries(2):  # their addresses, and their entries
        told = my_page_panels.get("waiting").render(rf.get("/"), person)

    assert told.count("Number 2 on the list") == number


# --- The organiser, and the person's data --------------------------------------------------------------------------


def test_the_desk_shows_the_list_in_order_and_takes_somebody_off_with_a_reason(client, mailoutbox):
    event, _kind = lines.sold_out()
    entry = lines.waits(event)
    houses.listed(Ticket.objects.select_related("event", "line__order", "ticket_type").get(event=event))
    client.force_login(factories.user(is_staff=True, is_superuser=True))

    inspect = reverse("waiting_desk:inspect", args=[entry.public_id])
    listed = page(client, reverse("waiting_desk:index"))
    assert entry.email in listed and f'href="{inspect}"' in listed
    assert client.post(inspect, {"note": ""}, follow=True).status_code == 200
    entry.refresh_from_db()
    assert entry.state == "waiting"

    client.post(inspect, {"note": "Du bad om det"})

    entry.refresh_from_db()
    outbox.run_all(early=True)
    assert (entry.state, entry.note, lines.states_of(entry)) == ("removed", "Du bad om det", ["withdrawn"])
    assert "Du bad om det" in mailoutbox[-1].body


def test_a_person_gets_and_erases_what_we_hold():
    event, _kind = lines.sold_out()
    entry = lines.waits(event)
    houses.listed(Ticket.objects.select_related("event", "line__order", "ticket_type").get(event=event))
    data = personal_data.get("waiting")

    (told,) = data.export(entry.user)["waiting_lists"]
    data.erase(entry.user)

    entry.refresh_from_db()
    assert (told["event"], told["state"], len(told["offers"])) == (event.title, "waiting", 1)
    assert (entry.state, entry.email, entry.buyer_key, entry.user_id) == ("left", "", "", None)


def test_who_stood_on_a_list_is_forgotten_90_days_after_the_event_and_what_was_offered_is_not():
    event, _kind = lines.sold_out()
    stands, gone = lines.waits(event), lines.waits(event)
    houses.listed(Ticket.objects.select_related("event", "line__order", "ticket_type").get(event=event))
    waiting.remove(gone, note="Ringde", actor=None)
    fields = ("user", "email", "buyer_key", "locale", "note")
    known = WaitingEntry.objects.order_by("pk").values_list(*fields)
    before, nobody = list(known), (None, "", "", "", "")
    after_event = event.ends_at - clock.now()

    with clock_moved(after_event + timedelta(days=89)):
        cron._clean_up()
        assert list(known.all()) == before
    with clock_moved(after_event + timedelta(days=91)):
        cron._clean_up()
        assert list(known.all()) == [before[0], nobody], "who still stands on it is written to first"
        waiting.sweep(clock.now())
        cron._clean_up()
        assert list(known.all()) == [nobody, nobody]

    assert (lines.states_of(stands), WaitingEntry.objects.get(pk=gone.pk).state) == (["lapsed"], "removed")


# --- The clock -----------------------------------------------------------------------------------------------------

STOCKHOLM = ZoneInfo("Europe/Stockholm")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=STOCKHOLM)


@pytest.mark.parametrize(
    ("at", "hours", "closes", "until"),
    [
        ("2026-11-02T09:00", 12, "2026-12-12T18:00", "2026-11-02T21:00"),
        ("2026-11-02T20:00", 12, "2026-12-12T18:00", "2026-11-03T18:00"),
        ("2026-11-02T03:00", 1, "2026-12-12T18:00", "2026-11-02T09:00"),
        ("2026-11-02T21:00", 1, "2026-12-12T18:00", "2026-11-02T22:00"),
        ("2026-10-24T21:00", 3, "2026-12-12T18:00", "2026-10-25T10:00"),  # clocks are set back in that night
        ("2027-03-27T21:00", 3, "2027-05-01T18:00", "2027-03-28T10:00"),  # and forward in this one
        ("2026-12-12T10:00", 12, "2026-12-12T18:00", "2026-12-12T12:00"),  # a quarter of the eight hours left
        ("2026-12-12T17:00", 12, "2026-12-12T18:00", "2026-12-12T17:30"),
        ("2026-12-12T17:50", 12, "2026-12-12T18:00", "2026-12-12T18:00"),
    ],
)
def test_the_clock_of_an_offer_rests_at_night_and_is_shorter_near_the_end(at, hours, closes, until):
    found = waiting_time.answer_until(moment(at), hours=hours, closes_at=moment(closes), zone=STOCKHOLM)

    assert found.astimezone(UTC) == moment(until).astimezone(UTC)
    assert found - moment(at) <= timedelta(days=2)
