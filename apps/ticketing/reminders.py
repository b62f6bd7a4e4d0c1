"""Reminders of an opening: asked for on the event's page, sent once, forgotten.

Nothing is planned ahead: `sweep` looks which openings are near, so a moved opening moves its reminders. The mail goes
through the outbox like any other, and the address is emptied as soon as it is handed over.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime, timedelta
from email.utils import parseaddr

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Min, Q
from django.urls import reverse
from django.utils.translation import override

from apps.accounts.ids import new_public_id, new_secret
from apps.accounts.keyring import blind_index, normalise_email
from apps.accounts.models import User
from apps.accounts.personal_data import verified_emails
from apps.events.models import Event
from apps.ticketing import clock, event_face, outbox
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.mails import handover, letters, sending
from apps.ticketing.models import Effect, Reminder, TicketType

log = logging.getLogger(__name__)

KIND = "reminder.send"
# Long enough that thousands of mails are through before the second that all of them are about.
BEFORE = timedelta(minutes=30)
# Later than this there is nothing left to remind of: whoever asks is at the page.
TOO_LATE = timedelta(minutes=2)
KEPT_AFTER_OPENING = timedelta(days=1)
A_TURN = 1000


class NothingToRemindOf(Exception):
    """No type of the event opens later, or it opens in a moment."""


def next_opening(event: Event, at: datetime) -> datetime | None:
    """When the next type that everybody may see goes on sale, after the moment `at`."""
    return _openings(at).filter(event=event).aggregate(first=Min("sale_opens_at"))["first"]


def _openings(at: datetime):  # type: ignore[no-untyped-def]
    return TicketType.objects.filter(
        event__cancelled_at__isnull=True,
        is_published=True,
        visibility=TicketType.Visibility.PUBLIC,
        sale_opens_at__gt=at,
        event__ends_at__gt=at,
    )


_INSERT = """
INSERT INTO ticketing_reminder (public_id, secret, event_id, email, address_key, locale, created_at)
VALUES (%s, %s, %s, %s, %s, %s, foyer_now()) ON CONFLICT (event_id, address_key) DO NOTHING
"""


def remind(event: Event, email: str, *, locale: str) -> datetime:
    """Promise one mail to `email` before the sale of `event` opens, and return when about it will come.

    The same address is promised one mail however often it asks. `email` is valid; asking is consent to this mail
    alone. Raises NothingToRemindOf. Next: sweep.
    """
    at = clock.now()
    opens_at = next_opening(event, at)
    if opens_at is None or opens_at - at < TOO_LATE:
        raise NothingToRemindOf
    key = blind_index("email", normalise_email(email))
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [new_public_id(), new_secret(), event.pk, email.strip(), key, locale])
    return max(at, opens_at - BEFORE)


def withdraw(reminder: Reminder) -> None:
    """Forget the wish and the address at once; safe to repeat."""
    Reminder.objects.filter(pk=reminder.pk).delete()


def sweep() -> int:
    """Put the mails of openings that are near into the outbox, each once per opening; how many. Every 10 seconds.

    Two sweeps at once share the rows: whoever has locked one asks for its mail, and the other passes it by.
    """
    at = clock.now()
    asked = 0
    near = _openings(at).filter(event__reminders__sent_at__isnull=True, sale_opens_at__lte=at + BEFORE)
    for event_id, opens_at in near.values_list("event_id").annotate(first=Min("sale_opens_at")):
        wanted = Reminder.objects.filter(event_id=event_id, sent_at__isnull=True)
        wanted = wanted.filter(Q(asked_for__isnull=True) | ~Q(asked_for=opens_at))
        with transaction.atomic():
            rows = list(wanted.select_for_update(skip_locked=True).order_by("pk")[:A_TURN])
            Reminder.objects.filter(pk__in=[row.pk for row in rows]).update(asked_for=opens_at)
            effects = [
                outbox.Wanted(f"{KIND}:{new_public_id()}", {"reminder": row.pk, "opens_at": opens_at.isoformat()})
                for row in rows
            ]
            outbox.add_many(KIND, effects, due_at=at)
        asked += len(rows)
    return asked


@outbox.handler(KIND, lease_seconds=sending.LEASE_SECONDS)
def _send(effect: Effect) -> None:
    """Write the mail, unless it was sent or withdrawn, or its opening has moved: then `sweep` asks again in time."""
    reminder = (
        Reminder.objects.select_related("event__organisation")
        .filter(pk=effect.payload["reminder"], sent_at__isnull=True)
        .first()
    )
    if reminder is None:
        return
    at = clock.now()
    opens_at = next_opening(reminder.event, at)
    meant = datetime.fromisoformat(effect.payload["opens_at"])
    if opens_at != meant:
        Reminder.objects.filter(pk=reminder.pk, asked_for=meant).update(asked_for=None)
        return
    with override(reminder.locale):
        message = sending.compose(
            reminder.event, _letter(reminder, opens_at), to=reminder.email, locale=reminder.locale
        )
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    name = hashlib.sha256(f"{KIND}:{reminder.public_id}".encode()).hexdigest()[:40]
    message.extra_headers["Message-ID"] = f"<{name}@{domain}>"
    message.extra_headers["List-Unsubscribe"] = f"<{withdraw_url(reminder)}>"
    message.extra_headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    try:
        handover.hand_over(message)
    except handover.Refused as refusal:
        log.warning("a reminder of event %s is refused: %s", reminder.event_id, refusal.kind)
    crashpoint("mail.handed_over")
    Reminder.objects.filter(pk=reminder.pk).update(email="", sent_at=clock.now())


def _letter(reminder: Reminder, opens_at: datetime) -> letters.Letter:
    return letters.opens_soon(
        reminder.event, opens_at=opens_at, page_url=page_url(reminder.event), withdraw_url=withdraw_url(reminder)
    )


def page_url(event: Event) -> str:
    """Where tickets will be had: the event's page, else the form alone; in the active language."""
    return settings.SITE_URL + (event_face.of(event).url or reverse("ticketing:form", args=[event.public_id]))


def withdraw_url(reminder: Reminder) -> str:
    return settings.SITE_URL + reverse("ticketing:reminder", args=[reminder.public_id, reminder.secret])


def forget_old() -> int:
    """Delete the reminders of openings that came a day ago, or that will not come; how many. Daily."""
    current = _openings(clock.now() - KEPT_AFTER_OPENING).values("event_id")
    return Reminder.objects.exclude(event_id__in=current).delete()[0]


def of_person(user: User):  # type: ignore[no-untyped-def]
    """The reminders to addresses that this person has proved, sent ones too."""
    keys = [blind_index("email", normalise_email(email)) for email in verified_emails(user)]
    return Reminder.objects.filter(address_key__in=keys)
