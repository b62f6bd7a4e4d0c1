"""Rows that change seldom and that every page of an order shows: the event with its organisation, its ticket types, its
choices with their questions. Kept per process, so that in a rush a page reads only what is the order's own; twice a
second the database is asked whether they still stand. For showing alone: whoever decides reads under lock, and never
changes what comes from here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from apps.accounts.kept import Kept
from apps.events.models import Event
from apps.ticketing import catalogue, catalogue_edition
from apps.ticketing.models import Choice, Question, RefundRule, TicketType

KEPT_SECONDS = 0.5
NAMED_SECONDS = 60.0  # which event a public id names never changes


@dataclass(frozen=True)
class Rows:
    """What is for sale at an event, published or not, by key. `organisation` of the event is read, `quotas` of each
    type and choice, and `variation` of each choice; the rules for refunds are the newest first. Of questions the
    published ones, by type and in their order."""

    event: Event
    types: dict[int, TicketType]
    choices: dict[int, Choice]
    refund_rules: tuple[RefundRule, ...]
    questions: dict[int, tuple[Question, ...]] = field(default_factory=dict)

    @property
    def asks_before_paying(self) -> bool:
        return any(question.is_asked_before_paying for asked in self.questions.values() for question in asked)


def of(event_id: int, *, types: Iterable[int] = (), choices: Iterable[int] = ()) -> Rows:
    """The rows of one event. Raises Event.DoesNotExist.

    `types` and `choices` are keys that must be among them: made a moment ago by another process, they are not kept yet.
    """
    rows = _rows(event_id)
    if not (rows.types.keys() >= set(types) and rows.choices.keys() >= set(choices)):
        forget()
        rows = _rows(event_id)
    return rows


def forget() -> None:
    """Read everything anew."""
    for kept in ALL:
        kept.forget()


def event(public_id: uuid.UUID) -> Event:
    """The event of this public id, with its organisation. Raises Event.DoesNotExist."""
    return of(_ids(public_id)).event


def _read(event_id: int) -> Rows:
    choices = Choice.objects.filter(variation__ticket_type__event_id=event_id)
    return Rows(
        event=Event.objects.select_related("organisation").get(pk=event_id),
        types={row.pk: row for row in TicketType.objects.filter(event_id=event_id).prefetch_related("quotas")},
        choices={row.pk: row for row in choices.select_related("variation").prefetch_related("quotas")},
        refund_rules=tuple(RefundRule.objects.filter(event_id=event_id).order_by("-pk")),
        questions=_questions(event_id),
    )


def _questions(event_id: int) -> dict[int, tuple[Question, ...]]:
    found: dict[int, list[Question]] = {}
    for question in Question.objects.filter(ticket_type__event_id=event_id, is_published=True):
        found.setdefault(question.ticket_type_id, []).append(question)
    return {type_id: tuple(asked) for type_id, asked in found.items()}


def _edition() -> int:
    return catalogue.times_forgotten


_rows: Kept[int, Rows] = Kept(_read, seconds=KEPT_SECONDS, edition=_edition, version=catalogue_edition.now)
_ids: Kept[uuid.UUID, int] = Kept(
    lambda public_id: Event.objects.values_list("pk", flat=True).get(public_id=public_id), seconds=NAMED_SECONDS
)
ALL: tuple[Kept[Any, Any], ...] = (_rows, _ids)
