"""The buyer's own "send it again": the tickets, or the order's link while there are none, to the order's address."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from apps.ticketing import clock, mails
from apps.ticketing.models import Effect, Order
from apps.ticketing.states import OrderState

PAUSE = timedelta(minutes=1)
A_DAY = 5


class NotAgain(Exception):
    """Nothing is sent; the sentence says why and what to do."""


def resend(order: Order) -> None:
    """Mail the order's tickets or its link once more: at most once a minute and five times a day, so that nobody floods
    an address that may not be theirs. Raises NotAgain. Locks the order, so that two clicks are one mail."""
    with transaction.atomic():
        order = Order.objects.select_for_update(no_key=True).get(pk=order.pk)
        if not order.email:
            raise NotAgain(_("This order has no address any more. Everything is on its page."))
        at = clock.now()
        asked = Effect.objects.filter(order=order, kind=mails.KIND, payload__again=True)
        if asked.filter(created_at__gt=at - PAUSE).exists():
            raise NotAgain(_("It was sent just now. Wait a minute, and look among unwanted mail too."))
        if asked.filter(created_at__gt=at - timedelta(days=1)).count() >= A_DAY:
            raise NotAgain(_("It was sent several times today. If nothing arrives, the address may be wrong."))
        name = "order_confirmation" if order.state == OrderState.PAID else "order_link"
        mails.send_again(order, {"name": name})
