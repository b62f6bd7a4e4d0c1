"""When payment opens to whom: a bank may be asked to open only so many payments a second.

The queue decides hundreds of orders at once; were they all to pay at once, a bank that takes twenty a second would turn
most of them away. So each order gets a moment of its own when it is reserved, in rank order (`admit`), and its time to
pay counts from there. Orders over nothing get none, nor do those that some way to pay without a limit is open to.

A pause of the sale stops no turn: one may pay in it, and the hold gets the time back as any other.

Buyers take their time, and several may press the button in the same moment. So each call that opens a payment also
waits for its turn at the account (`take_turn`), for half a second at most; then it is left to the outbox.

One row per account (a provider and an organisation) keeps the next free moment. It is locked last in the house's lock
order and until the batch is committed, so that two events of one organisation never give the same moment away.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.db import connection

from apps.ticketing import clock
from apps.ticketing.extensions import PaymentProvider, payment_providers
from apps.ticketing.models import PaymentPace

MICROSECONDS = 1_000_000
# So long a call waits for its turn in hand; it keeps a thread of the site's busy.
PATIENCE_SECONDS = 0.5


def starts_per_second(provider: PaymentProvider) -> float | None:
    """How many payments a second may be opened at `provider`: what the settings say, else what itself says. None: any
    number."""
    own = getattr(provider, "starts_per_second", None)
    return settings.PAYMENT_STARTS_PER_SECOND.get(provider.slug, own) or None


def _interval(rate: float) -> timedelta:
    """The time between two payments; rounded up, so that never one too many falls into a second."""
    return timedelta(microseconds=math.ceil(MICROSECONDS / rate))


def _intervals(currency: str) -> dict[str, timedelta]:
    """{provider: time between two payments} of the ways to pay now; none when one of them has no limit."""
    at_once = [one for one in payment_providers if one.is_available(currency) and not getattr(one, "takes_days", False)]
    rates = {one.slug: starts_per_second(one) for one in at_once}
    return {slug: _interval(rate) for slug, rate in rates.items() if rate} if all(rates.values()) else {}


def admit(order_ids: Sequence[int], *, organisation_id: int, currency: str, held_for: timedelta) -> dict[int, datetime]:
    """Say from when each of the orders just reserved may pay, in rank order, and hold it for `held_for` from then on.

    {order id: that moment}, without the orders that may pay at once. A buyer may choose among several ways to pay, so
    the moment is free with each of them, and the slowest sets the pace. Inside the transaction that reserved the
    orders; locks the accounts of the organisation, last of all. Nothing is asked of the database where no way to pay
    is limited. Next: payments.start, which refuses whoever comes earlier.
    """
    intervals = _intervals(currency)
    if not intervals or not order_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM ticketing_order WHERE id = ANY(%s) AND state = 'reserved' AND total_minor > 0"
            " ORDER BY rank, id",
            [list(order_ids)],
        )
        ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            return {}
        step = max(intervals.values())
        first = _claim(len(ids), step, organisation_id=organisation_id, providers=sorted(intervals))
        moments = [first + place * step for place in range(len(ids))]
        parameters: list[Any] = [held_for, ids, moments]
        cursor.execute(
            "UPDATE ticketing_order t SET pays_from = v.moment, reserved_until = v.moment + %s"
            " FROM (SELECT unnest(%s::bigint[]) AS id, unnest(%s::timestamptz[]) AS moment) AS v WHERE t.id = v.id",
            parameters,
        )
    return dict(zip(ids, moments, strict=True))


def _claim(count: int, step: timedelta, *, organisation_id: int, providers: Sequence[str]) -> datetime:
    """Take `count` moments, `step` apart, with each of the accounts, and return the first."""
    accounts = _lock(organisation_id, providers)
    if len(accounts) < len(providers):
        _open_accounts(organisation_id, providers)
        accounts = _lock(organisation_id, providers)
    first = max(clock.now(), *(account.next_at for account in accounts))  # the time now that we hold the locks
    PaymentPace.objects.filter(pk__in=[account.pk for account in accounts]).update(next_at=first + count * step)
    return first


def _open_accounts(organisation_id: int, providers: Sequence[str]) -> None:
    at = clock.now()
    PaymentPace.objects.bulk_create(
        (PaymentPace(provider=slug, organisation_id=organisation_id, next_at=at, turn_at=at) for slug in providers),
        ignore_conflicts=True,
    )


def take_turn(provider: PaymentProvider, organisation_id: int) -> bool:
    """Wait until one more payment may be opened at the account; False when that would take more than half a second.

    The turn is taken then, and kept whatever becomes of it. Outside any transaction: others wait for the same row. At
    once and without a query where the provider sets no pace.
    """
    rate = starts_per_second(provider)
    if rate is None:
        return True
    # Slower than one a second, it is admission that keeps the pace: nobody who was let in waits as long once more.
    seconds = _next_turn(provider.slug, organisation_id, min(_interval(rate), timedelta(seconds=1)))
    if seconds is None:
        return False
    time.sleep(seconds)
    return True


def _next_turn(slug: str, organisation_id: int, step: timedelta) -> float | None:
    """Take the next turn and return in how many seconds it is; None when all within our patience are taken."""
    patience = timedelta(seconds=PATIENCE_SECONDS)
    parameters: list[Any] = [step, organisation_id, slug, patience, step]
    for _try in range(2):
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE ticketing_paymentpace SET turn_at = greatest(turn_at, foyer_now()) + %s"
                " WHERE organisation_id = %s AND provider = %s AND turn_at <= foyer_now() + %s"
                " RETURNING extract(epoch FROM turn_at - %s - foyer_now())",
                parameters,
            )
            row = cursor.fetchone()
        if row is not None:
            return max(0.0, float(row[0]))
        _open_accounts(organisation_id, [slug])  # nobody paid there before; else nothing changes
    return None


def _lock(organisation_id: int, providers: Sequence[str]) -> list[PaymentPace]:
    accounts = PaymentPace.objects.filter(organisation_id=organisation_id, provider__in=providers)
    return list(accounts.select_for_update().order_by("pk"))


@register()
def check_rates(app_configs: object, **_: object) -> list[CheckMessage]:
    """A rate is a number of payments a second; 0 takes a provider's own limit away."""
    wrong = {slug: rate for slug, rate in settings.PAYMENT_STARTS_PER_SECOND.items() if not 0 <= rate < math.inf}
    return [
        Error(
            f"PAYMENT_STARTS_PER_SECOND says {rate} for {slug}, which is no number of payments a second.",
            hint="Name a number above 0, or 0 for no limit: PAYMENT_STARTS_PER_SECOND=sandbox=5",
            id="ticketing.E002",
        )
        for slug, rate in wrong.items()
    ]
