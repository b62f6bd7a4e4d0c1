"""`manage.py sale pause|resume|move|end <event> --say "…"`: what the desk does, for an operator at the command line.

The event is named by its public id, or by a part of its title that no other coming event has. Without a verb's sentence
in English, the Swedish one is shown to everybody. The time of a move is read in the event's time zone.
"""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.utils import translation

from apps.events.models import Event
from apps.events.wording import write_moment
from apps.ticketing import clock, sale_control


class Command(BaseCommand):
    help = "Pause, resume, move or end the sale of an event; every open page shows it within five seconds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", choices=["show", "pause", "resume", "move", "end"])
        parser.add_argument("event", help="public id, or a part of the title")
        parser.add_argument("--say", default="", help="the sentence everybody sees, in Swedish or for both languages")
        parser.add_argument("--say-en", default="", help="the sentence in English")
        parser.add_argument("--at", default="", help='with move: the new opening, such as "2026-12-01 19:00"')

    def handle(self, *args: Any, **options: Any) -> None:
        with translation.override("en"):  # as every command speaks
            self._handle(**options)

    def _handle(self, **options: Any) -> None:
        event, verb = _find(options["event"]), options["verb"]
        words = {"say_sv": options["say"], "say_en": options["say_en"]}
        if verb in ("pause", "move", "end") and not any(words.values()):
            raise CommandError('Say in a sentence what happens: --say "…". Everybody who waits sees it.')
        if any(len(say) > 200 for say in words.values()):
            raise CommandError("A sentence has at most 200 characters.")
        if verb == "move":
            words["opens_at"] = _moment(options["at"], event)
        if verb != "show":
            try:
                getattr(sale_control, verb)(event, **words)
            except sale_control.CannotChange as refusal:
                raise CommandError(refusal.sentence) from refusal
        self._tell(event)

    def _tell(self, event: Event) -> None:
        standing = sale_control.state_of(event.pk)
        state = standing.told(clock.now()) or "as its tickets say"
        opens = (
            f", opens {write_moment(standing.opens_at, event.zone)}" if state == "moved" and standing.opens_at else ""
        )
        self.stdout.write(f"{event}: {state}{opens}")


def _find(words: str) -> Event:
    try:
        found = list(Event.objects.filter(public_id=UUID(words)))
    except ValueError:
        coming = Event.objects.filter(ends_at__gt=clock.now())
        found = list(coming.filter(Q(title_sv__icontains=words) | Q(title_en__icontains=words)).order_by("starts_at"))
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandError(f"No coming event is called “{words}”.")
    names = "\n".join(f"  {event.public_id}  {event}" for event in found)
    raise CommandError(f"Several events are called “{words}”. Name one by its id:\n{names}")


def _moment(words: str, event: Event) -> datetime:
    try:
        moment = datetime.fromisoformat(words)
    except ValueError as error:
        raise CommandError('With move, say when it opens: --at "2026-12-01 19:00".') from error
    return moment if moment.tzinfo else moment.replace(tzinfo=event.zone)
