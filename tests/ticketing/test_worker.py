"""The worker: beats while it lives, keeps its hands off pickles, and survives a lost database connection."""

from __future__ import annotations

import pytest
from config import heartbeats
from config.worker import FoyerWorker
from django.db import connection, transaction
from rq.serializers import JSONSerializer

from apps.ticketing import jobs, outbox
from apps.ticketing.models import Effect, Heartbeat

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def queue():
    found = jobs.queue_of("documents")
    found.empty()
    yield found
    found.empty()


def worker(*queues):
    return FoyerWorker(list(queues), connection=queues[0].connection)


def test_worker_beats_under_the_names_of_its_queues(queue):
    working = worker(jobs.queue_of("default"), queue)
    working.heartbeat()

    row = Heartbeat.objects.get()
    assert row.role == "worker"
    assert row.name.startswith("default+documents@")


def test_worker_takes_its_row_away_when_it_ends(queue):
    worker(queue).work(burst=True, logging_level="ERROR")

    assert not Heartbeat.objects.exists()


def test_worker_does_not_write_a_row_for_every_job(queue, django_assert_num_queries):
    working = worker(queue)
    working.heartbeat()

    with django_assert_num_queries(0):
        working.heartbeat()


def test_worker_waits_no_longer_than_a_beat(queue):
    assert worker(queue).dequeue_timeout <= heartbeats.EVERY_SECONDS


def test_jobs_are_json(queue):
    jobs.ring("run_effect", [42], queue="documents")

    job = queue.jobs[0]
    assert isinstance(worker(queue).serializer(), JSONSerializer)
    assert (job.func_name, job.args, job.timeout) == ("apps.ticketing.jobs.run_effect", [42], 300)
    assert b"42" in queue.serializer.dumps(job.args)


def test_worker_goes_on_after_the_database_went_away(queue):
    with outbox.handlers.temporarily(outbox.Handler("test", lambda effect: None)):
        with transaction.atomic():
            outbox.add("test", key="one", queue="documents")
        connection.connection.close()  # as a restarted server leaves it: Django still believes in it

        worker(queue).work(burst=True, logging_level="ERROR")

    assert Effect.objects.get().state == "done"
    assert (queue.count, queue.failed_job_registry.count) == (0, 0)
