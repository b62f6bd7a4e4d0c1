"""`manage.py cron`: run every periodic job of `config.cron`, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from config import cron


class Command(BaseCommand):
    help = "Run the periodic jobs: sweep queue and outbox, catch up with payments, check promises, clean up."

    def handle(self, *args: Any, **options: Any) -> None:
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        for periodic in cron.PERIODIC:
            self.stdout.write(f"every {periodic.every_seconds} s  {periodic.name}")
        cron.run_forever(stopped)
