"""LiU's login hangs for everybody who tries it during a rush: whoever buys without it is decided as fast as ever.

The site and the login are processes of their own. Students press the button again every few seconds, as people do, and
as often when it works; guests order over HTTP meanwhile. Rounds with a login that answers and rounds with one that
hangs take turns, so that the machine's moods meet both.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

import pytest

from apps.ticketing import queue
from apps.ticketing.models import Order
from bench import selling
from tests.concurrency.campus import LANDED, by_provider, site
from tests.concurrency.forks import forked, on_connections_of_its_own
from tests.identity.client import Identity, running
from tests.proofs import Proof

pytestmark = pytest.mark.django_db(transaction=True)

BUYERS_AT_ONCE = 4
EVERY_SECONDS = 5.0
MOST_SLOWER = 1.10
GIVEN_UP = "401"


def worker(event_id: int, stop: Path) -> None:
    """A worker on `purchases`, in a process of its own: serves the event's queue until it is told to stop."""
    while not stop.exists():
        queue.drain(event_id)
        time.sleep(0.01)


@contextmanager
def students(address: str, at_once: int) -> Iterator[list[str]]:
    """So many people at a time sign in with LiU, others every few seconds, while the block runs: where each
    landed."""
    landed: list[str] = []
    over = threading.Event()

    def sign_in_again_and_again(first: int) -> None:
        number = first
        while not over.is_set():
            begun = time.monotonic()
            landed.append(by_provider(address, number))
            number += at_once
            over.wait(max(0.0, begun + EVERY_SECONDS - time.monotonic()))

    with ThreadPoolExecutor(at_once) as pool:
        trying = [pool.submit(sign_in_again_and_again, number) for number in range(at_once)]
        try:
            yield landed
        finally:
            over.set()
    for one in trying:
        one.result()


def seconds_to_be_decided(address: str, shop: selling.Shop, number: int) -> list[float]:
    """How long each of so many orders took from being sent to being decided, the slowest last."""

    def buy(numbers: range) -> list[float]:
        guest, took = selling.Guest(address, shop), []
        for one in numbers:
            wish = guest.choose(f"guest-{one}@example.org")
            begun = time.monotonic()
            selling.wait_until_decided(guest.send(wish), seconds=60, every_seconds=0.005)
            took.append(time.monotonic() - begun)
        return took

    turns = [partial(buy, range(first, number, BUYERS_AT_ONCE)) for first in range(BUYERS_AT_ONCE)]
    with ThreadPoolExecutor(BUYERS_AT_ONCE) as pool:
        return sorted(one for took in pool.map(on_connections_of_its_own, turns) for one in took)


def round_of(identity: Identity, address: str, mode: str, number: int, stop: Path) -> tuple[list[float], Counter[str]]:
    """The seconds that each order took, and where those who signed in meanwhile landed."""
    identity.order(clear=True)
    if mode == "hangs":
        identity.order(trouble="hang", seconds=30)
    shop = selling.open_shop(places=number)
    with forked([partial(worker, shop.event.pk, stop)]):
        try:
            with students(address, at_once=max(4, number // 10)) as landed:
                took = seconds_to_be_decided(address, shop, number)
        finally:
            stop.touch()
    assert Counter(Order.objects.filter(event=shop.event).values_list("state", flat=True)) == {"reserved": number}
    return took, Counter(landed)


@pytest.mark.proof(
    "login_out",
    what="While LiU's login hangs for everybody who tries it, orders are decided within 10 % of the normal time",
    full=500,
    small=20,
)
def test_orders_are_decided_in_time_while_a_login_hangs(proof: Proof, tmp_path: Path) -> None:
    seconds: dict[str, list[float]] = {"answers": [], "hangs": []}
    signing_in: dict[str, Counter[str]] = {"answers": Counter(), "hangs": Counter()}
    with running() as identity, site(tmp_path / "log", identity.url) as address:
        for number in range(4 if proof.size == "full" else 1):
            for mode in ("answers", "hangs") if number % 2 else ("hangs", "answers"):
                took, landed = round_of(identity, address, mode, proof.n, tmp_path / f"{number}-{mode}")
                seconds[mode] += took
                signing_in[mode] += landed

    assert signing_in["answers"].keys() == {LANDED} and signing_in["hangs"].keys() == {GIVEN_UP}
    ratio = median(seconds["hangs"]) / median(seconds["answers"])
    proof.record(
        orders_of_each=len(seconds["answers"]),
        signed_in=signing_in["answers"][LANDED],
        given_up=signing_in["hangs"][GIVEN_UP],
        median_ms_with_login=round(median(seconds["answers"]) * 1000, 1),
        median_ms_without=round(median(seconds["hangs"]) * 1000, 1),
        ratio_of_medians=round(ratio, 3),
        slowest_ms_without=round(max(seconds["hangs"]) * 1000),
    )
    if proof.size == "full":
        assert ratio <= MOST_SLOWER
