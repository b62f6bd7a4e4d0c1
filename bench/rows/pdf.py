"""How fast PDF tickets are made, by the pipeline that makes them: from rows in the database to files in the storage.

CPU time of this process and of its renderer, whose start is counted neither here nor in a worker that runs all day.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from unittest.mock import patch

import psutil

from bench.frame import Figure, Row
from bench.house import House

TICKETS = 60
ROUNDS = 5


def measure(house: House) -> Sequence[Figure]:
    """An order of 60 tickets with two choices each, as one file and as one file for each ticket."""
    from apps.ticketing import checkout, documents, ordering, outbox, queue
    from apps.ticketing.documents import files
    from apps.ticketing.models import Order
    from apps.ticketing.payments import settle
    from tests import factories

    event = factories.event(title_en="Lucia dinner 2026", venue="Kårhuset", venue_address="Campusvägen 1, Linköping")
    kind = factories.ticket_type(event, factories.quota(event, TICKETS), max_per_order=TICKETS, minimum_age=18)
    beverage = factories.choice(factories.variation(kind, name_en="Beverage"), name_en="Free of alcohol")
    food = factories.choice(factories.variation(kind, name_en="Food"), name_en="Vegetarian")
    with patch.object(ordering, "HIGHEST_NUMBER_OF_TICKETS", TICKETS):  # fewer, for buyers
        order = factories.order(event, factories.wanted(kind, TICKETS, (beverage, 1), (food, 1)))
    queue.drain(event.pk)
    checkout.accept(order, name="Alva Exempelsson", terms=checkout.terms_of(event))
    due = factories.payment(Order.objects.get(pk=order.pk))
    settle.settle(factories.notice(due), provider=due.provider)

    def make(one_file_per_ticket: bool) -> tuple[float, int]:
        """CPU seconds and bytes of all files of the order."""
        type(event).objects.filter(pk=event.pk).update(one_file_per_ticket=one_file_per_ticket)
        files.forget(order.public_id)
        documents.wanted(order)
        begun = _cpu_seconds()
        outbox.run_all(kinds=[documents.KIND])
        seconds = _cpu_seconds() - begun
        made = [documents.read(file) or b"" for file in documents.files_of(order)]
        assert all(made), "not every file was made"
        return seconds, sum(map(len, made))

    assert documents.problem() == "", documents.problem()
    make(False)
    together = [make(False) for _ in range(ROUNDS)]
    make(True)
    apart = [make(True) for _ in range(ROUNDS)]
    kept = files.storage().listdir(files.folder_of(order.public_id))[1]
    assert len(kept) == TICKETS, f"{len(kept)} files lie in the storage"
    shutil.rmtree(files.storage().path(""))
    return (
        Figure("tickets in one tagged file", _rate(together), "per CPU second", at_least=25, aim=40),
        Figure("one tagged file for each ticket", _rate(apart), "per CPU second", at_least=15),
        Figure("a ticket in one file", together[0][1] / TICKETS / 1000, "kB", at_most=15),
        Figure("a file of one ticket", apart[0][1] / TICKETS / 1000, "kB"),
    )


def _rate(rounds: Sequence[tuple[float, int]]) -> float:
    """The median's."""
    return TICKETS / sorted(seconds for seconds, _size in rounds)[len(rounds) // 2]


def _cpu_seconds() -> float:
    process = psutil.Process(os.getpid())
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(one.user + one.system for one in times)


ROW = Row(
    name="pdf",
    what=f"PDF tickets of an order of {TICKETS}, from its rows to its files, with the renderer's time",
    measure=measure,
)
