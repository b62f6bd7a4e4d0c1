"""Cancelling a whole event: one person proposes it, another confirms it with a code, and it stops.

At the confirmation, in one transaction: the sale ends for good, the door lets nobody in, and everybody is written to.
What it means is counted in `cancellation_sums`; that every buyer gets their money back comes after it (`paying_back`).
"""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.accounts import second_step
from apps.accounts.request_ids import current_request_id
from apps.events.models import Event
from apps.events.tenancy import Role, has_role
from apps.ticketing import clock, event_lock, jobs, mails, sale_control
from apps.ticketing.cancellation_sums import LIVE
from apps.ticketing.models import Cancellation
from apps.ticketing.paying_back import GO_ON
from apps.ticketing.retries import once_more
from apps.ticketing.states import CancellationState
from apps.ticketing.transitions import move_many


class CannotCancel(Exception):
    """It cannot be done now, and nothing was changed. `sentence` says why and what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class SamePerson(CannotCancel):
    """Whoever proposed would confirm, too."""


class WrongCode(CannotCancel):
    """The code is not a fresh one of this person's app."""


def may_propose(user: Any, event: Event) -> bool:
    return has_role(user, event.organisation, Role.EDITOR, Role.TREASURER)


def may_confirm(user: Any, event: Event) -> bool:
    return has_role(user, event.organisation, Role.TREASURER)


def of(event: Event) -> Cancellation | None:
    """The event's cancellation, proposed or in force; None when there is none, or it was withdrawn."""
    standing = Cancellation.objects.exclude(state=CancellationState.WITHDRAWN).filter(event=event)
    return standing.select_related("proposed_by", "confirmed_by", "event__organisation").first()


def propose(event: Event, *, by: Any, say_sv: str = "", say_en: str = "") -> Cancellation:
    """Propose to cancel `event`; nothing happens to it yet, but that the treasurers who may confirm it are written to.
    Raises CannotCancel. Next: confirm, by somebody else."""
    if not may_propose(by, event):
        raise CannotCancel(_("Editors and treasurers of the organisation propose this. Nothing was changed."))
    _refuse_what_is_over(event)
    try:
        with transaction.atomic():
            cancellation = Cancellation.objects.create(
                event=event,
                say_sv=say_sv.strip(),
                say_en=say_en.strip(),
                proposed_by=by,
                proposed_at=clock.now(),
                request_id=current_request_id(),
            )
            mails.cancellation_waits(cancellation)
            return cancellation
    except IntegrityError as error:
        raise CannotCancel(
            _("Somebody has proposed it already. Look at what they wrote; nothing was changed.")
        ) from error


def _refuse_what_is_over(event: Event) -> None:
    if event.ends_at <= clock.now():
        raise CannotCancel(_("The event is over. Refund its orders one by one. Nothing was changed."))


def withdraw(cancellation: Cancellation, *, by: Any) -> None:
    """Take a proposal back, whoever made it. Raises CannotCancel once it was confirmed."""
    if not may_propose(by, cancellation.event):
        raise CannotCancel(_("Editors and treasurers of the organisation decide this. Nothing was changed."))
    withdrawn = move_many(
        Cancellation,
        [cancellation.pk],
        CancellationState.PROPOSED,
        CancellationState.WITHDRAWN,
        actor=by,
        over_at=clock.now(),
    )
    if not withdrawn:
        raise CannotCancel(_("It was confirmed or withdrawn in the meantime. Nothing was changed by you."))


def confirm(cancellation: Cancellation, *, by: Any, code: str, passkey: str = "") -> None:
    """Cancel the event: `by` is another person than the one who proposed it, and `code` a fresh one from their app, or
    `passkey` their passkey's answer to what the page asked.

    When this returns the sale has ended for good, no scan lets anybody in, and a mail to everybody is under way. Raises
    SamePerson, WrongCode or CannotCancel, having changed nothing. Locks the event's queue. Outside any transaction.
    Next: paying_back.go_on, by workers.
    """
    if not may_confirm(by, cancellation.event):
        raise CannotCancel(_("Only a treasurer of the organisation confirms this. Nothing was changed."))
    if cancellation.proposed_by_id == by.pk:
        raise SamePerson(_("You proposed it, so somebody else must confirm it. Nothing was changed."))
    if cancellation.state != CancellationState.PROPOSED:
        raise CannotCancel(_("It was confirmed or withdrawn in the meantime. Nothing was changed by you."))
    _refuse_what_is_over(cancellation.event)
    if passkey and not second_step.confirmed_by_passkey(by, passkey):
        raise WrongCode(_("The passkey's answer is not right, or was used before. Nothing was changed. Try again."))
    if not passkey and not second_step.confirmed(by, code):
        raise WrongCode(
            _("That code is not right, or was used before. Nothing was changed. Wait for the next one and write that.")
        )
    _put_in_force(cancellation, by)


@once_more
def _put_in_force(cancellation: Cancellation, by: Any) -> None:
    event = cancellation.event
    with transaction.atomic():
        event_lock.take(event.pk)
        at = clock.now()
        event.refresh_from_db(fields=["ends_at"])
        _refuse_what_is_over(event)
        try:
            moved = move_many(
                Cancellation,
                [cancellation.pk],
                CancellationState.PROPOSED,
                CancellationState.RUNNING,
                actor=by,
                confirmed_by=by.pk,
                confirmed_at=at,
            )
        except IntegrityError as error:  # the database's own word on it
            raise SamePerson(_("You proposed it, so somebody else must confirm it. Nothing was changed.")) from error
        if not moved:
            raise CannotCancel(_("It was confirmed or withdrawn in the meantime. Nothing was changed by you."))
        Event.objects.filter(pk=event.pk).update(cancelled_at=at, changed_at=at)
        sale_control.end_for_good(event, at, say_sv=cancellation.say_sv, say_en=cancellation.say_en, actor=by)
        mails.event_cancelled(event, to=LIVE, at=at)
        transaction.on_commit(lambda: jobs.ring(GO_ON, [cancellation.pk]))
    cancellation.refresh_from_db()
    event.cancelled_at = at
