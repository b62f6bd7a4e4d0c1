"""What Resend tells of the mails it took: came back, marked as spam, refused. Everything else it tells is let pass.

Its notices are signed (Svix, which is the Standard Webhooks scheme under other header names), come late, twice and in
any order, and may speak of mails that were not ours. Each trouble is kept once under the notice's own id.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.signals import AnymailTrackingEvent, EventType, tracking
from anymail.webhooks.base import AnymailBaseWebhookView
from anymail.webhooks.resend import ResendTrackingWebhookView
from django.conf import settings
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook, WebhookVerificationError

from apps.ticketing import clock
from apps.ticketing.mails import troubles
from apps.ticketing.models import MailTrouble

log = logging.getLogger(__name__)

LARGEST_BODY = 256 * 1024
HEADERS = {"webhook-id": "svix-id", "webhook-timestamp": "svix-timestamp", "webhook-signature": "svix-signature"}
KINDS = {EventType.BOUNCED: MailTrouble.Kind.BOUNCED, EventType.COMPLAINED: MailTrouble.Kind.COMPLAINED}
# Told by Resend, and not known to anymail: what it did not even try, and what failed on its own side.
MORE_KINDS = {"email.suppressed": MailTrouble.Kind.BOUNCED, "email.failed": MailTrouble.Kind.FAILED}


class _ResendNotices(ResendTrackingWebhookView):
    """Anymail's reading of a notice, with the signature verified by the library that verifies our other ones."""

    def __init__(self, **kwargs: Any) -> None:
        self._svix_webhook = None  # anymail's own check wants the svix package
        self.warn_if_no_basic_auth = False
        super(AnymailBaseWebhookView, self).__init__(**kwargs)

    def validate_request(self, request: HttpRequest) -> None:
        headers = {ours: request.headers.get(theirs, "") for ours, theirs in HEADERS.items()}
        try:
            Webhook(settings.RESEND_WEBHOOK_SECRET).verify(request.body, headers, json_parse=False)
        except (WebhookVerificationError, EmptyWebhookSecretError, ValueError) as error:
            # ValueError: not base64, not UTF-8, not in pairs.
            raise AnymailWebhookValidationFailure("the signature is not Resend's") from error

    def parse_events(self, request: HttpRequest) -> list[AnymailTrackingEvent]:
        try:
            told = super().parse_events(request)
            for event in told:
                _require_words(event.message_id, event.recipient, event.description)
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            # RecursionError: brackets within brackets.
            raise AnymailWebhookValidationFailure("the notice is not one of Resend's") from error
        return told


def _require_words(*values: Any) -> None:
    """Raises TypeError for what is neither text nor nothing, and ValueError for text that cannot be written down."""
    for value in values:
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{type(value).__name__} where words should be")
        (value or "").encode()


_read = _ResendNotices.as_view()


@csrf_exempt
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    """Take a notice: 200 once what it tells is kept, 400 when it cannot be believed or read, 413 above 256 kB, 404
    where no signing secret is set. Keeps nothing that was not verified."""
    if not settings.RESEND_WEBHOOK_SECRET:
        raise Http404
    length = request.META.get("CONTENT_LENGTH") or ""
    if length.isdigit() and int(length) > LARGEST_BODY:
        return HttpResponse(status=413)
    try:
        return _read(request)
    except AnymailWebhookValidationFailure as error:
        log.warning("a notice about mail was refused: %s", error)
        return HttpResponse("This notice cannot be verified.\n", status=400, content_type="text/plain")


@receiver(tracking, dispatch_uid="ticketing.mails.notices")
def _remember(event: AnymailTrackingEvent, **_: Any) -> None:
    kind = KINDS.get(event.event_type) or MORE_KINDS.get(event.esp_event["type"])
    if kind is None or not event.event_id or not event.message_id:
        return
    troubles.note(
        event.event_id,
        kind,
        provider_id=str(event.message_id),
        address=event.recipient or "",
        detail=event.description or _reason_in(event.esp_event),
        at=event.timestamp if event.timestamp and event.timestamp.tzinfo else clock.now(),
    )


def _reason_in(notice: dict[str, Any]) -> str:
    """The words of a notice that anymail does not read."""
    data = notice.get("data")
    for name in ("failed", "suppressed"):
        part = data.get(name) if isinstance(data, dict) else None
        if isinstance(part, dict):
            return str(part.get("reason") or part.get("message") or json.dumps(part))
    return ""
