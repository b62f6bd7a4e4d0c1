"""Every periodic job of the house, in one list. `manage.py cron` runs them; two of it at once double nothing.

Each run takes a PostgreSQL advisory lock, so that a slow run is never overtaken by the next, and then claims its turn
by the time of the last one, so that two crons share the turns instead of taking twice as many.
"""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from django.core.management import call_command
from django.db import close_old_connections, connection, connections

from config import heartbeats

log = logging.getLogger(__name__)

LOCK_SPACE = 0x4352
ROLE = "periodic"
DAY = 24 * 3600


def _sweep_queue() -> None:
    from apps.ticketing import queue

    queue.sweep()


def _sweep_outbox() -> None:
    from apps.ticketing import outbox

    outbox.sweep()


def _tell_standing() -> None:
    from apps.ticketing import standing

    standing.tell()


def _sweep_reminders() -> None:
    from apps.ticketing import reminders

    reminders.sweep()


def _sweep_listings() -> None:
    from apps.resale import listings
    from apps.ticketing import clock

    listings.sweep(clock.now())


def _sweep_waiting_lists() -> None:
    from apps.resale import waiting
    from apps.ticketing import clock

    waiting.sweep(clock.now())


def _sweep_gifts() -> None:
    from apps.ticketing import clock, gift_payments, giving

    giving.sweep(clock.now())
    gift_payments.sweep()


def _close_overdue_payments() -> None:
    from apps.ticketing import payments

    payments.close_overdue()


def _publish_scheduled() -> None:
    """Pages whose time has come, and those whose time is over. The guard may hold one back: then somebody is told."""
    from apps.events import held_back

    call_command("publish_scheduled")
    held_back.tell()


def _catch_up_payments() -> None:
    from apps.ticketing import payments

    payments.catch_up()


def _catch_up_disputes() -> None:
    from apps.ticketing import disputes

    disputes.catch_up()


def _send_back_parts() -> None:
    from apps.ticketing import bank_parts

    bank_parts.send_back()


def _look_after_stripe_accounts() -> None:
    """What Stripe may have restricted since, where organisations have accounts of their own."""
    from django.conf import settings

    if settings.STRIPE_CONNECT and settings.STRIPE_SECRET_KEY:
        from apps.ticketing.payments import connect_onboarding

        connect_onboarding.look_after()


def _go_on_cancelling() -> None:
    from apps.ticketing import paying_back

    paying_back.sweep()


def _remind_of_moves() -> None:
    from apps.ticketing import moves

    moves.remind()


def _return_places_set_aside() -> None:
    """What presale links keep whose time is over."""
    from apps.discounts import presale

    presale.return_all_lapsed()


def _check_invariants() -> None:
    from apps.ticketing import invariants

    for violation in invariants.check():
        log.error("a promise is broken: %s", violation)


def _sweep_documents() -> None:
    from apps.ticketing import documents

    documents.sweep()


def _reconcile() -> None:
    from apps.ticketing import reconciliation

    reconciliation.alarm()


def _clean_jobs() -> None:
    """Jobs that a killed worker left marked as running; their rows in PostgreSQL are swept by others."""
    from django.conf import settings
    from rq.registry import clean_registries

    from apps.ticketing import jobs

    for name in settings.RQ_QUEUES:
        clean_registries(jobs.queue_of(name), [])


def _clean_up() -> None:
    """Sessions that are over, reminders of openings that came, answers about health after the event, who stood on a
    waiting list, unfinished events that nobody goes on with, effects done long ago, rows of killed processes."""
    from apps.resale import waiting_people
    from apps.ticketing import answers, payouts, reminders, wizard

    call_command("clearsessions")
    reminders.forget_old()
    answers.forget_old()
    waiting_people.forget_old()
    payouts.forget_paid()
    wizard.forget_old()
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM ticketing_effect WHERE state = 'done' AND created_at < foyer_now() - interval '90 days'"
        )
        cursor.execute("DELETE FROM ticketing_addresscode WHERE sent_at < foyer_now() - interval '1 day'")
        cursor.execute(
            "DELETE FROM ticketing_heartbeat WHERE role <> %s AND beat_at < foyer_now() - interval '1 day'", [ROLE]
        )


@dataclass(frozen=True)
class Periodic:
    """One job: run `function` every so many seconds, counted from the last run anywhere."""

    name: str
    every_seconds: int
    function: Callable[[], None]


PERIODIC = (
    Periodic("queue.sweep", 2, _sweep_queue),
    Periodic("outbox.sweep", 5, _sweep_outbox),  # the inbox too: a stored notice is an effect
    Periodic("standing.tell", 2, _tell_standing),
    Periodic("presale.return", 5, _return_places_set_aside),
    Periodic("reminders.sweep", 10, _sweep_reminders),
    Periodic("listings.sweep", 30, _sweep_listings),
    Periodic("waiting.sweep", 5, _sweep_waiting_lists),
    Periodic("gifts.sweep", 30, _sweep_gifts),
    Periodic("pages.publish_scheduled", 10, _publish_scheduled),
    Periodic("payments.close_overdue", 2, _close_overdue_payments),
    Periodic("payments.catch_up", 5, _catch_up_payments),  # asks about each once a minute
    Periodic("disputes.catch_up", 300, _catch_up_disputes),
    Periodic("bank_parts.send_back", 300, _send_back_parts),
    Periodic("stripe_accounts.look_after", 300, _look_after_stripe_accounts),
    Periodic("paying_back.sweep", 5, _go_on_cancelling),
    Periodic("moves.remind", 60, _remind_of_moves),
    Periodic("jobs.clean", 60, _clean_jobs),
    Periodic("invariants", 300, _check_invariants),
    Periodic("reconcile", DAY, _reconcile),
    Periodic("documents.sweep", DAY, _sweep_documents),
    Periodic("clean_up", DAY, _clean_up),
)


def run_once(periodic: Periodic) -> bool:
    """Run a job if its turn has come and nobody runs it; True when it ran. Its error is logged, not raised."""
    number = zlib.crc32(periodic.name.encode()) & 0x7FFFFFFF
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_SPACE, number])
        if not cursor.fetchone()[0]:
            return False
        try:
            cursor.execute(
                "INSERT INTO ticketing_heartbeat (name, role, beat_at) VALUES (%s, %s, foyer_now())"
                " ON CONFLICT (name) DO UPDATE SET beat_at = foyer_now()"
                " WHERE ticketing_heartbeat.beat_at <= foyer_now() - make_interval(secs => %s) RETURNING name",
                # A tenth early: a job that comes round every 2 s must not lose each second turn to a few milliseconds.
                [periodic.name, ROLE, periodic.every_seconds * 0.9],
            )
            if cursor.fetchone() is None:
                return False
            try:
                periodic.function()
            except Exception:
                log.exception("the periodic job %s failed", periodic.name)
            return True
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_SPACE, number])


def _repeat(periodic: Periodic, stopped: threading.Event) -> None:
    """Run one job again and again on a connection of its own, until `stopped`. Waits for a database that is away."""
    while not stopped.is_set():
        begun = time.monotonic()
        try:
            close_old_connections()
            run_once(periodic)
        except Exception as error:
            log.warning("the periodic job %s waits: %s", periodic.name, type(error).__name__)
            connection.close()
        if periodic.every_seconds > 60:
            connection.close()
        pause = min(periodic.every_seconds, 60)
        stopped.wait(max(0.1, pause - (time.monotonic() - begun)))
    connections.close_all()


def run_forever(stopped: threading.Event) -> None:
    """Run all jobs until `stopped` is set; a job in hand is finished. Beats every ten seconds."""
    name = heartbeats.own_name("cron")
    threads = [threading.Thread(target=_repeat, args=(periodic, stopped), name=periodic.name) for periodic in PERIODIC]
    for thread in threads:
        thread.start()
    while not stopped.is_set():
        try:
            heartbeats.beat(name, "cron")
        except Exception as error:
            log.warning("no heartbeat, the database does not answer: %s", type(error).__name__)
            connection.close()
        stopped.wait(heartbeats.EVERY_SECONDS)
    for thread in threads:
        thread.join()
    try:
        heartbeats.end(name)
    except Exception as error:
        log.warning("the last heartbeat stays: %s", type(error).__name__)
