"""Six digits by e-mail, for guests whose browser cannot do the challenge: they prove the address instead.

A code belongs to one event, one address and one form's idempotency key, over which the database allows one order. It
is derived from its row and kept nowhere. It lasts a quarter of an hour and five wrong tries; an address is sent five
codes an hour. All of that stands in PostgreSQL: guessing is no easier while Redis is away.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import F, TextChoices
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext_lazy as _

from apps.accounts.keyring import blind_index, normalise_email
from apps.events.models import Event
from apps.ticketing import clock, outbox
from apps.ticketing.models import AddressCode

KIND = "mail.code"
LASTS = timedelta(minutes=15)
TRIES = 5
SENDS = 5
SENDS_WITHIN = timedelta(hours=1)
LOCK_SPACE = 0x434F
NO_DIGIT = re.compile(r"[^0-9]")


class Outcome(TextChoices):
    """What became of a typed code."""

    RIGHT = "right", _("right")
    WRONG = "wrong", _("wrong")
    OVER = "over", _("over")


def send(event: Event, email: str, key: str, locale: str) -> int:
    """Have a code mailed for the form with this key; 0, or in how many seconds this address may have another.

    Locks the address while it counts.
    """
    email_key = address_key(email)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK_SPACE, email_key])
        at = clock.now()
        lately = AddressCode.objects.filter(email_key=email_key, sent_at__gt=at - SENDS_WITHIN).order_by("sent_at")
        sent = list(lately.values_list("sent_at", flat=True))
        if len(sent) >= SENDS:
            return math.ceil((sent[-SENDS] + SENDS_WITHIN - at).total_seconds())
        code = AddressCode.objects.create(
            event=event,
            idempotency_key=key,
            email=email,
            email_key=email_key,
            locale=locale,
            sent_at=at,
            expires_at=at + LASTS,
        )
        outbox.add(KIND, key=f"{KIND}:{code.public_id}", payload={"code": code.pk})
    return 0


def check(event: Event, email: str, key: str, typed: str) -> Outcome:
    """Whether `typed` is the newest code sent for this form. A wrong one uses up a try, by one conditional UPDATE."""
    codes = AddressCode.objects.filter(event=event, idempotency_key=key, email_key=address_key(email))
    code = codes.order_by("-pk").first()
    if code is None:
        return Outcome.OVER
    row = AddressCode.objects.filter(pk=code.pk)
    if not row.filter(tries__lt=TRIES, expires_at__gt=clock.Now()).update(tries=F("tries") + 1):
        return Outcome.OVER
    if not constant_time_compare(NO_DIGIT.sub("", typed), digits(code)):
        return Outcome.WRONG
    row.update(tries=F("tries") - 1)
    return Outcome.RIGHT


def digits(code: AddressCode) -> str:
    """The six digits of one code."""
    number = int(salted_hmac("ticketing.codes", str(code.public_id), algorithm="sha256").hexdigest(), 16)
    return f"{number % 1_000_000:06d}"


def address_key(email: str) -> str:
    """The keyed hash under which codes of one address are counted."""
    return blind_index("email", normalise_email(email))
