"""Events for people's own calendars: the coming ones and those of the last month, of the house or of one organisation.

A calendar that subscribes asks again by itself; what is moved moves there too, and what is no longer public leaves. One
entry per event under the same UID as in a ticket's own file, so that nobody has the evening twice in one calendar.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from icalendar import Calendar
from icalendar import Event as Entry

from apps.accounts.plain_text import one_line
from apps.events import finding, listing
from apps.events.models import Event, EventPage, Organisation
from apps.events.translated import active_language
from apps.events.wording import write_clock_time

CONTENT_TYPE = "text/calendar; charset=utf-8"
ASK_AGAIN = timedelta(hours=1)
KEPT_AFTER = timedelta(days=31)
MOST = 500  # entries: more of a house's future no calendar needs
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def uid_of(event: Event) -> str:
    """The name of the event in every calendar, for as long as it exists."""
    return f"{event.public_id}@{urlsplit(settings.SITE_URL).hostname}"


def empty_calendar() -> Calendar:
    """A calendar file of this house, in the reader's language, before anything is in it."""
    calendar = Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", f"-//Foyer//{settings.WAGTAIL_SITE_NAME}//{active_language().upper()}")
    calendar.add("method", "PUBLISH")
    return calendar


@dataclass(frozen=True)
class Way:
    """Where a calendar is: as any program fetches it, and as a calendar program opens it by itself."""

    https: str
    webcal: str


def way_to(slug: str = "") -> Way:
    """The house's calendar, or the one of the organisation with this slug, in the reader's language."""
    path = reverse("organisation_feed", args=[slug]) if slug else reverse("event_feed")
    address = settings.SITE_URL + path
    return Way(https=address, webcal="webcal://" + address.partition("://")[2])


def feed(request: HttpRequest, organisation: Organisation | None = None) -> bytes:
    """The calendar of the house, or of `organisation`, in the reader's language."""
    at = listing.now()
    which = Q(ends_at__gt=at - KEPT_AFTER)
    if organisation is not None:
        which &= Q(organisation=organisation)
    events = Event.objects.filter(finding.told(), which).order_by("starts_at", "pk")[:MOST]
    name = organisation.name if organisation else _("Events at %(house)s") % {"house": settings.WAGTAIL_SITE_NAME}
    return write(listing.pages_of(events), request, name=name)


def write(pages: Iterable[EventPage], request: HttpRequest, *, name: str) -> bytes:
    """Pages as one calendar (RFC 5545). The same pages give the same bytes, whenever they are written."""
    calendar = empty_calendar()
    calendar.add("name", one_line(name))
    calendar.add("x-wr-calname", one_line(name))
    calendar.add("refresh-interval", ASK_AGAIN, {"value": "DURATION"})
    calendar.add("x-published-ttl", ASK_AGAIN)
    for page in pages:
        calendar.add_component(_entry(page, page.get_full_url(request) or settings.SITE_URL))
    return calendar.to_ical()


def _entry(page: EventPage, address: str) -> Entry:
    event = page.event
    changed = max(event.changed_at, page.last_published_at or event.changed_at).astimezone(UTC)
    entry = Entry()
    entry.add("uid", uid_of(event))
    entry.add("dtstamp", changed)
    entry.add("last-modified", changed)
    entry.add("sequence", max(0, int((changed - EPOCH).total_seconds())))
    # In UTC: a moment that every program understands alike, shown by the clock of whoever looks.
    entry.add("dtstart", event.starts_at.astimezone(UTC))
    entry.add("dtend", event.ends_at.astimezone(UTC))
    entry.add("summary", one_line(page.title), {"language": page.locale.language_code})
    lines = [one_line(event.organisation.name)]
    if event.doors_at:
        lines.append(_("Doors %(time)s") % {"time": write_clock_time(event.doors_at, event.zone)})
    lines.append(address)
    entry.add("description", "\n".join(lines))
    place = ", ".join(one_line(part) for part in (event.venue, event.venue_address) if part)
    if place:
        entry.add("location", place)
    entry.add("url", address)
    return entry
