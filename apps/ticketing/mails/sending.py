"""From the outbox to whoever delivers: the letter is written, rendered, handed over, and noted.

Looked at first, so that a mail is never sent twice knowingly; noted last, so that a crash in between sends the same
mail once more, under the same Message-ID.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from email.utils import formataddr, parseaddr
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.translation import override

from apps.accounts.plain_text import one_line
from apps.events import accent
from apps.events.models import Event
from apps.ticketing import clock, documents, outbox
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.mails import handover, letters, posters, troubles
from apps.ticketing.mails.asking import KIND
from apps.ticketing.mails.letters import Letter
from apps.ticketing.mails.links import order_url
from apps.ticketing.mails.message import Message
from apps.ticketing.models import Effect, Order, SentMail

log = logging.getLogger(__name__)

HOUSE_COLOUR = "#A5124B"
# What most mailboxes take, after base64 has made it a third larger.
ATTACHED_BYTES = 5 * 1024 * 1024
# One PDF takes 90 seconds at the very most, and a mail server that uses up every time-out another 60.
LEASE_SECONDS = 150
# A mail waits this long for its PDFs to be made by their own job, where there are several.
PDF_MINUTES = 2

EMPTY_LINES = re.compile(r"\n\s*\n")
File = tuple[str, bytes]


@outbox.handler(KIND, lease_seconds=LEASE_SECONDS)
def _send(effect: Effect) -> None:
    message_id = message_id_of(effect)
    if SentMail.objects.filter(message_id=message_id).exists():
        return
    assert effect.order_id is not None  # every mail is about an order
    order = Order.objects.select_related("event", "organisation").get(pk=effect.order_id)
    with override(order.locale):
        letter = letters.write(order, effect.payload, effect.created_at)
        address = letters.address_for(order, effect.payload["name"], effect.payload)
        if not letter or not address or troubles.is_spared(effect.payload["name"], address):
            return
        files = _tickets(order, effect) if letter.with_tickets else ()
        message = render(order, letter, to=address, files=files)
    message.extra_headers["Message-ID"] = message_id
    try:
        provider_id = handover.hand_over(message)
    except handover.Refused as refusal:
        log.warning("the mail %s of order %s is refused: %s", effect.payload["name"], order.reference, refusal.kind)
        provider_id = message_id
        troubles.note(
            message_id,
            refusal.kind,
            provider_id=message_id,
            address=message.to[0],
            detail=refusal.detail,
            at=clock.now(),
        )
    crashpoint("mail.handed_over")
    _note(effect, order, message, message_id, provider_id)


def _note(effect: Effect, order: Order, message: Message, message_id: str, provider_id: str) -> None:
    sent = SentMail(
        order=order,
        name=effect.payload["name"],
        payload={key: value for key, value in effect.payload.items() if key not in ("again", "to")},
        to=message.to[0],
        subject=str(message.subject)[:200],
        message_id=message_id,
        provider_id=provider_id[:200],
        sent_at=clock.now(),
    )
    SentMail.objects.bulk_create([sent], ignore_conflicts=True)  # noted already by whoever took over a lapsed lease


def _tickets(order: Order, effect: Effect) -> Sequence[File]:
    """The tickets to attach; none when they cannot be made or are too large, and the mail says where to get them.

    Makes one file at most, which the lease has time for; where more are missing their own job is waited for. Raises
    outbox.NotYet.
    """
    if sum(documents.read(file) is None for file in documents.files_of(order)) > 1:
        if clock.now() < effect.created_at + timedelta(minutes=PDF_MINUTES):
            raise outbox.NotYet("the tickets are being made")
        return ()
    try:
        files = documents.attachments(order)
    except documents.NotMade as error:
        log.warning("the tickets of order %s go unattached: %s", order.reference, error)
        return ()
    if sum(len(content) for _name, content in files) > ATTACHED_BYTES:
        return ()
    return files


def render(order: Order, letter: Letter, *, to: str, files: Sequence[File] = ()) -> Message:
    """The letter about an order as a message in the active language, with `files` as PDF."""
    about = {"order": order, "currency": order.currency, "order_url": order_url(order), "attached": len(files)}
    message = compose(order.event, letter, to=to, locale=order.locale, about=about)
    for name, content in files:
        message.attach(name, content, "application/pdf")
    return message


def compose(event: Event, letter: Letter, *, to: str, locale: str, about: Mapping[str, Any] | None = None) -> Message:
    """A letter of the event's organiser as a message in the active language: HTML for most, plain text for all.

    Names and titles are strangers' words: one line each in the header, escaped in the HTML.
    """
    organisation = event.organisation
    poster = posters.strip_of(event)
    shades = accent.derive(organisation.accent_colour or HOUSE_COLOUR)
    context = {
        "subject": letter.subject,
        "event": event,
        "organisation": organisation,
        "seller_address": ", ".join(line.strip() for line in organisation.address.splitlines() if line.strip()),
        "zone": event.time_zone,
        "currency": event.currency,
        "colour": shades.light,
        "dark": shades.dark,
        "site_url": settings.SITE_URL,
        "poster": poster,
        **(about or {}),
        **letter.context,
    }
    text = render_to_string(f"{letter.path}.txt", context)
    sender_name, sender = parseaddr(settings.DEFAULT_FROM_EMAIL)
    reply_to = one_line(organisation.email)
    message = Message(
        subject=one_line(letter.subject),
        body=EMPTY_LINES.sub("\n\n", text).strip() + "\n",
        from_email=formataddr((f"{one_line(organisation.name)} · {sender_name or 'Foyer'}", sender)),
        to=[one_line(to)],
        reply_to=[reply_to] if reply_to else None,
        headers={"Auto-Submitted": "auto-generated", "Content-Language": locale},
    )
    message.attach_alternative(render_to_string(f"{letter.path}.html", context), "text/html")
    message.attach(poster.as_part())
    return message


def message_id_of(effect: Effect) -> str:
    """The Message-ID of the mail this effect sends, the same at every try."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    return f"<{hashlib.sha256(effect.key.encode()).hexdigest()[:40]}@{domain}>"
