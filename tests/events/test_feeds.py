"""Calendars to subscribe to, read back as a calendar program reads them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from icalendar import Calendar

from apps.events.models import Event, EventPage
from apps.ticketing import calendars, clock
from tests import factories
from tests.events.test_finding import told
from tests.tenancy.world import World

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
EVIL = "Fest\r\nBEGIN:VALARM\r\nTRIGGER:-PT0S; \\n, ;END:VCALENDAR\n\u2028ö" + "å" * 60


@pytest.fixture(autouse=True)
def house(settings: LazySettings) -> None:
    settings.SITE_URL = "https://foyer.example"


def read(client: Client, address: str = "/sv/events.ics") -> Calendar:
    response = client.get(address)
    assert (response.status_code, response["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    lines = response.content.split(b"\r\n")
    assert max(map(len, lines)) <= 75 and b"\n" not in b"".join(lines) and lines[-1] == b""
    return Calendar.from_ical(response.content)


def summaries(calendar: Calendar) -> list[str]:
    return [str(entry["summary"]) for entry in calendar.walk("VEVENT")]


def test_feed_has_each_public_event_once_and_an_organisation_its_own(
    ours: World, theirs: World, client: Client
) -> None:
    told(ours, "Nyss", days=-10)
    told(ours, "Länge sedan", days=-60)
    told(ours, "Utkast").pages.update(live=False)

    assert sorted(summaries(read(client))) == ["Fest Lyktan", "Fest Sexsidan", "Nyss"]
    assert summaries(read(client, "/sv/events/lyktan-society.ics")) == ["Nyss", "Fest Lyktan"]
    assert str(read(client, "/sv/events/lyktan-society.ics")["name"]) == "Föreningen Lyktan"
    assert client.get("/sv/events/nobody.ics").status_code == 404


def test_entry_says_what_a_calendar_asks(ours: World, client: Client) -> None:
    starts_at = ours.event.starts_at.replace(microsecond=0)
    Event.objects.filter(pk=ours.event.pk).update(
        starts_at=starts_at, doors_at=starts_at, venue_address="Gatan 1; hus B"
    )

    (entry,) = read(client).walk("VEVENT")

    assert (entry.decoded("dtstart"), entry["location"]) == (starts_at, "Lokal Lyktan, Gatan 1; hus B")
    assert str(entry["uid"]) == f"{ours.event.public_id}@foyer.example"
    of_ticket = calendars.write(ours.event, link="https://x", at=clock.now()).decode().replace("\r\n ", "")
    assert str(entry["uid"]) in of_ticket
    assert str(entry["url"]) == ours.page.full_url and ours.page.full_url in str(entry["description"])
    assert "class" not in entry and "attendee" not in entry
    assert entry["summary"].params["language"] == "sv"


@pytest.mark.parametrize("field", ["title", "venue", "organisation"])
def test_evil_words_are_only_text(ours: World, client: Client, field: str) -> None:
    if field == "title":
        EventPage.objects.filter(pk=ours.page.pk).update(title=EVIL)
    elif field == "venue":
        Event.objects.filter(pk=ours.event.pk).update(venue=EVIL)
    else:
        type(ours.organisation).objects.update(name=EVIL[:80])

    calendar = read(client, f"/sv/events/{ours.organisation.slug}.ics")
    content = client.get(f"/sv/events/{ours.organisation.slug}.ics").content

    (entry,) = calendar.walk("VEVENT")
    said = {"title": entry["summary"], "venue": entry["location"], "organisation": calendar["name"]}[field]
    assert str(said).startswith("Fest BEGIN:VALARM TRIGGER:-PT0S; \\n, ;END:VCALENDAR ö")
    assert [part.name for part in calendar.walk()] == ["VCALENDAR", "VEVENT"]
    assert b"\r\nBEGIN:VALARM" not in content


def test_what_changes_is_told_and_what_is_withdrawn_leaves(
    ours: World, client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    before = client.get("/sv/events.ics")
    assert client.get("/sv/events.ics", headers={"if-none-match": before["ETag"]}).status_code == 304
    (old,) = read(client).walk("VEVENT")
    Event.objects.update(changed_at=ours.event.changed_at - DAY)
    EventPage.objects.update(last_published_at=None)

    with django_capture_on_commit_callbacks(execute=True):
        ours.event.venue = "Domkyrkan"
        ours.event.save()
    (new,) = read(client).walk("VEVENT")
    assert (new["uid"], str(new["location"])) == (old["uid"], "Domkyrkan")
    assert int(str(new["sequence"])) >= int(str(old["sequence"]))
    assert new.decoded("last-modified") >= old.decoded("last-modified")
    assert client.get("/sv/events.ics", headers={"if-none-match": before["ETag"]}).status_code == 200

    with django_capture_on_commit_callbacks(execute=True):
        ours.page.unpublish()
    assert summaries(read(client)) == []


def test_pages_lead_to_the_calendar(ours: World, client: Client) -> None:
    for address, feed in (
        ("/sv/events/", "/sv/events.ics"),
        (ours.root.url, "/sv/events/lyktan-society.ics"),
        ("/sv/events/?by=lyktan-society", "/sv/events/lyktan-society.ics"),
        ("/sv/events/?by=a/../b", "/sv/events.ics"),
    ):
        content = client.get(address).content.decode()
        assert f'href="webcal://foyer.example{feed}"' in content and f'href="https://foyer.example{feed}"' in content


def test_long_feed_costs_as_many_queries_as_a_short_one(
    ours: World, client: Client, django_assert_num_queries: Any
) -> None:
    session = {"cookie": "sessionid=none"}
    client.get("/sv/events.ics", headers=session)
    with django_assert_num_queries(5):
        client.get("/sv/events.ics", headers=session)
    for number in range(30):
        told(ours, f"Kväll {number}", days=number)
    factories.event()

    with django_assert_num_queries(5):
        client.get("/sv/events.ics", headers=session)
