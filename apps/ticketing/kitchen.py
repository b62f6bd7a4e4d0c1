"""What the guests of an event chose and answered: counted for the kitchen, and listed by ticket for the organiser.

Counts name nobody. What tells about health or belief is listed with names only for whoever needs it (`with_private`),
and is gone a week after the event (answers.forget_old).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db.models import Prefetch
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from apps.events.models import Event
from apps.events.translated import joined, repeated
from apps.ticketing import answers
from apps.ticketing.answers import NO, YES, Diet, Given
from apps.ticketing.books import plain
from apps.ticketing.models import LineChoice, Question, Ticket, TicketType, Variation
from apps.ticketing.states import TicketState

COMES = (TicketState.VALID, TicketState.HELD, TicketState.USED, TicketState.BLOCKED)


@dataclass(frozen=True)
class Count:
    """How many of something."""

    label: str
    number: int


@dataclass(frozen=True)
class Asked:
    """One variation or question of a ticket type, with its answers counted. `words` are what was written, nobody named:
    of private questions only where they may be read."""

    title: str
    counts: tuple[Count, ...]
    unanswered: int = 0
    words: tuple[str, ...] = ()
    is_private: bool = False


@dataclass(frozen=True)
class OfType:
    """One ticket type: how many come with it, and what they want."""

    name: str
    tickets: int
    asked: tuple[Asked, ...] = field(default=())


def counts(event: Event, *, with_private: bool = False) -> list[OfType]:
    """What to cook, pour and set out, type by type. A constant number of queries."""
    tickets = _tickets(event)
    given = answers.of_lines(ticket.line_id for ticket in tickets)
    return [
        OfType(kind.name, len(own), tuple(_asked(kind, own, given, with_private=with_private)))
        for kind in _types(event)
        if (own := [ticket for ticket in tickets if ticket.ticket_type_id == kind.pk])
    ]


def _types(event: Event) -> list[TicketType]:
    variations = Variation.objects.prefetch_related("choices")
    return list(
        TicketType.objects.filter(event=event).prefetch_related(Prefetch("variations", variations), "questions")
    )


def _tickets(event: Event) -> list[Ticket]:
    picks = LineChoice.objects.select_related("choice__variation").order_by(
        "choice__variation__position", "choice__position", "pk"
    )
    rows = Ticket.objects.filter(event=event, state__in=COMES).select_related("ticket_type", "line__order")
    return list(rows.prefetch_related(Prefetch("line__choices", picks)).order_by("line__order_id", "line__position"))


def _asked(
    kind: TicketType, tickets: list[Ticket], given: dict[int, dict[int, Given]], *, with_private: bool
) -> Iterator[Asked]:
    taken: Counter[int] = Counter()
    for ticket in tickets:
        for pick in ticket.line.choices.all():
            taken[pick.choice_id] += pick.quantity
    for variation in kind.variations.all():
        own = [Count(choice.name, taken[choice.pk]) for choice in variation.choices.all()]
        yield Asked(variation.name, tuple(own))
    for question in kind.questions.all():
        said = [given.get(ticket.line_id, {}).get(question.pk) for ticket in tickets]
        yield _counted(question, [one for one in said if one is not None], len(tickets), with_private=with_private)


def _counted(question: Question, said: list[Given], tickets: int, *, with_private: bool) -> Asked:
    picked = Counter(code for one in said for code in one.picked)
    labels = {
        Question.Kind.YES_NO: {YES: _("Yes"), NO: _("No")},
        Question.Kind.DIET: {diet.value: str(diet.label) for diet in Diet},
    }.get(Question.Kind(question.kind), {})
    private = answers.is_private(question)
    written = sorted(one.text for one in said if one.text)
    return Asked(
        title=question.text,
        counts=tuple(Count(label, picked[code]) for code, label in labels.items() if picked[code]),
        unanswered=tickets - len(said),
        words=tuple(written) if with_private or not private else (),
        is_private=private,
    )


def kitchen_list(event: Event, *, with_private: bool = False) -> Iterator[tuple[str, ...]]:
    """The counts for a spreadsheet, with a head."""
    yield (_("Ticket"), _("Question"), pgettext("reply", "Answer"), _("Number"))
    for kind in counts(event, with_private=with_private):
        yield (plain(kind.name), "", _("Tickets"), str(kind.tickets))
        for asked in kind.asked:
            for one in asked.counts:
                yield (plain(kind.name), plain(asked.title), plain(one.label), str(one.number))
            for words in asked.words:
                yield (plain(kind.name), plain(asked.title), plain(words), "1")
            if asked.unanswered:
                yield (plain(kind.name), plain(asked.title), _("not answered"), str(asked.unanswered))


@dataclass(frozen=True)
class Guest:
    """One ticket with what was chosen and answered, in the order of `questions`."""

    code: str
    name: str
    ticket: str
    order: str
    chosen: str
    said: tuple[str, ...]


def questions(event: Event, *, with_private: bool = False) -> list[Question]:
    """The questions of the event that a list with names may show."""
    found = Question.objects.filter(ticket_type__event=event).order_by("ticket_type__position", "position", "pk")
    return [question for question in found if with_private or not answers.is_private(question)]


def guests(event: Event, *, with_private: bool = False) -> list[Guest]:
    """Everybody who comes. Without `with_private`, nothing that tells about health or belief."""
    asked = questions(event, with_private=with_private)
    tickets = _tickets(event)
    given = answers.of_lines(ticket.line_id for ticket in tickets)
    return [
        Guest(
            code=ticket.short_code,
            name=ticket.holder_name,
            ticket=ticket.ticket_type.name,
            order=ticket.line.order.reference,
            chosen=joined(
                [
                    repeated(pick.choice.name, pick.quantity)
                    for pick in ticket.line.choices.all()
                    if with_private or not pick.choice.is_sensitive
                ]
            ),
            said=tuple(given.get(ticket.line_id, {}).get(question.pk, Given()).words() for question in asked),
        )
        for ticket in tickets
    ]


def guest_list(event: Event, *, with_private: bool = False) -> Iterator[tuple[str, ...]]:
    """Everybody for a spreadsheet, with a head."""
    asked = questions(event, with_private=with_private)
    yield (_("Short code"), _("Holder"), _("Ticket"), _("Order"), _("Choices"), *(plain(one.text) for one in asked))
    for guest in guests(event, with_private=with_private):
        cells = (guest.code, guest.name, guest.ticket, guest.order, guest.chosen, *guest.said)
        yield tuple(plain(cell) for cell in cells)
