"""Resend's API as Django's mail backend: anymail's, and with each message's own key, so that a message that is handed
over a second time after a crash is not delivered a second time. Resend remembers a key for 24 hours."""

from __future__ import annotations

from typing import Any

from anymail.backends.resend import EmailBackend as AnymailBackend
from anymail.backends.resend import ResendPayload


class EmailBackend(AnymailBackend):
    """Sends through `ANYMAIL["RESEND_API_URL"]`, with the Message-ID as the request's Idempotency-Key."""

    def build_message_payload(self, message: Any, defaults: Any) -> ResendPayload:
        payload = super().build_message_payload(message, defaults)
        own_id = message.extra_headers.get("Message-ID")
        if own_id:
            payload.headers["Idempotency-Key"] = own_id
        return payload
