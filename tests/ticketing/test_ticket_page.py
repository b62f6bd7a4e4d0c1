"""The ticket page: the code while it is good, and words instead of it when it is not."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils.translation import override
from icalendar import Calendar

from apps.ticketing import calendars, clock, credentials, event_face, queue
from apps.ticketing.credentials import Claim
from apps.ticketing.models import Ticket
from apps.ticketing.transitions import move
from tests import factories
from tests.ticketing.test_order_page import address as order_address
from tests.ticketing.test_views import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english(settings: LazySettings) -> None:
    settings.LANGUAGE_CODE = "en"
    event_face.forget()


@pytest.fixture
def tickets(client: Client) -> list[Ticket]:
    event = factories.event(title_en="Lucia dinner", venue="The Union House")
    kind = factories.ticket_type(event, factories.quota(event, 5), price_minor=0, name_en="Dinner", needs_id=True)
    beer = factories.choice(factories.variation(kind, name_en="Beverage"), name_en="Beer")
    order = factories.order(event, factories.wanted(kind, 2, (beer, 1)))
    queue.drain(event.pk)
    client.post(order_address(order, "order_pay"), {"name": "Robin Ek", "terms": "on"})
    return list(Ticket.objects.order_by("line__position"))


def address(ticket: Ticket) -> str:
    return address_to("ticket", ticket)


def address_to(name: str, ticket: Ticket, language: str = "en") -> str:
    with override(language):
        return reverse(f"ticketing:{name}", args=[ticket.public_id, ticket.secret])


def test_a_valid_ticket_shows_code_holder_type_choices_and_event(client: Client, tickets: list[Ticket]) -> None:
    response = client.get(address(tickets[0]))

    text = text_of(response)
    for words in ("Lucia dinner", "The Union House", "Valid", "Dinner", "Robin Ek", "Beverage", "Beer", "1 of 2",
                  "Bring identification", f"{tickets[0].short_code[:3]} · {tickets[0].short_code[3:]}"):  # fmt: skip
        assert words in text
    page = response.content.decode()
    assert credentials.qr_svg(credentials.sign(tickets[0]), title="QR code of the ticket") in page
    assert address(tickets[1]) in page and order_address(tickets[0].line.order) in page
    assert (response["Referrer-Policy"], response["Cache-Control"]) == ("no-referrer", "private, no-store")


def test_the_head_of_a_ticket_is_answered(client: Client, tickets: list[Ticket]) -> None:
    head = client.head(address(tickets[0]))

    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    ("path", "words", "has_code"),
    [
        pytest.param(["used"], "This ticket has been let in.", True, id="used"),
        pytest.param(["held"], "It is being bought, and lets nobody in meanwhile.", True, id="being-resold"),
        pytest.param(["revoked"], "This ticket is not valid any more. Its code no longer works.", False, id="revoked"),
        pytest.param(
            ["held", "superseded"], "This ticket has a new owner. Its code no longer works.", False, id="superseded"
        ),
        pytest.param(["blocked"], "This ticket is blocked while its payment is disputed.", False, id="blocked"),
    ],
)
def test_a_ticket_that_is_no_longer_good_says_so_instead_of_its_code(
    client: Client, tickets: list[Ticket], path: list[str], words: str, has_code: bool
) -> None:
    for state in path:
        move(tickets[0], state)

    response = client.get(address(tickets[0]))

    assert words in text_of(response)
    assert ('class="ticket__qr"' in response.content.decode()) is has_code
    assert (f"{tickets[0].short_code[:3]} · {tickets[0].short_code[3:]}" in text_of(response)) is has_code


def test_another_holder_sees_nothing_of_the_order(client: Client, tickets: list[Ticket]) -> None:
    tickets[0].holder_email = "kim@example.org"
    tickets[0].save()

    page = client.get(address(tickets[0])).content.decode()

    assert tickets[0].line.order.secret not in page
    assert tickets[1].secret not in page
    assert "Paid" not in re.sub("<[^>]+>", "", page)


def test_a_wrong_secret_finds_nothing(client: Client, tickets: list[Ticket]) -> None:
    with override("en"):
        wrong = reverse("ticketing:ticket", args=[tickets[0].public_id, tickets[1].secret])

    assert client.get(wrong).status_code == 404


@pytest.mark.usefixtures("kept_for_long")
def test_the_page_of_a_ticket_asks_the_database_as_often_for_one_as_for_three(
    client: Client, django_assert_num_queries: Any
) -> None:
    orders = [factories.paid_order(number) for number in (1, 3)]
    for ticket in Ticket.objects.filter(line__order__in=orders):
        client.get(address(ticket))  # faces and keys are kept from here on

    for order in orders:
        ticket = Ticket.objects.filter(line__order=order)[0]
        with django_assert_num_queries(8):
            client.get(address(ticket))


def test_tickets_of_an_order_lead_to_each_other(client: Client) -> None:
    first, second, third = Ticket.objects.filter(line__order=factories.paid_order(3)).order_by("line__position")

    def ways(ticket: Ticket) -> list[tuple[str, str]]:
        page = client.get(address(ticket)).content.decode()
        return re.findall(r'rel="(prev|next)" href="([^"]+)"', page)

    assert ways(first) == [("next", address(second))]
    assert ways(second) == [("prev", address(first)), ("next", address(third))]
    assert ways(third) == [("prev", address(second))]


def test_a_rotated_key_signs_the_page_anew_and_both_codes_work(client: Client, tickets: list[Ticket]) -> None:
    old = credentials.sign(tickets[0])
    before = client.get(address(tickets[0])).content.decode()

    call_command("rotate_ticket_key")

    after = client.get(address(tickets[0])).content.decode()
    new = credentials.sign(tickets[0])
    title = "QR code of the ticket"
    assert credentials.qr_svg(old, title=title) in before and credentials.qr_svg(old, title=title) not in after
    assert credentials.qr_svg(new, title=title) in after
    assert [credentials.verify(code) for code in (old, new)] == [
        Claim(tickets[0].public_id, 1, 1),
        Claim(tickets[0].public_id, 1, 2),
    ]


# --- The calendar ----------------------------------------------------------------------------------------------------


def entry_of(response: Any) -> Any:
    (entry,) = Calendar.from_ical(response.content).events
    return entry


def test_the_calendar_file_tells_what_when_where_and_no_more(
    client: Client, tickets: list[Ticket], settings: LazySettings
) -> None:
    ticket, event = tickets[0], tickets[0].event

    response = client.get(address_to("ticket_ics", ticket))

    entry = entry_of(response)
    link = settings.SITE_URL + address(ticket)
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="lucia-dinner.ics"'
    assert (response["Cache-Control"], response["Referrer-Policy"]) == ("private, no-store", "no-referrer")
    assert (entry["SUMMARY"], entry["LOCATION"], entry["URL"]) == ("Lucia dinner", "The Union House", link)
    assert (entry["UID"], entry["CLASS"]) == (f"{event.public_id}@localhost", "PRIVATE")
    told = [moment.replace(microsecond=0) for moment in (event.starts_at, event.ends_at)]
    assert told == [entry.DTSTART, entry.DTEND]
    assert entry["DESCRIPTION"] == f"{event.organisation.name}\nTicket: {link}"
    file = response.content.decode().replace("\r\n ", "")
    assert tickets[1].secret not in file and ticket.line.order.secret not in file
    assert ticket.holder_name not in file and ticket.holder_email not in file
    assert ticket.short_code not in file


def test_the_calendar_of_an_order_is_the_same_evening_under_its_own_link(
    client: Client, tickets: list[Ticket], settings: LazySettings
) -> None:
    order = tickets[0].line.order
    with override("en"):
        link = reverse("ticketing:order_ics", args=[order.reference, order.secret])

    entry = entry_of(client.get(link))

    assert entry["URL"] == settings.SITE_URL + order_address(order)
    assert entry["UID"] == entry_of(client.get(address_to("ticket_ics", tickets[1])))["UID"]
    assert tickets[0].secret not in client.get(link).content.decode().replace("\r\n ", "")


def test_the_calendar_speaks_the_language_of_its_address(client: Client) -> None:
    event = factories.event(title_sv="Räksmörgåskväll, fest; dans", title_en="Shrimp night", doors_at=None)
    kind = factories.ticket_type(event, factories.quota(event, 5))
    (ticket,) = Ticket.objects.filter(line__order=factories.paid_order(of=kind))
    event.doors_at = event.starts_at - timedelta(minutes=30)
    event.save()

    swedish, english = (entry_of(client.get(address_to("ticket_ics", ticket, language))) for language in ("sv", "en"))

    assert (swedish["SUMMARY"], english["SUMMARY"]) == ("Räksmörgåskväll, fest; dans", "Shrimp night")
    assert (swedish["SUMMARY"].params["LANGUAGE"], english["SUMMARY"].params["LANGUAGE"]) == ("sv", "en")
    assert re.search(r"\nDoors \d\d:\d\d\n", english["DESCRIPTION"])
    assert swedish["UID"] == english["UID"]


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "time_zone", "local", "in_zone"),
    [  # the last: whether the venue's clock can say it; else it is said in UTC
        pytest.param(
            "2026-03-28T21:00", "2026-03-29T03:30", "Europe/Stockholm", "2026-03-28 22:00", True, id="spring-night"
        ),
        pytest.param(
            "2026-10-24T20:00", "2026-10-25T02:30", "Europe/Stockholm", "2026-10-24 22:00", True, id="autumn-night"
        ),
        pytest.param(
            "2026-10-25T00:30", "2026-10-25T02:00", "Europe/Stockholm", "2026-10-25 02:30", True, id="first-half-past"
        ),
        pytest.param(
            "2026-10-25T01:30", "2026-10-25T02:00", "Europe/Stockholm", "2026-10-25 01:30", False, id="second-half-past"
        ),
        pytest.param(
            "2026-12-12T17:00", "2026-12-13T01:00", "Europe/Helsinki", "2026-12-12 19:00", True, id="another-zone"
        ),
        pytest.param("2026-07-01T10:00", "2026-07-01T12:00", "Asia/Kolkata", "2026-07-01 15:30", True, id="half-hours"),
    ],
)
def test_the_calendar_keeps_the_moment_in_the_venues_zone(
    client: Client, starts_at: str, ends_at: str, time_zone: str, local: str, in_zone: bool
) -> None:
    start, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (starts_at, ends_at))
    event = factories.event(starts_at=datetime.now(UTC) + timedelta(days=30))
    (ticket,) = Ticket.objects.filter(
        line__order=factories.paid_order(of=factories.ticket_type(event, factories.quota(event, 5)))
    )
    event.starts_at, event.ends_at, event.time_zone = start, end, time_zone
    event.save()

    response = client.get(address_to("ticket_ics", ticket))

    entry = entry_of(response)
    assert (entry.DTSTART.astimezone(UTC), entry.DTEND.astimezone(UTC)) == (start, end)
    assert f"{entry.DTSTART:%Y-%m-%d %H:%M}" == local
    told = response.content.decode()
    zones = re.findall(r"^TZID:(.+)\r$", told, re.M), re.findall(r"^DTSTART;TZID=(.+?):\d", told, re.M)
    assert zones == ([time_zone], [time_zone] if in_zone else [])


@pytest.mark.parametrize("zone", ["Europe/Stockholm", "America/New_York", "Australia/Sydney"])
def test_the_clocks_of_the_calendar_switch_when_those_of_the_venue_do(zone: str) -> None:
    kind = factories.ticket_type(factories.event(time_zone=zone))

    written = Calendar.from_ical(calendars.write(kind.event, link="https://foyer.example/", at=clock.now()))

    second = timedelta(seconds=1)
    switches = [part for part in written.walk() if part.name in ("STANDARD", "DAYLIGHT") and "RDATE" in part]
    assert len(switches) >= 2
    for part in switches:
        before, after = part["TZOFFSETFROM"].td, part["TZOFFSETTO"].td
        for onset in (part.decoded("dtstart"), *(day.dt for day in part["RDATE"].dts)):
            moment = (onset - before).replace(tzinfo=UTC)  # DTSTART is told by the clock before (RFC 5545, 3.6.5)
            offsets = [at.astimezone(ZoneInfo(zone)).utcoffset() for at in (moment - second, moment)]
            assert offsets == [before, after], (part.name, onset)


def test_a_ticket_that_is_no_longer_good_has_no_calendar(client: Client, tickets: list[Ticket]) -> None:
    move(tickets[0], "revoked")

    assert client.get(address_to("ticket_ics", tickets[0])).status_code == 404
    assert "calendar.ics" not in client.get(address(tickets[0])).content.decode()


def test_an_order_that_is_not_paid_has_no_calendar(client: Client) -> None:
    order = factories.reserved_order()
    with override("en"):
        link = reverse("ticketing:order_ics", args=[order.reference, order.secret])

    assert client.get(link).status_code == 404


# --- Kept on the phone -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["sv", "en"])
def test_the_worker_rules_the_tickets_of_its_language_only(client: Client, language: str) -> None:
    with override(language):
        response = client.get(reverse("ticketing:ticket_worker"))

    assert response["Content-Type"] == "text/javascript; charset=utf-8"
    assert response["Service-Worker-Allowed"] == f"/{language}/tickets/"
    assert response["Cache-Control"] == "no-cache"
    assert f'const TICKETS = "/{language}/tickets/";' in response.content.decode()
    assert "{%" not in response.content.decode() and "{{" not in response.content.decode()


def test_the_worker_is_the_same_for_everybody_so_that_browsers_find_no_news(client: Client) -> None:
    with override("en"):
        link = reverse("ticketing:ticket_worker")
    anonymous = client.get(link).content
    client.force_login(factories.user())

    assert client.get(link).content == anonymous


def test_only_the_page_of_a_ticket_may_start_a_worker(client: Client, tickets: list[Ticket]) -> None:
    page, other = client.get(address(tickets[0])), client.get(order_address(tickets[0].line.order))

    assert "worker-src 'self'" in page["Content-Security-Policy"]
    assert "worker-src" not in other["Content-Security-Policy"]
    assert "tickets/worker.js" not in other.content.decode()


def test_the_page_says_until_when_it_may_be_kept(client: Client, tickets: list[Ticket]) -> None:
    page = client.get(address(tickets[0])).content.decode()

    (until,) = re.findall(r'data-kept-until="([^"]+)"', page)
    assert datetime.fromisoformat(until) == tickets[0].event.ends_at + timedelta(days=2)
