"""Handing one message to whoever delivers it, by SMTP or by Resend's API, and telling apart what a "no" means.

Not now (a 4xx, a time-out, nobody there, too many at once) is tried again by the outbox. Never (a 5xx about this
recipient or this message) is not. A no that is about us (relaying denied, a wrong key, a sender that is not verified)
waits for whoever runs the site, so it is tried again as well.
"""

from __future__ import annotations

import random
import re
from smtplib import SMTPDataError, SMTPRecipientsRefused

from anymail.exceptions import AnymailRequestsAPIError
from django.core.mail import EmailMultiAlternatives

from apps.ticketing import outbox
from apps.ticketing.models import MailTrouble

# RFC 3463: x.7.y is about security and policy, of which relaying is one: our side, not the recipient's.
ABOUT_US = re.compile(r"^\W*5\.7\.")


class Refused(Exception):
    """The message will never be taken: `kind` says whether the address or the message is refused, `detail` why."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def hand_over(message: EmailMultiAlternatives) -> str:
    """Send the message and return its name at whoever took it. Raises Refused, outbox.NotYet, and any other error."""
    own_id = message.extra_headers["Message-ID"]
    try:
        message.send()
    except SMTPRecipientsRefused as error:
        code, words = next(iter(error.recipients.values()))
        _refuse(MailTrouble.Kind.BOUNCED, code, words)
        raise
    except SMTPDataError as error:
        _refuse(MailTrouble.Kind.FAILED, error.smtp_code, error.smtp_error)
        raise
    except AnymailRequestsAPIError as error:
        if _was_taken_before(error):
            return own_id
        raise
    status = getattr(message, "anymail_status", None)
    return str(status.message_id) if status is not None and status.message_id else own_id


def _refuse(kind: str, code: int, words: bytes | str) -> None:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    if 500 <= code < 600 and not ABOUT_US.match(text):
        raise Refused(kind, f"{code} {text}")


def _was_taken_before(error: AnymailRequestsAPIError) -> bool:
    """Read Resend's error: True when it has this message already. Raises Refused and outbox.NotYet where they fit."""
    name, words = _read(error)
    if error.status_code == 429 and name == "rate_limit_exceeded":
        raise outbox.NotYet("so many mails a second are not taken", seconds=_retry_after(error) + random.randint(0, 4))
    if error.status_code == 409:
        # The key of a mail that was taken, with a text that has changed since: the first one is on its way.
        return name == "invalid_idempotent_request"
    if error.status_code in (400, 422) and "`to`" in words:
        raise Refused(MailTrouble.Kind.BOUNCED, f"{error.status_code} {words}")
    return False


def _read(error: AnymailRequestsAPIError) -> tuple[str, str]:
    """The name and the words of the API's answer, empty where it does not speak JSON as documented."""
    try:
        answer = error.response.json()
    except (AttributeError, ValueError):
        return "", ""
    if not isinstance(answer, dict):
        return "", ""
    return str(answer.get("name", "")), str(answer.get("message", ""))


def _retry_after(error: AnymailRequestsAPIError) -> int:
    wanted = error.response.headers.get("retry-after", "")
    return min(int(wanted), 60) if wanted.isdigit() else 1
