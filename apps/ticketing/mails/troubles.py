"""Mails that did not arrive or were not wanted: what we were told, and what follows from it.

A bounce is shown to the organiser and on the order's page, and changes nothing else: a mailbox that was full yesterday
may take mail today, and whoever delivers our mail keeps a list of dead addresses of its own. A complaint is a wish:
that address is spared all reminders and gets only what it must have, which is its tickets, news of its money, and an
event that moves or is cancelled.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from apps.accounts.keyring import blind_index, normalise_email
from apps.accounts.plain_text import one_line
from apps.accounts.prepared import Statement
from apps.ticketing.mails.letters import kinds
from apps.ticketing.models import MailTrouble, Order, SentMail

Trouble = MailTrouble.Kind


def address_key(address: str) -> str:
    """The keyed hash under which an address is remembered."""
    return blind_index("mail", normalise_email(address))


def note(event_id: str, kind: str, *, provider_id: str, address: str, detail: str, at: datetime) -> None:
    """Remember a trouble; told again under the same `event_id` it changes nothing. `detail` is the other side's words,
    kept without the address."""
    words = one_line(detail.replace(address, "…") if address else detail)
    MailTrouble.objects.bulk_create(
        [
            MailTrouble(
                event_id=event_id[:120],
                kind=kind,
                provider_id=one_line(provider_id)[:200],
                address_key=address_key(address) if address else "",
                detail=words[:300],
                at=at,
            )
        ],
        ignore_conflicts=True,
    )


def is_spared(name: str, address: str) -> bool:
    """Whether the mail called `name` is a reminder to an address that complained."""
    return (
        kinds[name].is_reminder
        and MailTrouble.objects.filter(address_key=address_key(address), kind=Trouble.COMPLAINED).exists()
    )


def of_mails(mails: Iterable[SentMail]) -> dict[int, MailTrouble]:
    """The newest trouble of each mail that has any, by the mail's id. One query."""
    by_provider_id = {mail.provider_id: mail.pk for mail in mails if mail.provider_id}
    told = MailTrouble.objects.filter(provider_id__in=by_provider_id).order_by("pk")
    return {by_provider_id[trouble.provider_id]: trouble for trouble in told}


_CAME_BACK = Statement(
    "mail_came_back",
    ("bigint", "text", "text"),
    """
SELECT EXISTS (SELECT FROM ticketing_mailtrouble trouble
WHERE trouble.kind <> $3 AND trouble.provider_id <> '' AND trouble.provider_id =
    (SELECT provider_id FROM ticketing_sentmail WHERE order_id = $1 AND "to" = $2 ORDER BY id DESC LIMIT 1))
""",
)


def came_back(order: Order) -> bool:
    """Whether the newest mail about the order to its buyer did not arrive. One query."""
    [(has_trouble,)] = _CAME_BACK.run(order.pk, order.email, str(Trouble.COMPLAINED))
    return has_trouble
