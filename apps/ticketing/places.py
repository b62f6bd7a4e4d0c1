"""A place that somebody else may have taken in one's name: the link that proves the address, and taking it over."""

from __future__ import annotations

import logging
from collections import Counter

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

from apps.accounts.ids import new_secret
from apps.ticketing import clock
from apps.ticketing.models import Order, OrderLine, Payment
from apps.ticketing.states import ORDER_STANDS_IN_LINE, OrderState

log = logging.getLogger(__name__)

CLAIMABLE = (*ORDER_STANDS_IN_LINE, OrderState.RESERVED)


def claim_path(order: Order) -> str:
    """The address that is mailed to the order's own address and given to nobody else. It ends with the secret."""
    return reverse("ticketing:order_claim", args=[order.reference, _token(order)])


def claim_url(order: Order) -> str:
    return settings.SITE_URL + claim_path(order)


def is_claim(order: Order, token: str) -> bool:
    """Whether `token` is what was mailed about the order as it is now."""
    return constant_time_compare(token, _token(order))


def _token(order: Order) -> str:
    return salted_hmac("ticketing.places", f"{order.public_id}:{order.secret}", algorithm="sha256").hexdigest()[:40]


def may_be_taken_over(order: Order) -> bool:
    """Whether the place still stands in line or is held, and nobody has begun to pay for it."""
    return order.state in CLAIMABLE and not Payment.objects.filter(order=order).exists()


def take_over(order: Order) -> bool:
    """Give the order a new secret, so that only whoever asked for this has its link. False when it was too late.

    Rank, tickets and holds stay. One conditional UPDATE: of two at once, one takes it over.
    """
    secret = new_secret()
    paid_for = Payment.objects.filter(order=OuterRef("pk"))
    taken = Order.objects.filter(~Exists(paid_for), pk=order.pk, secret=order.secret, state__in=CLAIMABLE).update(
        secret=secret, email_confirmed_at=clock.Now()
    )
    if taken:
        log.info("the place of order %s was taken over by whoever reads its address", order.reference)
    order.refresh_from_db()
    return bool(taken)


def count_types(order: Order) -> list[tuple[str, int]]:
    """What the order wants, as (name of the ticket type, how many)."""
    lines = OrderLine.objects.filter(order=order, is_wanted=True).select_related("ticket_type")
    return list(Counter(line.ticket_type.name for line in lines).items())
