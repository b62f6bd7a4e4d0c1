"""The evening, or the opening of its sale, as an entry for somebody's own calendar (RFC 5545).

There is one entry per event, whichever ticket or order it comes from: who adds two tickets has one evening, and who
adds it again after the event moved has it moved. It names no person and tells no secret but the link it belongs to.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from icalendar import Alarm, Calendar
from icalendar import Event as Entry

from apps.events.feeds import empty_calendar, uid_of
from apps.events.models import Event
from apps.events.translated import active_language
from apps.events.wording import write_clock_time

RINGS_BEFORE = timedelta(minutes=10)
OPENING_SHOWN = timedelta(minutes=15)


def write(event: Event, *, link: str, at: datetime) -> bytes:
    """A calendar file with the one entry of `event`, in the reader's language, as it was known at the moment `at`.

    `link` is the absolute address of the ticket or the order.
    """
    entry = Entry()
    entry.add("uid", uid_of(event))
    entry.add("dtstamp", at.astimezone(UTC))
    entry.add("dtstart", _in_zone(event.starts_at, event.zone))
    entry.add("dtend", _in_zone(event.ends_at, event.zone))
    entry.add("summary", event.title, {"language": active_language()})
    entry.add("description", _describe(event, link))
    place = ", ".join(part for part in (event.venue, event.venue_address) if part)
    if place:
        entry.add("location", place)
    entry.add("url", link)
    entry.add("class", "PRIVATE")  # the link opens the ticket: a calendar shown to others must not tell it

    return _file(entry)


def write_opening(event: Event, *, opens_at: datetime, link: str, at: datetime) -> bytes:
    """A calendar file with the moment at which tickets to `event` go on sale, which rings ten minutes before.

    `link` is the absolute address of the page that sells them. Added again after the opening moved, it moves too.
    """
    entry = Entry()
    entry.add("uid", f"opening-{uid_of(event)}")
    entry.add("dtstamp", at.astimezone(UTC))
    entry.add("dtstart", _in_zone(opens_at, event.zone))
    entry.add("dtend", _in_zone(opens_at + OPENING_SHOWN, event.zone))
    title = _("Tickets: %(event)s") % {"event": event.title}
    entry.add("summary", title, {"language": active_language()})
    entry.add("description", "\n".join([event.organisation.name, link]))
    entry.add("url", link)
    entry.add("transp", "TRANSPARENT")  # it keeps nobody from other things

    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", title)
    alarm.add("trigger", -RINGS_BEFORE)
    entry.add_component(alarm)
    return _file(entry)


def _file(entry: Entry) -> bytes:
    calendar = empty_calendar()
    calendar.add_component(entry)
    calendar.add_missing_timezones()
    _tell_switches_by_the_clock_before(calendar)
    return calendar.to_ical()


def _tell_switches_by_the_clock_before(calendar: Calendar) -> None:
    """Let the clocks go forward at the time they show before they do (RFC 5545, 3.6.5). icalendar writes the time they
    show afterwards; for clocks that go back it is right already."""
    for part in calendar.walk():
        if part.name not in ("STANDARD", "DAYLIGHT"):
            continue
        forward = part.decoded("tzoffsetto") - part.decoded("tzoffsetfrom")
        if forward <= timedelta():
            continue
        onsets = [part.decoded("dtstart"), *(day.dt for day in getattr(part.get("rdate"), "dts", []))]
        for name in ("dtstart", "rdate"):
            part.pop(name, None)
        first, *others = [onset - forward for onset in onsets]
        part.add("dtstart", first)
        if others:
            part.add("rdate", others)


def _describe(event: Event, link: str) -> str:
    lines = [event.organisation.name]
    if event.doors_at:
        lines.append(_("Doors %(time)s") % {"time": write_clock_time(event.doors_at, event.zone)})
    lines.append(_("Ticket: %(link)s") % {"link": link})
    return "\n".join(lines)


def _in_zone(moment: datetime, zone: ZoneInfo) -> datetime:
    """`moment` as the venue's clock shows it. In the hour that an autumn night has twice, a calendar means the first
    one; the second can only be said in UTC."""
    local = moment.astimezone(zone)
    return moment.astimezone(UTC) if local.fold else local
