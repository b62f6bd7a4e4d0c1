"""One worker that is paused: `python -m tests.concurrency.pausing ROLE EVENT` drains until it is killed.

`worker` drains as it should; `careless` looks whether the sale goes on before it takes the event's lock, not after.
"""

from __future__ import annotations

import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from apps.ticketing import event_lock, queue, sale_control  # noqa: E402


def look_then_lock(event_id: int, *, past_the_sale: bool = False) -> bool:
    goes_on = not sale_control.state_of(event_id).stops
    time.sleep(0.05)
    event_lock.take(event_id)
    time.sleep(0.05)  # so that a pause that returned meanwhile has been looked at
    return goes_on


if __name__ == "__main__":
    queue.BATCH = 5
    if sys.argv[1] == "careless":
        queue._lock_event = look_then_lock
    while True:
        queue.drain(int(sys.argv[2]))
        time.sleep(0.005)
