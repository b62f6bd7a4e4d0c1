"""The outbox: what is written with its cause happens, once its cause has happened, and not twice for nothing."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from redis.exceptions import ConnectionError as RedisConnectionError

from apps.accounts.request_ids import current_request_id, request_id
from apps.ticketing import clock, jobs, outbox
from apps.ticketing.extensions import UnknownOutcome
from apps.ticketing.models import Effect
from apps.ticketing.transitions import lease
from tests.clock import clock_moved

KIND = "test.effect"


class Recorder:
    """Carries out effects of the kind under test: notes each, and does what `behave` says."""

    def __init__(self, behave=None):
        self.seen: list[str] = []
        self.request_ids: list[str] = []
        self.behave = behave or (lambda effect: None)
        self._lock = threading.Lock()

    def __call__(self, effect: Effect) -> None:
        with self._lock:
            self.seen.append(effect.key)
            self.request_ids.append(current_request_id())
        self.behave(effect)


@pytest.fixture
def carried_out():
    """Registers a recorder for the test; `.behave` may be replaced."""
    recorder = Recorder()
    with outbox.handlers.temporarily(outbox.Handler(KIND, recorder)):
        yield recorder


@pytest.fixture
def rung(monkeypatch):
    """The jobs the bell was rung for, instead of a bell."""
    calls: list[tuple[str, list[int], str]] = []
    monkeypatch.setattr(jobs, "ring", lambda job, ids, queue="default", **_: calls.append((job, list(ids), queue)))
    monkeypatch.setattr(jobs, "waiting", lambda queue: 0)
    return calls


def add(key="one", **values) -> Effect:
    with transaction.atomic():
        outbox.add(KIND, key=key, **values)
    return Effect.objects.get(key=key)


def states() -> dict[str, str]:
    return dict(Effect.objects.filter(kind=KIND).values_list("key", "state"))


@pytest.mark.django_db
def test_add_is_a_no_op_for_a_known_key():
    first = add(payload={"n": 1})

    with transaction.atomic():
        is_new = outbox.add(KIND, key="one", payload={"n": 2})

    assert not is_new
    assert list(Effect.objects.filter(kind=KIND).values_list("pk", "payload")) == [(first.pk, {"n": 1})]


@pytest.mark.django_db(transaction=True)
def test_add_refuses_to_stand_outside_the_transaction_of_its_cause():
    with pytest.raises(outbox.OutsideTransaction):
        outbox.add(KIND, key="one")


@pytest.mark.django_db(transaction=True)
def test_add_rings_after_commit_only_and_not_for_a_later_moment(rung):
    with transaction.atomic():
        outbox.add(KIND, key="now", queue="documents")
        outbox.add(KIND, key="later", due_at=clock.now() + timedelta(minutes=1))
        assert rung == []

    assert rung == [("run_effect", [Effect.objects.get(key="now").pk], "documents")]


@pytest.mark.django_db(transaction=True)
def test_effects_of_one_queue_are_rung_for_at_once(rung):
    with transaction.atomic():
        outbox.add(KIND, key="a", queue="documents")
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            outbox.add(KIND, key="given up", queue="documents")
            raise ZeroDivisionError
        outbox.add(KIND, key="c")
        with transaction.atomic(savepoint=False):
            outbox.add(KIND, key="b", queue="documents")

    ids = dict(Effect.objects.values_list("key", "pk"))
    assert rung == [("run_effect", [ids["a"], ids["b"]], "documents"), ("run_effect", [ids["c"]], "default")]


@pytest.mark.django_db(transaction=True)
def test_add_that_is_rolled_back_leaves_nothing(rung):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        outbox.add(KIND, key="one")
        raise ZeroDivisionError

    assert (states(), rung) == ({}, [])


@pytest.mark.django_db(transaction=True)
def test_add_survives_a_dead_redis(monkeypatch, caplog):
    def refuse(name):
        raise RedisConnectionError("away")

    monkeypatch.setattr(jobs, "queue_of", refuse)

    effect = add()

    assert effect.state == "due"
    assert "out of order" in caplog.text


@pytest.mark.django_db
def test_run_carries_out_and_records_under_the_request_id_of_the_cause(carried_out):
    with request_id("the-cause"):
        effect = add()

    assert outbox.run(effect.pk)

    effect.refresh_from_db()
    assert (effect.state, effect.tries, effect.last_error, effect.leased_until) == ("done", 1, "", None)
    assert carried_out.request_ids == ["the-cause"]


@pytest.mark.django_db
def test_run_of_a_done_or_unknown_effect_does_nothing(carried_out):
    effect = add()
    outbox.run(effect.pk)

    assert [outbox.run(effect.pk), outbox.run(effect.pk + 1)] == [False, False]
    assert carried_out.seen == ["one"]


@pytest.mark.django_db
def test_run_waits_for_its_moment_unless_told_not_to(carried_out):
    effect = add(due_at=clock.now() + timedelta(minutes=1))

    assert not outbox.run(effect.pk)
    assert outbox.run(effect.pk, early=True)
    assert carried_out.seen == ["one"]


@pytest.mark.django_db(transaction=True)
def test_run_refuses_inside_a_transaction(carried_out):
    effect = add()

    with transaction.atomic(), pytest.raises(RuntimeError):
        outbox.run(effect.pk)

    assert carried_out.seen == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("error", "state"), [(ValueError("broken"), "due"), (UnknownOutcome("time-out"), "unknown")], ids=["error", "lost"]
)
def test_run_tries_again_later_after(carried_out, error, state):
    def fail(effect):
        raise error

    carried_out.behave = fail
    effect = add()
    before = clock.now()

    outbox.run(effect.pk)

    effect.refresh_from_db()
    assert (effect.state, effect.tries) == (state, 1)
    assert effect.last_error == f"{type(error).__name__}: {error}"
    assert timedelta(seconds=2) < effect.due_at - before < timedelta(seconds=9)


@pytest.mark.django_db
def test_run_gives_up_after_the_last_try_and_says_so(carried_out, caplog):
    def fail(effect):
        raise ValueError("broken")

    carried_out.behave = fail
    effect = add()
    Effect.objects.filter(pk=effect.pk).update(tries=outbox.TRIES - 1)

    outbox.run(effect.pk)

    assert states() == {"one": "dead"}
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert not outbox.run(effect.pk)


@pytest.mark.django_db
def test_run_keeps_an_effect_whose_plugin_is_gone():
    effect = add()

    outbox.run(effect.pk)

    assert states() == {"one": "due"}


@pytest.mark.django_db
def test_not_yet_is_tried_soon_and_is_no_error(carried_out, caplog):
    def wait(effect):
        raise outbox.NotYet("something else first", seconds=3)

    carried_out.behave = wait
    effect = add()
    before = clock.now()

    outbox.run(effect.pk)

    effect.refresh_from_db()
    assert (effect.state, effect.tries, effect.last_error) == ("due", 0, "")
    assert timedelta(seconds=2) < effect.due_at - before < timedelta(seconds=4)
    assert [record for record in caplog.records if record.levelname != "INFO"] == []


@pytest.mark.django_db
def test_waiting_leaves_all_tries_for_what_fails_and_the_first_pause_short(carried_out):
    def wait(effect):
        raise outbox.NotYet("something else first")

    def fail(effect):
        raise ValueError("a hiccup")

    effect = add()
    carried_out.behave = wait
    for _ in range(40):
        outbox.run(effect.pk, early=True)
    carried_out.behave = fail
    before = clock.now()
    outbox.run(effect.pk, early=True)

    effect.refresh_from_db()
    assert (effect.state, effect.tries) == ("due", 1)
    assert effect.due_at - before < timedelta(seconds=9)


@pytest.mark.django_db
def test_waiting_ends_some_day(carried_out):
    def wait(effect):
        raise outbox.NotYet("something else first", seconds=7200)

    carried_out.behave = wait
    effect = add()

    with clock_moved(timedelta(days=outbox.WAIT_DAYS, minutes=1)):
        outbox.run(effect.pk, early=True)
        effect.refresh_from_db()
        assert (effect.state, effect.tries) == ("due", 1)
        assert effect.due_at - clock.now() > timedelta(minutes=119)
        for _ in range(outbox.TRIES - 1):
            outbox.run(effect.pk, early=True)

    assert states() == {"one": "dead"}


@pytest.mark.django_db
def test_what_is_dear_to_repeat_says_itself_how_often_and_when(carried_out):
    def fail(effect):
        raise outbox.Failed("too large", seconds=3600, tries=2)

    carried_out.behave = fail
    effect = add()

    outbox.run(effect.pk)
    effect.refresh_from_db()
    assert (effect.state, effect.tries, effect.last_error) == ("due", 1, "Failed: too large")
    assert effect.due_at - clock.now() > timedelta(minutes=59)
    outbox.run(effect.pk, early=True)

    assert states() == {"one": "dead"}


@pytest.mark.parametrize("tries", [1, 2, 5, 29])
def test_pauses_double_up_to_an_hour_and_spread(tries):
    middle = min(5 * 2 ** (tries - 1), 3600)

    pauses = {outbox.pause_seconds(tries) for _ in range(200)}

    assert middle * 0.5 <= min(pauses) < max(pauses) <= middle * 1.5
    assert len(pauses) > 100


@pytest.mark.django_db(transaction=True)
def test_effect_is_finished_with_what_came_of_it_or_not_at_all(carried_out):
    def carry_out(effect):
        with transaction.atomic():
            Effect.objects.filter(pk=effect.pk).update(request_id=f"try-{effect.tries}")
            outbox.finish(effect)
            if effect.tries == 1:
                raise ZeroDivisionError

    carried_out.behave = carry_out
    effect = add()

    outbox.run(effect.pk)
    effect.refresh_from_db()
    first = (effect.state, effect.tries, effect.request_id.startswith("try"))
    outbox.run(effect.pk, early=True)
    effect.refresh_from_db()

    assert first == ("due", 1, False)
    assert (effect.state, effect.tries, effect.request_id, effect.leased_until) == ("done", 2, "try-2", None)


@pytest.mark.django_db
def test_sweep_brings_back_what_a_dead_worker_held(carried_out, rung):
    effect = add()
    assert lease(effect.pk, outbox.LEASE_SECONDS, early=False, seconds_of={})

    outbox.sweep()
    assert states() == {"one": "leased"}

    with clock_moved(timedelta(seconds=outbox.LEASE_SECONDS + 1)):
        outbox.sweep()
        assert states() == {"one": "due"}
        assert rung == [("run_effect", [effect.pk], "default")]
        assert outbox.run(effect.pk)

    assert carried_out.seen == ["one"]


@pytest.mark.django_db
def test_sweep_asks_again_about_an_unknown_outcome(carried_out, rung):
    def lose(effect):
        raise UnknownOutcome

    carried_out.behave = lose
    effect = add()
    outbox.run(effect.pk)

    with clock_moved(timedelta(seconds=10)):
        outbox.sweep()

        assert states() == {"one": "due"}
        assert rung == [("run_effect", [effect.pk], "default")]


@pytest.mark.django_db
def test_sweep_leaves_a_long_queue_alone(carried_out, rung, monkeypatch):
    add()
    monkeypatch.setattr(jobs, "waiting", lambda queue: outbox.RUNG_AT_ONCE)

    outbox.sweep()

    assert rung == []


@pytest.mark.django_db
def test_result_of_whoever_outlived_the_lease_is_not_recorded(carried_out, rung, caplog):
    """The first runner is slower than its lease; a second one has taken over when it comes to its end."""
    taken_over: list[Effect] = []

    def outlive(effect):
        if not taken_over:
            Effect.objects.filter(pk=effect.pk).update(leased_until=clock.now() - timedelta(seconds=1))
            outbox.sweep()
            again = lease(effect.pk, outbox.LEASE_SECONDS, early=False, seconds_of={})
            assert again is not None
            taken_over.append(again)
            raise ValueError("the first runner's error")

    carried_out.behave = outlive
    effect = add()

    outbox.run(effect.pk)

    effect.refresh_from_db()
    assert (effect.state, effect.tries, effect.last_error) == ("leased", 2, "")
    assert "outlived its lease" in caplog.text
    outbox._record(taken_over[0], "done")
    assert states() == {"one": "done"}


@pytest.mark.django_db(transaction=True)
def test_two_runners_at_once_carry_an_effect_out_once(carried_out):
    carried_out.behave = lambda effect: time.sleep(0.05)
    effects = [add(key=f"effect-{number}") for number in range(10)]
    start = threading.Barrier(4)

    def run() -> None:
        start.wait()
        for effect in effects:
            outbox.run(effect.pk)
        connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(carried_out.seen) == sorted(effect.key for effect in effects)
    assert set(states().values()) == {"done"}


@pytest.mark.django_db(transaction=True)
def test_two_sweepers_at_once_share_the_lapsed_leases(rung):
    for number in range(20):
        assert lease(add(key=f"effect-{number}").pk, outbox.LEASE_SECONDS, early=False, seconds_of={})
    Effect.objects.update(leased_until=clock.now() - timedelta(seconds=1))
    failed: list[Exception] = []
    start = threading.Barrier(3)

    def sweep() -> None:
        start.wait()
        try:
            outbox.sweep()
        except Exception as error:
            failed.append(error)
        connections.close_all()

    threads = [threading.Thread(target=sweep) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert set(states().values()) == {"due"}
    assert set(Effect.objects.values_list("tries", flat=True)) == {1}


@pytest.mark.django_db(transaction=True)
def test_bell_is_heard_by_a_worker(carried_out):
    """Over the real Redis: the job that the bell leaves carries the effect out."""
    from config.worker import FoyerWorker

    queue = jobs.queue_of("default")
    queue.empty()
    effect = add()

    assert queue.count == 1
    FoyerWorker([queue], connection=queue.connection).work(burst=True, logging_level="ERROR")

    effect.refresh_from_db()
    assert (effect.state, carried_out.seen) == ("done", ["one"])
    assert queue.count == 0
    assert connection.is_usable()
