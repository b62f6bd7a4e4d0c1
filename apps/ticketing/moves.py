"""Moving an event to another day or place. Whoever has tickets is told what was and what is, and chooses on the order's
page until a date: keep them, or have all of the money back. Silence keeps. Halfway, or two days before that date,
whoever has said nothing is asked once more. Whoever was given a ticket is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from apps.accounts.request_ids import current_request_id
from apps.events import page_cache
from apps.events.models import Event
from apps.events.tenancy import Role, has_role
from apps.ticketing import clock, mails, reasons, refunds
from apps.ticketing.models import SUPPLEMENTS, EventMove, MoveAnswer, Order, OrderLine
from apps.ticketing.retries import once_more
from apps.ticketing.states import OrderState

FACTS = ("starts_at", "ends_at", "doors_at", "venue", "venue_address")
REMINDED_BEFORE = timedelta(days=2)
LEAST_TIME = timedelta(hours=24)  # to answer in


class CannotMove(Exception):
    """The event is not moved that way, and nothing was changed. `sentence` says why, `field` where it belongs."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.field = field


class TooLate(Exception):
    """The buyer's choice is over, was made, or cannot be made now; nothing was changed and no money moved. `sentence`
    says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


# --- The organiser ---------------------------------------------------------------------------------------------------


@once_more
def announce(
    event: Event,
    *,
    by: Any,
    answer_by: datetime,
    facts: dict[str, Any],
    say_sv: str = "",
    say_en: str = "",
) -> EventMove:
    """Move `event` to the new `facts` (of FACTS; what is left out stays), and ask everybody who has paid.

    All answers to an earlier move are asked for anew. Raises CannotMove. Locks the event's row. Next: answer, by each
    buyer; remind.
    """
    if not has_role(by, event.organisation, Role.EDITOR):
        raise CannotMove(_("Only an editor of the organisation moves its events. Nothing was changed."))
    with transaction.atomic():
        event = Event.objects.select_for_update(no_key=True).get(pk=event.pk)
        at = clock.now()
        _refuse(event, at, answer_by, facts)
        was = {name: getattr(event, name) for name in FACTS if name in facts and getattr(event, name) != facts[name]}
        if not was:
            raise CannotMove(_("Nothing is different: change the day, the time or the place."))
        begins_anew = {"moved_from": event.moved_from or event.starts_at} if "starts_at" in was else {}
        Event.objects.filter(pk=event.pk).update(
            **{name: facts[name] for name in was}, **begins_anew, moved_at=at, changed_at=at
        )
        move = EventMove.objects.create(
            event=event,
            was={name: value.isoformat() if isinstance(value, datetime) else value for name, value in was.items()},
            answer_by=answer_by,
            remind_at=max(answer_by - REMINDED_BEFORE, at + (answer_by - at) / 2),
            say_sv=say_sv.strip(),
            say_en=say_en.strip(),
            announced_by=by,
            announced_at=at,
            request_id=current_request_id(),
        )
        mails.event_moved(move, list(holders(event).values_list("pk", flat=True)))
        mails.gift_letters.event_moved(move)
        transaction.on_commit(page_cache.begin_anew)
    return move


def _refuse(event: Event, at: datetime, answer_by: datetime, facts: dict[str, Any]) -> None:
    starts_at = facts.get("starts_at", event.starts_at)
    ends_at = facts.get("ends_at", event.ends_at)
    doors_at = facts.get("doors_at", event.doors_at)
    if event.cancelled_at is not None:
        raise CannotMove(_("The event is cancelled."))
    if event.ends_at <= at:
        raise CannotMove(_("The event is over."))
    if starts_at <= at:
        raise CannotMove(_("Choose a time to come."), "starts_at")
    if ends_at <= starts_at:
        raise CannotMove(_("The event must end after it starts."), "ends_at")
    if doors_at is not None and doors_at > starts_at:
        raise CannotMove(_("The doors open before the event starts."), "doors_at")
    if answer_by < at + LEAST_TIME:
        raise CannotMove(_("Give people a day at least to answer."), "answer_by")
    if answer_by > starts_at:
        raise CannotMove(_("The answers must come before the event starts."), "answer_by")


def holders(event: Event) -> QuerySet[Order]:
    """The orders that are asked: those that bought tickets. What was paid for other choices goes the tickets' way."""
    return Order.objects.filter(event=event, state=OrderState.PAID).exclude(channel__in=SUPPLEMENTS)


def of(event: Event) -> EventMove | None:
    """The event's move in force; None when it was never moved. One query."""
    return EventMove.objects.filter(event=event).order_by("-pk").first()


@dataclass(frozen=True)
class Counts:
    """How many orders chose what. `silent` have said nothing, and keep."""

    keep: int
    back: int
    silent: int


def counts(move: EventMove) -> Counts:
    """Two queries."""
    said = MoveAnswer.objects.filter(move=move).aggregate(
        keep=Count("pk", filter=Q(keeps=True)), back=Count("pk", filter=Q(keeps=False))
    )
    return Counts(said["keep"], said["back"], _silent(move).count())


def _silent(move: EventMove) -> QuerySet[Order]:
    return holders(move.event).exclude(Exists(MoveAnswer.objects.filter(move=move, order=OuterRef("pk"))))


def remind() -> None:
    """Ask once more whoever has said nothing, when it is time. Every minute; a move is reminded of once."""
    at = clock.now()
    due = EventMove.objects.filter(reminded_at__isnull=True, remind_at__lte=at, answer_by__gt=at)
    for pk in due.values_list("pk", flat=True):
        with transaction.atomic():
            move = (
                EventMove.objects.select_for_update(skip_locked=True, of=("self",))
                .select_related("event")
                .filter(pk=pk, reminded_at__isnull=True)
                .first()
            )
            if move is None or move.event.cancelled_at is not None or of(move.event) != move:
                continue
            EventMove.objects.filter(pk=pk).update(reminded_at=at)
            mails.move_reminder(move, list(_silent(move).values_list("pk", flat=True)))


# --- The buyer -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Question:
    """What the order's page asks about a move. `keeps` is the answer so far, None for none; `is_open` whether there is
    still time."""

    move: EventMove
    keeps: bool | None
    is_open: bool


def question(order: Order, at: datetime) -> Question | None:
    """What a paid order is asked; None when its event was not moved since it was paid for, or when it sells no ticket.
    Two queries, none for an event that was never moved."""
    moved_at = order.event.moved_at
    if moved_at is None or order.is_supplement or order.state != OrderState.PAID:
        return None
    if order.paid_at is None or order.paid_at >= moved_at:
        return None
    move = of(order.event)
    if move is None or order.event.cancelled_at is not None:
        return None
    said = MoveAnswer.objects.filter(move=move, order=order).first()
    return Question(move, said.keeps if said else None, at < move.answer_by)


@once_more
def answer(order: Order, *, keeps: bool, actor: Any = None) -> None:
    """Note what the buyer chose; who does not keep gets all of the money back, without a fee, and the tickets end.

    One may choose to keep and think better of it while there is time, not the other way round. Raises TooLate, also
    while the payment is disputed. Locks the order, then as refunds.order_refund.
    """
    with transaction.atomic():
        locked = Order.objects.select_for_update(no_key=True, of=("self",)).select_related("event").get(pk=order.pk)
        asked = question(locked, clock.now())
        if asked is None:
            raise TooLate(_("There is nothing to choose for this order now. Nothing was changed, and no money moved."))
        if not asked.is_open:
            raise TooLate(
                _("The time to choose is over, so you keep your tickets. No money moved. Write to the organiser.")
            )
        MoveAnswer.objects.update_or_create(move=asked.move, order=locked, defaults={"keeps": keeps, "at": clock.now()})
        if not keeps:
            lines = OrderLine.objects.filter(order=locked, is_held=True, refunded_at__isnull=True)
            try:
                refunds.order_refund(locked, list(lines), reason=reasons.EVENT_MOVED, actor=actor)
            except refunds.Disputed as refusal:
                raise TooLate(str(refusal.sentence)) from refusal
