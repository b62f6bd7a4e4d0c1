"""The mail with a code. About no order, for there is none yet."""

from __future__ import annotations

import logging

from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.ticketing import clock, codes, outbox
from apps.ticketing.mails import handover
from apps.ticketing.mails.letters import Letter
from apps.ticketing.mails.sending import LEASE_SECONDS, compose, message_id_of
from apps.ticketing.models import AddressCode, Effect

log = logging.getLogger(__name__)


@outbox.handler(codes.KIND, lease_seconds=LEASE_SECONDS)
def _send(effect: Effect) -> None:
    code = AddressCode.objects.select_related("event__organisation").filter(pk=effect.payload["code"]).first()
    if code is None or code.expires_at <= clock.now():
        return  # nobody waits for it any more
    typed = codes.digits(code)
    with override(code.locale):
        subject = _("%(code)s is your code for %(event)s") % {"code": typed, "event": code.event.title}
        letter = Letter("address_code", subject, {"code": typed, "minutes": int(codes.LASTS.total_seconds() // 60)})
        message = compose(code.event, letter, to=code.email, locale=code.locale)
    message.extra_headers["Message-ID"] = message_id_of(effect)
    try:
        handover.hand_over(message)
    except handover.Refused as refusal:
        log.warning("a code for event %s is refused: %s", code.event_id, refusal.kind)
