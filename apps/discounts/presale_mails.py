"""The mail that brings somebody their presale link. It goes through the outbox and reads the link when it is written:
one that was revoked or is over by then is not mailed."""

from __future__ import annotations

import logging
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.accounts.ids import new_public_id
from apps.discounts import presale
from apps.discounts.models import PresaleLink
from apps.ticketing import clock, event_face, outbox
from apps.ticketing.mails import handover
from apps.ticketing.mails.letters import Letter
from apps.ticketing.mails.sending import LEASE_SECONDS, compose, message_id_of
from apps.ticketing.models import Effect

log = logging.getLogger(__name__)

KIND = "presale.mail"


def address_of(link: PresaleLink, language: str = "") -> str:
    """The whole address that opens a link."""
    with override(language or link.locale):
        page = event_face.of(link.event).url or reverse("ticketing:form", args=[link.event.public_id])
        return f"{settings.SITE_URL}{page}?{urlencode({'link': link.secret})}"


def ask(link: PresaleLink) -> None:
    """Have a link mailed to its address, also once more. Inside a transaction."""
    outbox.add(KIND, key=f"{KIND}:{link.public_id}:{new_public_id().hex[:12]}", payload={"link": link.pk})


@outbox.handler(KIND, lease_seconds=LEASE_SECONDS)
def _send(effect: Effect) -> None:
    links = PresaleLink.objects.select_related("event__organisation").prefetch_related("ticket_types")
    link = links.filter(pk=effect.payload["link"]).first()
    if link is None or not link.email or presale.is_over(link, clock.now(), event_ends_at=link.event.ends_at):
        return
    with override(link.locale):
        types = [kind.name for kind in link.ticket_types.all()]
        subject = _("Your link to tickets: %(event)s") % {"event": link.event.title}
        facts = {"link": link, "types": ", ".join(types), "page_url": address_of(link)}
        message = compose(link.event, Letter("presale_link", subject, facts), to=link.email, locale=link.locale)
    message.extra_headers["Message-ID"] = message_id_of(effect)
    try:
        handover.hand_over(message)
    except handover.Refused as refusal:
        log.warning("the mail of presale link %s is refused: %s", link.pk, refusal.kind)
        PresaleLink.objects.filter(pk=link.pk).update(is_refused=True)
        return
    PresaleLink.objects.filter(pk=link.pk).update(mailed_at=clock.now(), is_refused=False)
