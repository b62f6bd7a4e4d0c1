"""What guests are asked besides their choices: free questions per ticket, on which neither price nor stock depends.

Asked after the hold, and never between a buyer and the payment unless the organiser says so of a question: then the
checkout's own page asks it. All others are answered afterwards by whoever holds the ticket, by a link that opens
nothing else (`token_of`). Answers may be changed until the type's cut-off; what was never answered, until the event.
They are kept encrypted, and what tells about health or belief is deleted a week after the event (`forget_old`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet, TextChoices
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.plain_text import one_line
from apps.accounts.prepared import Rows, Statement
from apps.events.models import Event
from apps.events.translated import joined
from apps.events.wording import write_moment
from apps.ticketing import clock, kept_rows, reservations
from apps.ticketing.fulfilment import NO_TICKETS
from apps.ticketing.models import Answer, ChoiceChange, LineChoice, OrderLine, Question, Ticket, TicketType, Variation

LONGEST_ANSWER = 300
SENSITIVE_DAYS = 7  # after the event: the kitchen needs them no more
OTHER_DAYS = 90
YES, NO = "yes", "no"


class Diet(TextChoices):
    """What a kitchen must know to feed somebody; all else is written in words beside it."""

    EVERYTHING = "everything", gettext_lazy("Eats everything")
    VEGETARIAN = "vegetarian", gettext_lazy("Vegetarian")
    VEGAN = "vegan", gettext_lazy("Vegan")
    NO_FISH = "no_fish", gettext_lazy("No fish or shellfish")
    NO_PORK = "no_pork", gettext_lazy("No pork")
    NO_GLUTEN = "no_gluten", gettext_lazy("No gluten")
    NO_LACTOSE = "no_lactose", gettext_lazy("No lactose")
    NO_MILK = "no_milk", gettext_lazy("No milk protein")
    NO_EGG = "no_egg", gettext_lazy("No egg")
    NO_NUTS = "no_nuts", gettext_lazy("No nuts")


# --- What was answered -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """One answer: what was ticked (`yes`, `no`, or diets), and what was written."""

    picked: tuple[str, ...] = ()
    text: str = ""

    @property
    def is_empty(self) -> bool:
        return not self.picked and not self.text

    def words(self) -> str:
        """The answer in the active language, for whoever may read it."""
        known = {YES: _("Yes"), NO: _("No"), **{diet.value: str(diet.label) for diet in Diet}}
        return joined([*(known[code] for code in self.picked if code in known), *([self.text] if self.text else [])])

    def as_json(self) -> str:
        return json.dumps({"picked": self.picked, "text": self.text})


def given_by(answer: Answer) -> Given:
    """What stands in a row."""
    kept = json.loads(answer.value)
    return Given(tuple(kept["picked"]), kept["text"])


def is_private(question: Question) -> bool:
    """Whether an answer tells about health or belief. What somebody eats always does (GDPR art. 9)."""
    return question.is_sensitive or question.kind == Question.Kind.DIET


PRIVATE = Q(question__is_sensitive=True) | Q(question__kind=Question.Kind.DIET)


def of_lines(line_ids: Iterable[int]) -> dict[int, dict[int, Given]]:
    """{line: {question: what was answered}}. One query."""
    found: dict[int, dict[int, Given]] = {}
    for answer in Answer.objects.filter(line__in=list(line_ids)).order_by("line_id", "pk"):
        found.setdefault(answer.line_id, {})[answer.question_id] = given_by(answer)
    return found


# --- When they may be given ------------------------------------------------------------------------------------------


def closes_at(kind: TicketType, event: Event) -> datetime:
    """Until when choices and answers of this type may be changed. Moves along with the event."""
    return event.starts_at - timedelta(hours=kind.change_hours)


def may_answer(kind: TicketType, event: Event, at: datetime, *, is_answered: bool) -> bool:
    """Whether a question may be answered at `at`: for the first time until the event, anew until the cut-off."""
    if event.cancelled_at is not None or at >= event.starts_at:
        return False
    return not is_answered or at < closes_at(kind, event)


def asked_of(event_id: int, type_id: int) -> tuple[Question, ...]:
    """The published questions of a type, in their order; of kept rows."""
    return kept_rows.of(event_id, types=[type_id]).questions.get(type_id, ())


# --- The holder's own link -------------------------------------------------------------------------------------------


def token_of(ticket: Ticket) -> str:
    """What opens a ticket's questions and nothing else. It ends with the ticket's own secret: a new holder has
    another."""
    told = f"{ticket.public_id}:{ticket.secret}"
    return salted_hmac("ticketing.answers", told, algorithm="sha256").hexdigest()[:40]


def by_token(public_id: Any, token: str) -> Ticket:
    """The ticket of a link, with its event, type and order. Raises Ticket.DoesNotExist: a wrong token finds nothing."""
    rows = Ticket.objects.select_related("event__organisation", "ticket_type", "line__order")
    ticket = rows.get(public_id=public_id)
    if not constant_time_compare(token_of(ticket), token):
        raise Ticket.DoesNotExist
    return ticket


# --- The form --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Option:
    """One box or dot of a question."""

    code: str
    label: str
    is_chosen: bool


@dataclass(frozen=True)
class QuestionField:
    """One question as it is drawn. `is_closed`: answered, and the cut-off has passed; then `said` is what stands."""

    question: Question
    name: str
    options: tuple[Option, ...]
    text: str
    is_closed: bool
    said: str
    error: str = ""
    has_focus: bool = False

    @property
    def has_text(self) -> bool:
        return self.question.kind != Question.Kind.YES_NO

    @property
    def is_private(self) -> bool:
        return is_private(self.question)


class AnswersForm:
    """The questions of one ticket's line, as they stand or as they were sent. Nothing that is sent raises."""

    def __init__(
        self,
        line: OrderLine,
        kind: TicketType,
        questions: Sequence[Question],
        existing: Mapping[int, Given],
        *,
        event: Event,
        at: datetime,
        data: Any = None,
    ) -> None:
        self.line, self.kind, self.questions, self.existing = line, kind, tuple(questions), existing
        self.event, self.at = event, at
        self.given: dict[int, Given] = {}
        self.errors: dict[str, str] = {}
        if data is not None:
            for question in self.questions:
                self._read(question, data)
        self.fields = tuple(self._field(question, data) for question in self.questions)

    @property
    def number(self) -> int:
        return self.line.position + 1

    @property
    def is_open(self) -> bool:
        """Whether anything here may still be answered."""
        return any(not field.is_closed for field in self.fields)

    def name_of(self, question: Question) -> str:
        return f"answer-{self.number}-{question.public_id}"

    def _is_closed(self, question: Question) -> bool:
        return not may_answer(self.kind, self.event, self.at, is_answered=question.pk in self.existing)

    def _read(self, question: Question, data: Any) -> None:
        if self._is_closed(question):
            return
        name = self.name_of(question)
        allowed = _codes(question)
        picked = tuple(code for code in allowed if code in data.getlist(name))
        text = one_line(data.get(f"{name}-text", "")) if question.kind != Question.Kind.YES_NO else ""
        if Diet.EVERYTHING in picked and len(picked) > 1:
            self.errors[name] = _("Choose either that everything is eaten, or what is not. Nothing was saved.")
        if question.kind == Question.Kind.YES_NO and len(picked) > 1:
            self.errors[name] = _("Choose yes or no. Nothing was saved.")
        if len(text) > LONGEST_ANSWER:
            self.errors[name] = _("Write at most %(limit)d characters. Nothing was saved.") % {"limit": LONGEST_ANSWER}
        given = Given(picked, text[:LONGEST_ANSWER])
        if question.is_required and given.is_empty:
            self.errors.setdefault(name, _("This must be answered. Nothing was saved."))
        self.given[question.pk] = given

    def _field(self, question: Question, data: Any) -> QuestionField:
        stands = self.existing.get(question.pk, Given())
        shown = self.given.get(question.pk, stands)
        name = self.name_of(question)
        labels = {YES: _("Yes"), NO: _("No"), **{diet.value: str(diet.label) for diet in Diet}}
        return QuestionField(
            question=question,
            name=name,
            options=tuple(Option(code, labels[code], code in shown.picked) for code in _codes(question)),
            text=shown.text,
            is_closed=self._is_closed(question),
            said=stands.words(),
            error=self.errors.get(name, ""),
            has_focus=next(iter(self.errors), "") == name,
        )

    def save(self, *, readable_only: bool = False) -> None:
        """Keep what was answered. With `readable_only` what is wrong is left out without a word, as it was before."""
        wrong = {question.pk for question in self.questions if self.name_of(question) in self.errors}
        if wrong and not readable_only:
            raise ValueError("a form with errors is not saved")
        answer(self.line, {pk: given for pk, given in self.given.items() if pk not in wrong})


def _codes(question: Question) -> tuple[str, ...]:
    if question.kind == Question.Kind.YES_NO:
        return (YES, NO)
    return tuple(Diet.values) if question.kind == Question.Kind.DIET else ()


def answer(line: OrderLine, given: Mapping[int, Given]) -> None:
    """Keep these answers of a ticket's line; an empty one takes back what stood there. The newest wins."""
    empty = [pk for pk, one in given.items() if one.is_empty]
    at = clock.now()
    with transaction.atomic():
        Answer.objects.filter(line=line, question__in=empty).delete()
        Answer.objects.bulk_create(
            [
                Answer(line=line, question_id=pk, value=one.as_json(), answered_at=at)
                for pk, one in sorted(given.items())
                if not one.is_empty
            ],
            update_conflicts=True,
            unique_fields=["question", "line"],
            update_fields=["value", "answered_at"],
        )


# --- Who still has something to answer -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """One ticket and what it is asked. `left` counts what is not answered yet."""

    ticket: Ticket
    questions: tuple[Question, ...]
    left: int

    @property
    def token(self) -> str:
        return token_of(self.ticket)


def asked(event_id: int, tickets: Sequence[Ticket]) -> list[Asked]:
    """What each of these tickets of one event is asked; those that are asked nothing are left out. One query, none
    where nothing is asked."""
    wanted = [(ticket, asked_of(event_id, ticket.ticket_type_id)) for ticket in tickets]
    wanted = [(ticket, questions) for ticket, questions in wanted if questions]
    if not wanted:
        return []
    answered = of_lines(ticket.line_id for ticket, _questions in wanted)
    found = []
    for ticket, questions in wanted:
        given = answered.get(ticket.line_id, {})
        found.append(Asked(ticket, questions, left=sum(question.pk not in given for question in questions)))
    return found


# --- At the checkout -------------------------------------------------------------------------------------------------


@dataclass
class AtCheckout:
    """The questions that are answered before paying, for each line of an order; empty where there are none."""

    forms: tuple[AnswersForm, ...] = field(default=())

    @property
    def errors(self) -> dict[str, list[str]]:
        return {name: [said] for form in self.forms for name, said in form.errors.items()}

    def save(self, *, readable_only: bool = False) -> None:
        for form in self.forms:
            form.save(readable_only=readable_only)


def at_checkout(order: Any, lines: Iterable[OrderLine], *, at: datetime, data: Any = None) -> AtCheckout:
    """What an order's buyer is asked before paying. No query where no question is; else one."""
    rows = kept_rows.of(order.event_id)
    if not rows.asks_before_paying:
        return AtCheckout()
    before = {
        type_id: tuple(question for question in questions if question.is_asked_before_paying)
        for type_id, questions in rows.questions.items()
    }
    sold = [line for line in lines if line.is_held and line.fulfilment not in NO_TICKETS]
    wanted = [line for line in sold if before.get(line.ticket_type_id)]
    existing = of_lines(line.pk for line in wanted)
    return AtCheckout(
        tuple(
            AnswersForm(
                line,
                rows.types[line.ticket_type_id],
                before[line.ticket_type_id],
                existing.get(line.pk, {}),
                event=rows.event,
                at=at,
                data=data,
            )
            for line in wanted
        )
    )


# --- A new owner -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AskAnew:
    """What whoever takes a ticket over is asked again; all else stays as its former holder had it."""

    variations: tuple[Variation, ...]
    questions: tuple[Question, ...]


def asks_anew(event_id: int, type_id: int) -> bool:
    """Whether whoever takes over a ticket of this type is asked anything again: see `ask_anew`. At most one query."""
    if any(row.ask_again_on_resale or is_private(row) for row in asked_of(event_id, type_id)):
        return True
    return bool(_CHOSEN_ANEW.run(type_id))


_CHOSEN_ANEW = Statement(
    "choices_asked_anew",
    ("bigint",),
    """
SELECT 1 FROM ticketing_variation variation WHERE variation.ticket_type_id = $1 AND (variation.ask_again_on_resale
    OR EXISTS (SELECT FROM ticketing_choice choice WHERE choice.variation_id = variation.id AND choice.is_sensitive))
LIMIT 1
""",
)


def ask_anew(ticket: Ticket) -> AskAnew:
    """Which choices and questions a resale asks anew: those so marked, and all that tell about health or belief, which
    never pass to anybody else. Three queries."""
    variations = Variation.objects.filter(ticket_type=ticket.ticket_type_id).prefetch_related("choices")
    questions = Question.objects.filter(ticket_type=ticket.ticket_type_id, is_published=True)
    return AskAnew(
        tuple(
            row
            for row in variations
            if row.ask_again_on_resale or any(choice.is_sensitive for choice in row.choices.all())
        ),
        tuple(row for row in questions if row.ask_again_on_resale or is_private(row)),
    )


def carry_over(old: OrderLine, new: OrderLine) -> None:
    """Copy what a new owner is not asked again from the line of the former one. Inside the transaction of the swap."""
    kept = [
        Answer(line=new, question_id=row.question_id, value=row.value, answered_at=row.answered_at)
        for row in _CARRIED_OVER.all(old.pk)
    ]
    if kept:
        Answer.objects.bulk_create(kept, ignore_conflicts=True)


_CARRIED_OVER = Rows(
    "answers_carried_over",
    Answer,
    ("bigint",),
    "JOIN ticketing_question question ON question.id = r.question_id WHERE r.line_id = $1"
    " AND NOT (question.ask_again_on_resale OR question.is_sensitive"
    f" OR question.kind = '{Question.Kind.DIET}') ORDER BY r.id",
)


def forget_of_former_holder(line: OrderLine) -> None:
    """Delete what a new holder of the same place answers themselves: what is marked so, and what tells about health or
    belief, which never passes to anybody else. Inside the transaction that hands the ticket over."""
    Answer.objects.filter(PRIVATE | Q(question__ask_again_on_resale=True), line=line).delete()


# --- Forgetting ------------------------------------------------------------------------------------------------------


def forget_old() -> None:
    """Delete what its time is over for: what tells about health or belief, and what changes of choices remember, a week
    after the event, the rest after 90 days. Safe to repeat."""
    at = clock.now()
    over, long_over = at - timedelta(days=SENSITIVE_DAYS), at - timedelta(days=OTHER_DAYS)
    Answer.objects.filter(PRIVATE, line__order__event__ends_at__lt=over).delete()
    Answer.objects.filter(line__order__event__ends_at__lt=long_over).delete()
    forget_choices(LineChoice.objects.filter(choice__is_sensitive=True, line__order__event__ends_at__lt=over))
    # One that is paid even later finds that it is not what was paid for, and goes back.
    remembered = ChoiceChange.objects.filter(line__order__event__ends_at__lt=over).exclude(wanted=[], replaced=[])
    remembered.update(wanted=[], replaced=[])


def forget_choices(which: QuerySet[LineChoice]) -> None:
    """Delete choices that were made. Those that took places give them back, so that the counters stay true."""
    with transaction.atomic():
        of_events = which.filter(choice__quotas__isnull=False, line__is_held=True)
        events = sorted(set(of_events.order_by().values_list("line__order__event", flat=True)))
        which.delete()
        for event_id in events:
            reservations.recount(event_id)


def closing_sentence(kind: TicketType, event: Event, at: datetime) -> str:
    """Until when changes are possible, in a sentence of the active language."""
    until = closes_at(kind, event)
    moment = write_moment(until, event.zone)
    if at < until:
        return _("You can change this until %(moment)s.") % {"moment": moment}
    return _("Changes were possible until %(moment)s. Ask the organiser if it matters.") % {"moment": moment}
