"""Waiting lists, as the queue serves them and as pages lead to them: asked of whoever keeps one (`extensions`)."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction
from django.db.models import F

from apps.events.models import Event
from apps.ticketing import bell, clock, event_lock, sale_control
from apps.ticketing.extensions import waiting_lists
from apps.ticketing.models import Order, Quota
from apps.ticketing.retries import is_passing
from apps.ticketing.states import OrderState

log = logging.getLogger(__name__)


def serve(event_id: int, *, line_was_served: bool = False) -> None:
    """Let waiting lists keep what is left for those who stand on them, after whoever waits in line: unless the caller
    has just served the line, a return that it has not seen yet is left to the queue, which is rung. A list that fails
    is logged and asked again at the next return: it stops no sale. Locks the event's queue."""
    for waiting_list in waiting_lists:
        try:
            if not waiting_list.is_awaited(event_id):
                continue
            with transaction.atomic():
                event_lock.take(event_id)
                comes_first = not line_was_served and _line_comes_first(event_id)
                if not comes_first and not sale_control.state_of(event_id).stops:
                    waiting_list.take(event_id, clock.now())
            if comes_first:
                bell.ring(event_id)
        except Exception as error:
            if is_passing(error):
                raise
            log.error("the waiting list %s of event %s failed: %r", waiting_list.slug, event_id, error)


def _line_comes_first(event_id: int) -> bool:
    """Whether places came back that those who wait in line were not asked about."""
    unseen = Quota.objects.filter(event_id=event_id).exclude(returns=F("returns_seen"))
    return unseen.exists() and Order.objects.filter(event_id=event_id, state=OrderState.WAITING).exists()


def join_url(event: Event, at: datetime) -> str:
    """Where one joins the list of this event; empty where there is none."""
    return next((url for one in waiting_lists if (url := one.join_url(event, at))), "")


def join_url_from(order: Order, at: datetime) -> str:
    """Where the buyer of this order takes its rank to the list; empty where they cannot."""
    return next((url for one in waiting_lists if (url := one.join_url_from(order, at))), "")
