"""The periodic jobs: each in its turn, once, however many crons there are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from config import cron
from config.cron import Periodic, run_once
from django.contrib.sessions.models import Session
from django.db import connection, connections

from apps.ticketing import clock, outbox
from apps.ticketing.models import Effect, Heartbeat
from tests import factories
from tests.clock import clock_moved

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.django_db
def test_a_job_runs_when_its_turn_has_come_and_not_before():
    runs = []
    periodic = Periodic("test", 60, lambda: runs.append(1))

    assert [run_once(periodic), run_once(periodic)] == [True, False]
    with clock_moved(timedelta(seconds=61)):
        assert run_once(periodic)

    assert len(runs) == 2


@pytest.mark.django_db
def test_a_job_that_fails_is_logged_and_runs_again(caplog):
    def fail():
        raise ValueError("broken")

    assert run_once(Periodic("test", 60, fail))

    assert "periodic job test failed" in caplog.text
    with clock_moved(timedelta(seconds=61)):
        assert run_once(Periodic("test", 60, lambda: None))


@pytest.mark.django_db(transaction=True)
def test_a_slow_run_is_not_overtaken():
    running, release = threading.Event(), threading.Event()

    def work():
        running.set()
        release.wait(10)

    def first():
        run_once(Periodic("test", 0, work))
        connections.close_all()

    thread = threading.Thread(target=first)
    thread.start()
    assert running.wait(10)

    assert not run_once(Periodic("test", 0, lambda: None))
    release.set()
    thread.join()
    assert run_once(Periodic("test", 0, lambda: None))


@pytest.mark.django_db(transaction=True)
def test_two_crons_at_once_double_nothing():
    runs: list[float] = []
    periodic = Periodic("test", 1, lambda: runs.append(time.monotonic()))
    stopped = threading.Event()
    crons = [threading.Thread(target=cron._repeat, args=(periodic, stopped)) for _ in range(2)]
    begun = time.monotonic()
    for thread in crons:
        thread.start()
    time.sleep(4.3)
    stopped.set()
    for thread in crons:
        thread.join()

    seconds = time.monotonic() - begun
    assert 2 <= len(runs) <= seconds / 0.9 + 1


@pytest.mark.django_db
def test_every_job_of_the_list_runs(caplog):
    """All of them on an empty house: none may fail."""
    assert [run_once(periodic) for periodic in cron.PERIODIC] == [True] * len(cron.PERIODIC)

    assert caplog.records == []
    assert Heartbeat.objects.filter(role=cron.ROLE).count() == len(cron.PERIODIC)


@pytest.mark.django_db
def test_clean_up_drops_what_is_over_and_nothing_else():
    order = factories.reserved_order()
    Effect.objects.all().delete()
    for key, state, days in (("old", "done", 91), ("young", "done", 1), ("dead", "dead", 91)):
        outbox.add("test", key=key, order=order)
        Effect.objects.filter(key=key).update(state=state, created_at=clock.now() - timedelta(days=days))
    Session.objects.create(session_key="over", session_data="", expire_date=clock.now() - timedelta(days=1))
    Heartbeat.objects.create(name="gone@host:1", role="worker", beat_at=clock.now() - timedelta(days=2))

    cron._clean_up()

    assert sorted(Effect.objects.values_list("key", flat=True)) == ["dead", "young"]
    assert (Session.objects.count(), Heartbeat.objects.filter(role="worker").count()) == (0, 0)


@pytest.mark.django_db
def test_a_broken_promise_is_an_error_in_the_log(caplog):
    order = factories.reserved_order()
    order.event.quotas.update(taken=0)

    cron._check_invariants()

    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.django_db(transaction=True)
def test_command_runs_beats_and_drains_on_sigterm():
    environment = {**os.environ, "DATABASE_URL": _test_database_url(), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, ROOT / "manage.py", "cron"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        deadline = time.monotonic() + 120  # it loads for half a minute where others want the machine
        while time.monotonic() < deadline and not (
            Heartbeat.objects.filter(role="cron").exists() and Heartbeat.objects.filter(name="queue.sweep").exists()
        ):
            time.sleep(0.2)
        assert Heartbeat.objects.filter(role="cron").count() == 1
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=120)

    assert process.returncode == 0, output.decode()
    assert b"queue.sweep" in output
    assert not Heartbeat.objects.filter(role="cron").exists()


def _test_database_url() -> str:
    settings = connection.settings_dict
    return (
        f"postgres://{settings['USER']}:{settings['PASSWORD']}@{settings['HOST']}:{settings['PORT']}/{settings['NAME']}"
    )
