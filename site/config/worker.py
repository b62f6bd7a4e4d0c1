"""The RQ worker of the house: no fork per job, jobs in JSON, and a sign of life in PostgreSQL.

    manage.py rqworker --worker-class config.worker.FoyerWorker purchases

It works in its own process (a fork per job costs twenty times more), beats every ten seconds between jobs, and every
half minute looks for jobs that a killed colleague left behind. SIGTERM lets it finish the job in hand. RQ's own worker
quits when Redis hangs up while it keeps its accounts of a job; this one goes on, since a job is only a wake-up.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, close_old_connections
from redis.exceptions import RedisError
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.worker import SimpleWorker

from config import heartbeats
from config.collector import leave_alone_what_is_loaded

log = logging.getLogger(__name__)

# RQ waits that long minus 15 seconds for a job, and beats after each wait.
WORKER_TTL_SECONDS = 25
MAINTENANCE_SECONDS = 30


@contextmanager
def _going_on_without_redis(what: str) -> Iterator[None]:
    """What is to be done stands in PostgreSQL: an error of Redis is logged, and the next look tells if it is back."""
    try:
        yield
    except (RedisError, OSError) as error:
        log.warning("%s, Redis does not answer: %s", what, type(error).__name__)


class FoyerWorker(SimpleWorker):
    """RQ's SimpleWorker with our habits."""

    _beat_at = 0.0
    max_connection_wait_time = 4.0  # seconds between two looks whether Redis is back; RQ's minute would be a buyer's

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {
            "worker_ttl": WORKER_TTL_SECONDS,
            "maintenance_interval": MAINTENANCE_SECONDS,
            "serializer": JSONSerializer,
            "log_job_description": False,
        }
        super().__init__(*args, **kwargs)
        self.log_result_lifespan = False

    def work(self, *args: Any, **kwargs: Any) -> bool:
        leave_alone_what_is_loaded()
        return super().work(*args, **kwargs)

    @property
    def beat_name(self) -> str:
        return heartbeats.own_name("+".join(self.queue_names()))

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        with _going_on_without_redis("no heartbeat"):
            super().heartbeat(*args, **kwargs)
        self._beat()

    def set_state(self, *args: Any, **kwargs: Any) -> None:
        with _going_on_without_redis("nobody knows what this worker does"):
            super().set_state(*args, **kwargs)

    def check_for_suspension(self, burst: bool) -> None:
        with _going_on_without_redis("nobody suspends this worker"):
            super().check_for_suspension(burst)

    def run_maintenance_tasks(self) -> None:
        with _going_on_without_redis("lost jobs are looked for later"):
            super().run_maintenance_tasks()

    def execute_job(self, job: Job, queue: Queue) -> None:
        with _going_on_without_redis(f"no account is kept of job {job.id}"):
            super().execute_job(job, queue)

    def _beat(self) -> None:
        if time.monotonic() - self._beat_at < heartbeats.EVERY_SECONDS / 2:
            return
        self._beat_at = time.monotonic()
        try:
            heartbeats.beat(self.beat_name, "worker")
        except DatabaseError as error:
            log.warning("no heartbeat, the database does not answer: %s", type(error).__name__)

    def perform_job(self, job: Job, *args: Any, **kwargs: Any) -> bool:
        """One job on a database connection that is known to be alive."""
        close_old_connections()
        try:
            return super().perform_job(job, *args, **kwargs)
        finally:
            close_old_connections()

    def register_death(self) -> None:
        super().register_death()
        try:
            heartbeats.end(self.beat_name)
        except DatabaseError as error:
            log.warning("the last heartbeat stays: %s", type(error).__name__)
