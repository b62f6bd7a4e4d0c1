"""Racers on presale links: who come by them, who serve the queue, and who end links while it is served."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection

from apps.discounts import presale
from apps.discounts.models import PresaleLink
from apps.events.models import Event
from apps.ticketing import clock, ordering, queue, reservations
from apps.ticketing.models import Order, TicketType
from apps.ticketing.retries import is_passing

IMPATIENT_SECONDS = 120


@dataclass(frozen=True)
class Plan:
    """One rush on the links of one event; nobody else comes once `over` exists."""

    event: int
    type: int
    links: tuple[int, ...]
    racers: int
    seed: int
    over: Path


def race(plan: Plan, process: int, number: int) -> int:
    """So many racers, each by one link and for one ticket."""
    chance = random.Random(f"{process} {plan.seed}")
    event = Event.objects.get(pk=plan.event)
    links = list(PresaleLink.objects.filter(pk__in=plan.links))
    for racer in range(number):
        ordering.place(
            event=event,
            tickets=[ordering.WantedTicket(plan.type)],
            email=f"racer{process}-{racer}@example.org",
            idempotency_key=f"race-{plan.seed}-{process}-{racer}",
            tokens=[presale.TOKEN + chance.choice(links).secret],
        )
    connection.close()
    return number


def serve(plan: Plan) -> int:
    """One worker, until everybody has come and nothing is left to decide."""
    decided, until = 0, time.monotonic() + IMPATIENT_SECONDS
    while time.monotonic() < until:
        is_over = plan.over.exists()
        events = queue.events_to_serve()
        for event_id in events:
            try:
                decided += queue.drain(event_id)
            except Exception as error:
                if not is_passing(error):
                    raise
        if is_over and not events:
            break
        time.sleep(0.01)
    connection.close()
    return decided


def serve_carelessly(plan: Plan) -> int:
    """The negative control: a worker whose look at a link and whose count of it are not one. No lock on the event, on
    quotas or on links, and a pause before the count. It begins when everybody has come."""
    queue.BATCH = 3
    while not plan.over.exists():
        time.sleep(0.01)

    def without_guards(execute: Callable, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "pg_advisory_xact_lock" in sql:
            sql, params = "SELECT 1", None
        elif sql.endswith("FOR NO KEY UPDATE") and "FROM ticketing_order WHERE" in sql:
            sql += " SKIP LOCKED"
        elif "FOR UPDATE" in sql and "ticketing_quota" in sql:
            sql = sql.replace("FOR UPDATE", "")
        elif "FOR NO KEY UPDATE" in sql and "discounts_presalelink" in sql:
            result = execute(sql.replace("FOR NO KEY UPDATE", ""), params, many, context)
            time.sleep(0.05)
            return result
        return execute(sql, params, many, context)

    with connection.execute_wrapper(without_guards):
        return serve(plan)


def change_minds(plan: Plan, who: str, seconds: float) -> Counter[str]:
    """Somebody who gives tickets up, and an organiser who changes links, revokes some and lets others run out."""
    chance = random.Random(f"{who} {plan.seed}")
    done: Counter[str] = Counter()
    kind = TicketType.objects.get(pk=plan.type)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        verb = chance.choice(["leave", "leave", "leave", "revoke", "resize", "lapse"])
        link = PresaleLink.objects.get(pk=chance.choice(plan.links))
        try:
            if verb == "leave":
                held = list(Order.objects.filter(event=plan.event, state__in=["reserved", "offered"]).order_by("?")[:1])
                done[verb] += bool(held) and ordering.cancel(held[0])
            elif verb == "revoke":
                done[verb] += chance.random() < 0.3 and presale.revoke(link)
            elif verb == "resize":
                presale.change(link, seen=link.edition, types=[kind], size=max(1, link.used + chance.randint(0, 3)))
                done[verb] += 1
            else:
                presale.return_lapsed(plan.event, clock.now())
                done[verb] += 1
        except (presale.ChangedMeanwhile, presale.BelowUsed, reservations.TooFewLeft):
            done["refused"] += 1
        except Exception as error:
            if not is_passing(error):
                raise
        time.sleep(0.01)
    connection.close()
    return done


def shares(total: int, parts: int) -> Sequence[int]:
    return [total // parts + (part < total % parts) for part in range(parts)]
