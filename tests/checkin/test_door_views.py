"""The door in a browser without JavaScript, and who may stand there."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from apps.checkin import reasons
from apps.checkin.models import CheckinList, Scan
from apps.ticketing import clock
from apps.ticketing.reasons import sentence
from tests import factories
from tests.checkin.conftest import Evening, paid_tickets, staff
from tests.clock import clock_moved


def door(evening: Evening) -> str:
    return reverse("checkin:door", args=[evening.event.public_id])


@pytest.fixture
def robin(evening: Evening, client: Client) -> Client:
    client.force_login(evening.robin)
    client.cookies["language"] = "en"
    return client


def body_class(page: str) -> str:
    match = re.search(r'<body class="([^"]*)"', page)
    assert match
    return match[1]


# --- Who -----------------------------------------------------------------------------------------------------------


def test_stranger_is_sent_to_sign_in_and_back(evening: Evening, client: Client) -> None:
    answer = client.get(door(evening))

    assert (answer.status_code, answer["Location"]) == (302, f"/accounts/login/?next={door(evening)}")


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("door", 200),
        ("editors", 200),
        ("superuser", 200),
        ("treasurers", 404),
        ("buyer", 404),
        ("door of another", 404),
        ("editors of another", 404),
        ("door, left", 302),
    ],
)
def test_door_is_open_to_its_own_people_only(evening: Evening, client: Client, who: str, status: int) -> None:
    another = factories.organisation()
    people = {
        "door": lambda: evening.robin,
        "editors": lambda: staff(evening.organisation, "editors"),
        "treasurers": lambda: staff(evening.organisation, "treasurers"),
        "superuser": lambda: factories.user(is_superuser=True),
        "buyer": factories.user,
        "door of another": lambda: staff(another, "door"),
        "editors of another": lambda: staff(another, "editors"),
        "door, left": lambda: staff(evening.organisation, "door", is_active=False),
    }
    client.force_login(people[who]())
    (ticket,) = evening.tickets()

    answers = [
        client.get(door(evening)),
        client.post(door(evening), {"code": ticket.short_code}),
        client.get(reverse("checkin:undo", args=[evening.event.public_id, uuid4()])),
        client.post(reverse("checkin:gate", args=[evening.event.public_id]), {"gate": "A"}),
    ]

    if status == 200:
        assert [answer.status_code for answer in answers] == [200, 200, 404, 302]
    else:
        assert [answer.status_code for answer in answers] == [status] * 4
    ticket.refresh_from_db()
    assert ticket.state == ("used" if status == 200 else "valid")


def test_nothing_is_written_for_those_who_may_not(evening: Evening, client: Client) -> None:
    client.force_login(factories.user())

    client.get(door(evening))
    client.post(door(evening), {"code": "AAAAAA"})

    assert (CheckinList.objects.count(), Scan.objects.count()) == (0, 0)


def test_scan_of_one_event_cannot_be_undone_at_another(evening: Evening, robin: Client) -> None:
    (ticket,) = evening.tickets()
    robin.post(door(evening), {"code": ticket.short_code})
    scan = Scan.objects.get()
    elsewhere = factories.event(organisation=evening.organisation)

    answer = robin.post(reverse("checkin:undo", args=[elsewhere.public_id, scan.public_id]), {"reason": "mistake"})

    assert answer.status_code == 404
    ticket.refresh_from_db()
    assert ticket.state == "used"


def test_list_shows_my_events_of_today_and_those_to_come(evening: Evening, robin: Client) -> None:
    now = clock.now()
    for days, title in [(9, "Coming gala"), (-3, "Long gone")]:
        factories.event(organisation=evening.organisation, title_en=title, starts_at=now + timedelta(days=days))
    factories.event(title_en="Somebody else's", starts_at=now)

    page = robin.get(reverse("checkin:events")).content.decode()

    assert door(evening) in page and "Coming gala" in page
    assert "Long gone" not in page and "Somebody else" not in page


@pytest.mark.parametrize("events", [1, 3])
def test_list_asks_the_same_number_of_questions(
    evening: Evening, robin: Client, events: int, django_assert_num_queries
) -> None:
    for _ in range(events - 1):
        factories.event(organisation=evening.organisation, starts_at=clock.now())

    with django_assert_num_queries(6):
        robin.get(reverse("checkin:events"))


# --- What ----------------------------------------------------------------------------------------------------------


def test_page_at_rest_has_one_field_with_the_focus(evening: Evening, robin: Client) -> None:
    evening.tickets(3)

    answer = robin.get(door(evening))

    page = answer.content.decode()
    assert page.count("autofocus") == 1 and 'name="code"' in page
    assert "of 3 inside" in page
    assert "no-store" in answer.headers["Cache-Control"]
    assert "'unsafe-inline'" not in answer.headers["Content-Security-Policy"]


def test_admitted_fills_the_screen_and_offers_the_next(evening: Evening, robin: Client) -> None:
    ticket, _other = evening.tickets(2)

    answer = robin.post(door(evening), {"code": ticket.short_code.lower(), "scan": str(uuid4())})

    page = answer.content.decode()
    assert (answer.status_code, body_class(page)) == (200, "door door--admitted")
    for words in (">IN<", "Dinner", "A. E.", "Ticket 1 of 2", "1 of 2 inside"):
        assert words in page
    assert "Alva" not in page and "alva@" not in page  # initials only
    assert page.count("autofocus") == 1 and 'name="code"' in page


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        pytest.param({"gate": "A\0B"}, "A B", id="nul"),
        pytest.param({"gate": "\x1b[2J \u202eEntré"}, "[2J Entré", id="control characters"),
        pytest.param({"cookie": "A%00B"}, "A B", id="nul in the cookie"),
        pytest.param({"cookie": "%ff%00"}, "\ufffd", id="not text"),
    ],
)
def test_name_of_the_gate_is_one_line_of_text(evening: Evening, robin: Client, sent: dict[str, str], kept: str) -> None:
    (ticket,) = evening.tickets()
    if "gate" in sent:
        assert robin.post(reverse("checkin:gate", args=[evening.event.public_id]), sent).status_code == 302
    else:
        robin.cookies["gate"] = sent["cookie"]

    assert robin.post(door(evening), {"code": ticket.short_code}).status_code == 200
    assert Scan.objects.get().gate == kept


def test_second_time_says_since_when_where_and_by_whom(evening: Evening, robin: Client) -> None:
    (ticket,) = evening.tickets()
    robin.post(reverse("checkin:gate", args=[evening.event.public_id]), {"gate": "  Entré   B "})
    robin.post(door(evening), {"code": ticket.short_code})
    entry = Scan.objects.get()

    with clock_moved(timedelta(minutes=21)):
        page = robin.post(door(evening), {"code": ticket.short_code}).content.decode()

    assert body_class(page) == "door door--stop"
    for words in (">STOP<", "Already in", "21 min ago", "Entré B", "by Robin"):
        assert words in page
    assert f"<b>{entry.at.astimezone(evening.event.zone):%H:%M}</b>" in page
    assert robin.get(door(evening)).content.decode().count("Entré B") >= 1


@pytest.mark.parametrize(
    ("code", "heading"),
    [
        ("AAAAAA", "Unknown code"),
        ("not a code", "Unknown code"),
        ("x" * 5000, "Unknown code"),
        ("0" * 126, "Not valid"),
    ],
)
def test_bad_codes_stop_with_a_sentence(evening: Evening, robin: Client, code: str, heading: str) -> None:
    answer = robin.post(door(evening), {"code": code})

    page = answer.content.decode()
    assert (answer.status_code, body_class(page)) == (200, "door door--stop")
    assert heading in page


@pytest.mark.parametrize("data", [{}, {"code": ""}, {"code": "  "}])
def test_empty_field_asks_for_a_code(evening: Evening, robin: Client, data: dict[str, str]) -> None:
    answer = robin.post(door(evening), data)

    assert answer.status_code == 400
    assert "Type a code, or scan one." in answer.content.decode()
    assert Scan.objects.count() == 0


@pytest.mark.parametrize("scan", ["", "nonsense", "0", "x" * 300])
def test_malformed_scan_id_is_a_new_scan(evening: Evening, robin: Client, scan: str) -> None:
    (ticket,) = evening.tickets()

    page = robin.post(door(evening), {"code": ticket.short_code, "scan": scan}).content.decode()

    assert body_class(page) == "door door--admitted"


def test_form_sent_twice_at_once_shows_the_same_answer(evening: Evening, robin: Client) -> None:
    (ticket,) = evening.tickets()
    form = {"code": ticket.short_code, "scan": str(uuid4())}

    pages = [robin.post(door(evening), form).content.decode() for _ in range(2)]

    assert [body_class(page) for page in pages] == ["door door--admitted"] * 2
    assert Scan.objects.count() == 1


def test_old_form_sent_again_later_never_says_in(evening: Evening, robin: Client) -> None:
    """The way back of the browser and a second guest with a copy of the code."""
    (ticket,) = evening.tickets()
    form = {"code": ticket.short_code, "scan": str(uuid4())}
    robin.post(door(evening), form)

    with clock_moved(timedelta(seconds=30)):
        page = robin.post(door(evening), form).content.decode()

    assert body_class(page) == "door door--stop"
    assert "Already in" in page and "by Robin" in page


def test_look_waits_for_the_volunteer(evening: Evening, robin: Client) -> None:
    kind = factories.ticket_type(evening.event, minimum_age=18, needs_id=True)
    (ticket,) = paid_tickets(evening.event, kind)

    page = robin.post(door(evening), {"code": ticket.short_code}).content.decode()
    ticket.refresh_from_db()
    before = ticket.state
    let_in = robin.post(door(evening), {"code": ticket.short_code, "confirmed": "1"}).content.decode()

    assert (body_class(page), before) == ("door door--look", "valid")
    assert "Identity card, 18 years" in page and f'name="code" value="{ticket.short_code}"' in page
    assert body_class(let_in) == "door door--admitted"


def test_undo_at_once_needs_no_reason_and_later_does(evening: Evening, robin: Client) -> None:
    first, second = evening.tickets(2)
    for ticket in (first, second):
        robin.post(door(evening), {"code": ticket.short_code})
    undo = [
        reverse("checkin:undo", args=[evening.event.public_id, Scan.objects.get(ticket=ticket).public_id])
        for ticket in (first, second)
    ]

    at_once = robin.post(undo[0], {"at_once": "1"}).content.decode()
    with clock_moved(timedelta(minutes=1)):
        later = robin.post(undo[1], {"at_once": "1"})
        nothing_chosen = robin.post(undo[1], {})
        nonsense = robin.post(undo[1], {"reason": "because"})
        done = robin.post(undo[1], {"reason": "left_again"}).content.decode()

    assert "Undone. The ticket is valid again." in at_once
    assert (later.status_code, nothing_chosen.status_code, nonsense.status_code) == (200, 400, 400)
    assert "Why?" in later.content.decode() and "Choose why." in nothing_chosen.content.decode()
    assert "Undone. The ticket is valid again." in done
    assert list(Scan.objects.filter(outcome="undone").order_by("pk").values_list("reason", flat=True)) == [
        "mistake",
        "left_again",
    ]


def test_undo_at_once_that_comes_too_late_is_led_to_the_page_that_asks_why(evening: Evening, robin: Client) -> None:
    (ticket,) = evening.tickets()
    robin.post(door(evening), {"code": ticket.short_code})
    undo = reverse("checkin:undo", args=[evening.event.public_id, Scan.objects.get().public_id])

    with clock_moved(timedelta(minutes=1)):
        answer = robin.post(undo, {"at_once": "1"}, headers={"HX-Request": "true"})

    assert (answer.status_code, answer.headers["HX-Redirect"]) == (200, undo)
    assert Scan.objects.count() == 1


def test_undo_that_comes_too_late_says_so(evening: Evening, robin: Client) -> None:
    (ticket,) = evening.tickets()
    robin.post(door(evening), {"code": ticket.short_code})
    scan = Scan.objects.get()
    type(ticket).objects.filter(pk=ticket.pk).update(state="revoked")

    answer = robin.post(reverse("checkin:undo", args=[evening.event.public_id, scan.public_id]), {"reason": "mistake"})

    assert answer.status_code == 409
    assert answer.context["error"] == sentence(reasons.CANNOT_UNDO)


def test_htmx_gets_the_screen_alone_and_is_told_its_colour(evening: Evening, robin: Client) -> None:
    (ticket,) = evening.tickets()

    answer = robin.post(door(evening), {"code": ticket.short_code}, HTTP_HX_REQUEST="true")
    empty = robin.post(door(evening), {"code": ""}, HTTP_HX_REQUEST="true")

    page = answer.content.decode()
    assert "<html" not in page and ">IN<" in page
    assert answer.headers["HX-Trigger-After-Swap"] == '{"door:screen": {"screen": "admitted"}}'
    assert (empty.status_code, "Type a code" in empty.content.decode()) == (200, True)  # htmx swaps 2xx only


def test_htmx_without_a_session_is_led_to_sign_in_as_a_whole_page(evening: Evening, client: Client) -> None:
    (ticket,) = evening.tickets()

    answer = client.post(door(evening), {"code": ticket.short_code}, HTTP_HX_REQUEST="true")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["HX-Redirect"] == f"/accounts/login/?next={door(evening)}"


def test_log_at_the_door_is_short_and_holds_initials(evening: Evening, robin: Client) -> None:
    for ticket in evening.tickets(7):
        robin.post(door(evening), {"code": ticket.short_code})

    page = robin.get(door(evening)).content.decode()

    assert page.count("A. E. · Dinner") == 5
    assert "Alva" not in page


@pytest.mark.parametrize("guests", [1, 4])
def test_door_asks_the_same_number_of_questions(
    evening: Evening, robin: Client, guests: int, django_assert_num_queries
) -> None:
    tickets = evening.tickets(guests + 1)
    for ticket in tickets[:guests]:
        robin.post(door(evening), {"code": ticket.short_code})

    with django_assert_num_queries(5):  # session, user, event, crowd, latest
        robin.get(door(evening))


def test_door_speaks_swedish(evening: Evening, robin: Client) -> None:
    robin.cookies["language"] = "sv"
    (ticket,) = evening.tickets()

    pages = [robin.post(door(evening), {"code": ticket.short_code}).content.decode() for _ in range(2)]

    assert ">IN<" in pages[0] and "Sittning" in pages[0]
    assert ">STOPP<" in pages[1] and "Redan inne" in pages[1]


@pytest.mark.parametrize(
    ("again", "minutes", "screen"),
    [({}, 1, "stop"), ({"again": "1"}, 1, "admitted"), ({"again": "1"}, 14, "admitted"), ({"again": "1"}, 16, "stop")],
    ids=["an old form", "answer lost", "answer lost long ago", "too long ago"],
)
def test_scan_whose_answer_was_lost_is_answered_as_the_first_time(
    evening: Evening, robin: Client, again: dict[str, str], minutes: int, screen: str
) -> None:
    (ticket,) = evening.tickets()
    form = {"code": ticket.short_code, "scan": str(uuid4())}
    address = reverse("checkin:door", args=[evening.event.public_id])
    robin.post(address, form)

    with clock_moved(timedelta(minutes=minutes)):
        answer = robin.post(address, {**form, **again})

    assert answer.context["screen"] == screen
    assert Scan.objects.count() == 1
