"""Waiting lists, as the queue serves them and as pages lead to them: asked of whoever keeps one (`extensions`)."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction

from apps.events.models import Event
from apps.ticketing import clock, event_lock, sale_control
from apps.ticketing.extensions import waiting_lists
from apps.ticketing.models import Order
from apps.ticketing.retries import is_passing

log = logging.getLogger(__name__)


def serve(event_id: int) -> None:
    """Let waiting lists keep what is left for those who stand on them, after whoever waits in line. A list that fails
    is logged and asked again at the next return: it stops no sale. Locks the event's queue."""
    for waiting_list in waiting_lists:
        try:
            if not waiting_list.is_awaited(event_id):
                continue
            with transaction.atomic():
                event_lock.take(event_id)
                if not sale_control.state_of(event_id).stops:
                    waiting_list.take(event_id, clock.now())
        except Exception as error:
            if is_passing(error):
                raise
            log.error("the waiting list %s of event %s failed: %r", waiting_list.slug, event_id, error)


def join_url(event: Event, at: datetime) -> str:
    """Where one joins the list of this event; empty where there is none."""
    return next((url for one in waiting_lists if (url := one.join_url(event, at))), "")


def join_url_from(order: Order, at: datetime) -> str:
    """Where the buyer of this order takes its rank to the list; empty where they cannot."""
    return next((url for one in waiting_lists if (url := one.join_url_from(order, at))), "")
