"""What is written to who stands on a waiting list: confirm your address, you are on it, an offer, it ended, you left.

About no order, so these mails are effects of their own. What they say is read when they are written, and what has
become pointless by then is not sent. Each brings the entry's link, by which one answers and leaves, without an account.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from apps.resale import waiting_told
from apps.resale.models import WaitingEntry, WaitingOffer
from apps.resale.waiting_states import EntryState, OfferState
from apps.ticketing import clock, outbox, reasons
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.mails import LEASE_SECONDS, Letter, handover, sending
from apps.ticketing.models import Effect

log = logging.getLogger(__name__)

KIND = "waiting.mail"
ASKED, JOINED, OFFERED, ENDED, OFF = "asked", "joined", "offered", "ended", "off"
AGAIN_SECONDS = 600


# --- Asking for them, in the transaction of their cause ------------------------------------------------------------


def asked(entry: WaitingEntry, *, again: bool = False) -> None:
    """To an address that was typed: is it yours, and do you want to be on the list?"""
    _ask(ASKED, entry, again=again)


def joined(entry: WaitingEntry, *, again: bool = False) -> None:
    """You are on the list, what will happen, and how to leave."""
    _ask(JOINED, entry, again=again)


def offered(offer: WaitingOffer) -> None:
    """Tickets are to be had, until when, and how to take or decline them."""
    _ask(OFFERED, offer.entry, offer)


def ended(offer: WaitingOffer) -> None:
    """An offer ended otherwise than by their word, and why."""
    _ask(ENDED, offer.entry, offer)


def off_the_list(entry: WaitingEntry) -> None:
    """They are off the list, and why."""
    _ask(OFF, entry)


def _ask(name: str, entry: WaitingEntry, offer: WaitingOffer | None = None, *, again: bool = False) -> None:
    about = str(offer.public_id) if offer else str(entry.public_id)
    turn = f":{int(clock.now().timestamp() // AGAIN_SECONDS)}" if again else ""
    payload = {"name": name, "entry": entry.pk, "offer": offer.pk if offer else None}
    outbox.add(KIND, key=f"{KIND}:{name}:{about}{turn}", payload=payload)


# --- Sending them --------------------------------------------------------------------------------------------------


@outbox.handler(KIND, lease_seconds=LEASE_SECONDS)
def _send(effect: Effect) -> None:
    rows = WaitingEntry.objects.select_related("event__organisation").prefetch_related("types")
    entry = rows.filter(pk=effect.payload["entry"]).first()
    if entry is None or not entry.email:
        return
    with override(entry.locale):
        letter = _WRITERS[effect.payload["name"]](entry, effect.payload)
        if letter is None:
            return
        message = sending.compose(entry.event, letter, to=entry.email, locale=entry.locale)
    message.extra_headers["Message-ID"] = sending.message_id_of(effect)
    message.extra_headers["List-Unsubscribe"] = f"<{entry_url(entry)}>"
    message.extra_headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    try:
        handover.hand_over(message)
    except handover.Refused as refusal:
        log.warning("a mail to entry %s of a waiting list is refused: %s", entry.public_id, refusal.kind)
    crashpoint("mail.handed_over")


def entry_url(entry: WaitingEntry) -> str:
    """The person's own page of the list, with its secret."""
    return settings.SITE_URL + reverse("resale:waiting", args=[entry.public_id, entry.secret])


def _context(entry: WaitingEntry, **more: Any) -> dict[str, Any]:
    kinds = [kind.name for kind in entry.types.all()]
    return {"entry": entry, "entry_url": entry_url(entry), "kinds": kinds, "order": None, "order_url": "", **more}


def _asked(entry: WaitingEntry, _payload: dict[str, Any]) -> Letter | None:
    if entry.state != EntryState.ASKED:
        return None
    subject = _("%(event)s: confirm your place on the waiting list") % {"event": entry.event.title}
    return Letter("resale/mails/waiting_asked", subject, _context(entry))


def _joined(entry: WaitingEntry, _payload: dict[str, Any]) -> Letter | None:
    if entry.state != EntryState.WAITING:
        return None
    subject = _("%(event)s: you are on the waiting list") % {"event": entry.event.title}
    return Letter("resale/mails/waiting_joined", subject, _context(entry))


def _offered(entry: WaitingEntry, payload: dict[str, Any]) -> Letter | None:
    offer = _offer(payload)
    if offer is None or offer.state != OfferState.OPEN or offer.answer_until <= clock.now():
        return None
    subject = ngettext("%(event)s: a ticket for you", "%(event)s: %(number)d tickets for you", offer.quantity) % {
        "event": entry.event.title,
        "number": offer.quantity,
    }
    context = _context(entry, offer=offer, told=waiting_told.of(offer, clock.now()))
    return Letter("resale/mails/waiting_offered", subject, context)


def _ended(entry: WaitingEntry, payload: dict[str, Any]) -> Letter | None:
    offer = _offer(payload)
    if offer is None or offer.is_live or not entry.is_on_list:
        return None
    subject = _("%(event)s: the offer is over") % {"event": entry.event.title}
    context = _context(entry, offer=offer, why=reasons.sentence(offer.reason))
    return Letter("resale/mails/waiting_ended", subject, context)


def _off(entry: WaitingEntry, _payload: dict[str, Any]) -> Letter | None:
    if entry.is_on_list:
        return None
    subject = _("%(event)s: you are off the waiting list") % {"event": entry.event.title}
    join_url = settings.SITE_URL + reverse("resale:wait", args=[entry.event.public_id])
    context = _context(entry, why=reasons.sentence(entry.reason), join_url=join_url)
    return Letter("resale/mails/waiting_off", subject, context)


def _offer(payload: dict[str, Any]) -> WaitingOffer | None:
    return WaitingOffer.objects.select_related("entry__event", "entry__user").filter(pk=payload["offer"]).first()


_WRITERS: dict[str, Callable[[WaitingEntry, dict[str, Any]], Letter | None]] = {
    ASKED: _asked,
    JOINED: _joined,
    OFFERED: _offered,
    ENDED: _ended,
    OFF: _off,
}
