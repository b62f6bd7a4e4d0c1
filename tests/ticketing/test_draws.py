"""The draw: who enters in time is ranked at random, once, in a way that anybody can check."""

from __future__ import annotations

import json
import math
import secrets
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.events.models import Event
from apps.ticketing import catalogue, clock, draws, ordering, queue, reasons
from apps.ticketing.models import Draw, Order, TicketType
from tests import factories
from tests.clock import clock_moved
from tests.proofs import Proof

CHECKER = Path(__file__).resolve().parents[2] / "apps/ticketing/static/ticketing/check_draw.py"
WINDOW = timedelta(hours=1)
AFTER = WINDOW + timedelta(seconds=draws.GRACE_SECONDS + 1)


@pytest.fixture
def event(db: None) -> Event:
    return factories.event()


@pytest.fixture
def dinner(event: Event) -> TicketType:
    return factories.ticket_type(event, factories.quota(event, 3))


@pytest.fixture
def draw(event: Event, dinner: TicketType) -> Draw:
    return draws.set_up(event, clock.now() + WINDOW)


def enter(event: Event, dinner: TicketType, number: int = 1) -> list[Order]:
    return [factories.order(event, factories.wanted(dinner), email=f"guest{n}@example.org") for n in range(number)]


def checked(published: dict[str, Any], folder: Path, *noted: str) -> tuple[int, str]:
    """The verdict of the stand-alone script, run as its reader would."""
    path = folder / "draw.json"
    path.write_text(json.dumps(published))
    done = subprocess.run([sys.executable, "-I", CHECKER, path, *noted], capture_output=True, text=True)
    return done.returncode, done.stdout


def test_entries_wait_without_a_rank_until_the_draw(event: Event, dinner: TicketType, draw: Draw) -> None:
    order = enter(event, dinner)[0]

    queue.drain_all()

    order.refresh_from_db()
    assert (order.state, order.rank, order.draw) == ("queued", None, draw)
    assert draws.hold(draw) is False


def test_draw_ranks_every_entry_and_the_queue_serves_them_in_that_order(
    event: Event, dinner: TicketType, draw: Draw
) -> None:
    orders = enter(event, dinner, 8)

    with clock_moved(AFTER):
        queue.sweep()
        queue.drain_all()

    draw.refresh_from_db()
    drawn = draws.in_drawn_order(bytes.fromhex(draw.seed), [order.public_id for order in orders])
    by_rank = list(event.orders.order_by("rank"))
    assert [order.public_id for order in by_rank] == drawn
    assert [order.draw_rank for order in by_rank] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [order.state for order in by_rank] == ["reserved"] * 3 + ["waiting"] * 5
    assert draw.entries == 8


def test_late_comers_come_after_every_entry_in_the_order_they_came(
    event: Event, dinner: TicketType, draw: Draw
) -> None:
    entries = enter(event, dinner, 3)
    with clock_moved(WINDOW):  # closed, and not drawn yet
        late = [factories.order(event, factories.wanted(dinner), email=f"late{n}@example.org") for n in range(2)]
    with clock_moved(AFTER):
        draws.hold_due()
        last = factories.order(event, factories.wanted(dinner), email="last@example.org")

    ranked = list(event.orders.order_by("rank").values_list("pk", flat=True))
    assert set(ranked[:3]) == {order.pk for order in entries}
    assert ranked[3:] == [late[0].pk, late[1].pk, last.pk]
    assert [order.draw_rank for order in event.orders.filter(pk__in=ranked[3:])] == [None, None, None]


def test_order_that_met_an_old_catalogue_is_ranked_by_the_next_sweep(
    event: Event, dinner: TicketType, draw: Draw
) -> None:
    with clock_moved(AFTER):
        draws.hold_due()
        order = enter(event, dinner)[0]
        Order.objects.filter(pk=order.pk).update(draw=draw, rank=None)

        draws.hold_due()

    order.refresh_from_db()
    assert order.rank is not None
    assert order.draw_rank is None


def test_draw_is_held_once(event: Event, dinner: TicketType, draw: Draw) -> None:
    enter(event, dinner, 5)
    with clock_moved(AFTER):
        draws.hold(draw)
        first = list(event.orders.order_by("pk").values_list("rank", "draw_rank"))
        draws.hold(draw)

    assert list(event.orders.order_by("pk").values_list("rank", "draw_rank")) == first


def _hold_twice_at_once(monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Two crons come for the draw at the same moment: (entries, ranks that were given away)."""
    event = factories.event()
    enter(event, factories.ticket_type(event, factories.quota(event, 3)), 1)  # takes the first rank
    other = factories.event()
    kind = factories.ticket_type(other, factories.quota(other, 3))
    draw = draws.set_up(other, clock.now() + WINDOW)
    orders = enter(other, kind, 12)
    both_read = threading.Barrier(2)
    in_drawn_order = draws.in_drawn_order

    def slowly(*arguments: Any) -> Any:
        with suppress(threading.BrokenBarrierError):
            both_read.wait(timeout=0.5)  # where nobody stops the second, both draw here
        return in_drawn_order(*arguments)

    def hold() -> None:
        try:
            draws.hold(draw)
        finally:
            connection.close()

    monkeypatch.setattr(draws, "in_drawn_order", slowly)
    with clock_moved(AFTER), ThreadPoolExecutor(2) as crons:
        for done in [crons.submit(hold) for _ in range(2)]:
            done.result()
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('ticketing_rank')")
        after = cursor.fetchone()[0]
    return len(orders), after - 1 - event.orders.get().rank


@pytest.mark.django_db(transaction=True)
def test_two_crons_at_once_draw_once(monkeypatch: pytest.MonkeyPatch) -> None:
    entries, ranks = _hold_twice_at_once(monkeypatch)

    assert ranks == entries


@pytest.mark.django_db(transaction=True)
def test_two_crons_at_once_would_draw_twice_without_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(Draw.objects, "select_for_update", Draw.objects.all)

    entries, ranks = _hold_twice_at_once(monkeypatch)

    assert ranks == 2 * entries


def test_draw_that_was_held_is_not_opened_again_for_those_who_bought_since(
    event: Event, dinner: TicketType, draw: Draw
) -> None:
    with clock_moved(AFTER):
        assert draws.hold(draw)
        with pytest.raises(draws.AlreadyHeld):
            draws.set_up(event, clock.now() + WINDOW)
        order = enter(event, dinner)[0]

    draw.refresh_from_db()
    assert draw.drawn_at is not None and draw.entries == 0
    assert (order.draw, order.rank is None) == (None, False)


def test_draw_that_cannot_be_held_stops_no_other_sale(event: Event, dinner: TicketType, draw: Draw) -> None:
    """Its seed is lost: its entries wait, and so does nobody else."""
    entered = enter(event, dinner)[0]
    other = factories.event()
    draws.set_up(other, clock.now() + WINDOW)
    kind = factories.ticket_type(other, factories.quota(other, 1))
    lucky = enter(other, kind)[0]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ticketing_draw SET seed = 'broken' WHERE id = %s", [draw.pk])

    with clock_moved(AFTER):
        queue.sweep()
        queue.drain_all()

    lucky.refresh_from_db()
    entered.refresh_from_db()
    assert (lucky.state, entered.state, entered.rank) == ("reserved", "queued", None)


def test_page_of_an_entry_reads_no_seed(event: Event, dinner: TicketType, draw: Draw, client: Client) -> None:
    order = enter(event, dinner)[0]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ticketing_draw SET seed = 'broken' WHERE id = %s", [draw.pk])

    for address in (
        reverse("ticketing:form", args=[event.public_id]),
        reverse("ticketing:order", args=[order.reference, order.secret]),
    ):
        assert client.get(address).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_draw_removed_behind_an_old_catalogue_is_no_draw() -> None:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 3))
    draw = draws.set_up(event, clock.now() + WINDOW)
    catalogue.load(event.pk)
    Draw.objects.filter(pk=draw.pk)._raw_delete("default")  # by another process: this one's catalogue still has it

    order = enter(event, kind)[0]

    assert order.draw is None and order.rank is not None


def test_one_entry_per_person(event: Event, dinner: TicketType, draw: Draw) -> None:
    order = enter(event, dinner)[0]

    with pytest.raises(ordering.Refused) as refused:
        factories.order(event, factories.wanted(dinner), email="GUEST0@example.org")

    assert [(problem.where, problem.reason) for problem in refused.value.problems] == [("email", reasons.IN_DRAW)]
    assert event.orders.count() == 1
    assert ordering.cancel(order)
    assert factories.order(event, factories.wanted(dinner), email="guest0@example.org").draw == draw


def test_form_sent_twice_is_one_entry(event: Event, dinner: TicketType, draw: Draw) -> None:
    key = secrets.token_hex(8)

    first, again = (
        factories.order(event, factories.wanted(dinner), idempotency_key=key, email="robin@example.org")
        for _ in range(2)
    )

    assert first == again


def test_entry_given_up_stays_in_the_list_and_is_not_served(event: Event, dinner: TicketType, draw: Draw) -> None:
    orders = enter(event, dinner, 4)
    ordering.cancel(orders[0])

    with clock_moved(AFTER):
        queue.sweep()
        queue.drain_all()

    draw.refresh_from_db()
    assert str(orders[0].public_id) in {entry["entry"] for entry in draws.published(draw)["entries"]}
    assert sorted(event.orders.values_list("state", flat=True)) == ["cancelled", "reserved", "reserved", "reserved"]


def test_nothing_but_the_commitment_is_told_before_the_draw(event: Event, dinner: TicketType, draw: Draw) -> None:
    enter(event, dinner, 2)

    told = draws.published(draw)

    assert told["seed_sha256"] == draw.seed_hash == draws.commitment(bytes.fromhex(draw.seed))
    assert draw.seed not in json.dumps(told)
    assert "entries" not in told


def test_draw_cannot_be_moved_once_somebody_entered(event: Event, dinner: TicketType, draw: Draw) -> None:
    moved = draws.set_up(event, clock.now() + 2 * WINDOW)
    assert moved.pk == draw.pk and moved.seed_hash != draw.seed_hash
    enter(event, dinner)

    with pytest.raises(draws.AlreadyEntered):
        draws.set_up(event, clock.now() + 3 * WINDOW)
    with pytest.raises(draws.AlreadyEntered):
        draws.remove(moved)


def _held(event: Event, dinner: TicketType, draw: Draw) -> dict[str, Any]:
    enter(event, dinner, 12)
    with clock_moved(AFTER):
        draws.hold(draw)
    draw.refresh_from_db()
    return draws.published(draw)


def test_a_stranger_finds_every_rank_again(event: Event, dinner: TicketType, draw: Draw, tmp_path: Path) -> None:
    published = _held(event, dinner, draw)

    own = published["entries"][-1]["entry"]
    code, said = checked(published, tmp_path, draw.seed_hash, own)

    assert (code, said.splitlines()[0]) == (0, "RIGHT: all 12 ranks follow from the seed that was promised.")


def _swap(published: dict[str, Any]) -> None:
    first, second = published["entries"][:2]
    first["entry"], second["entry"] = second["entry"], first["entry"]


def _exchange_entrant(published: dict[str, Any]) -> None:
    """The winner becomes somebody else. One in twelve strangers would have won as well: such a one is no forgery."""
    seed = bytes.fromhex(published["seed"])
    others = [uuid.UUID(entry["entry"]) for entry in published["entries"][1:]]
    strangers = (uuid.uuid4() for _ in iter(int, 1))
    loser = next(stranger for stranger in strangers if draws.in_drawn_order(seed, [stranger, *others])[0] != stranger)
    published["entries"][0]["entry"] = str(loser)


def _leave_out_the_winner(published: dict[str, Any]) -> None:
    del published["entries"][0]


def _leave_out_the_last(published: dict[str, Any]) -> None:
    del published["entries"][-1]


def _leave_out_the_last_and_count_anew(published: dict[str, Any]) -> None:
    _leave_out_the_last(published)
    published["number"] -= 1


def _list_nobody(published: dict[str, Any]) -> None:
    published["entries"] = []


def _change_seed(published: dict[str, Any]) -> None:
    published["seed"] = secrets.token_hex(32)


def _change_seed_and_hash(published: dict[str, Any]) -> None:
    _change_seed(published)
    published["seed_sha256"] = draws.commitment(bytes.fromhex(published["seed"]))


def _list_twice(published: dict[str, Any]) -> None:
    published["entries"].append(published["entries"][0])


@pytest.mark.parametrize(
    ("tamper", "why"),
    [
        (_swap, "should have rank"),
        (_exchange_entrant, "should have rank"),
        (_leave_out_the_winner, "should have rank"),
        (_leave_out_the_last, "12 entries were drawn, and 11 are listed"),
        (_leave_out_the_last_and_count_anew, "is not in the list"),
        (_list_nobody, "12 entries were drawn, and 0 are listed"),
        (_change_seed, "not the one that was published"),
        (_change_seed_and_hash, "you noted before the draw"),
        (_list_twice, "listed twice"),
    ],
    ids=[
        "ranks swapped",
        "entrant exchanged",
        "winner left out",
        "last left out",
        "last left out and counted anew",
        "nobody listed",
        "seed changed",
        "seed and hash changed",
        "entry twice",
    ],
)
def test_a_draw_that_was_tampered_with_fails(
    event: Event, dinner: TicketType, draw: Draw, tmp_path: Path, tamper: Callable[[dict[str, Any]], None], why: str
) -> None:
    published = _held(event, dinner, draw)
    own = published["entries"][-1]["entry"]
    tamper(published)

    code, said = checked(published, tmp_path, draw.seed_hash, own)

    assert code == 1
    assert why in said


def chi_square_p(counts: Counter[int], places: int) -> float:
    """The chance of counts at least as uneven as these if every place were equally likely (Wilson-Hilferty)."""
    expected = counts.total() / places
    statistic = sum((counts[place] - expected) ** 2 / expected for place in range(places))
    freedom = places - 1
    normal = ((statistic / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))
    return 0.5 * math.erfc(normal / math.sqrt(2))


@pytest.mark.proof(
    "draw_uniform", what="An entrant of a draw lands on every place equally often", full=10_000, small=2_000
)
def test_every_place_is_equally_likely(proof: Proof) -> None:
    """And the control: a draw that lets the first entrant in more often by one in ten is noticed."""
    entries = [uuid.UUID(int=proof.random.getrandbits(128), version=4) for _ in range(20)]
    fair: Counter[int] = Counter()
    biased: Counter[int] = Counter()

    for _ in range(proof.n):
        drawn = draws.in_drawn_order(proof.random.randbytes(32), entries)
        place = drawn.index(entries[0])
        fair[place] += 1
        biased[0 if proof.random.random() < 0.1 else place] += 1

    proof.record(chi_square_p=chi_square_p(fair, 20), chi_square_p_of_the_biased=chi_square_p(biased, 20))
    assert chi_square_p(fair, 20) > 1e-6
    assert chi_square_p(biased, 20) < 1e-6


# --- For everybody ------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_form_sent_twice_at_once_is_one_entry_and_no_refusal() -> None:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 3))
    draws.set_up(event, clock.now() + WINDOW)

    def send(key: str) -> int:
        try:
            wanted = factories.wanted(kind)
            return factories.order(event, wanted, email=f"{key}@example.org", idempotency_key=key).pk
        finally:
            connection.close()

    for number in range(12):
        with ThreadPoolExecutor(4) as pool:
            assert len(set(pool.map(send, [f"double-click-{number}"] * 4))) == 1
    assert event.orders.count() == 12


@pytest.mark.parametrize("text", ["[]", "null", "{}", '{"format": "foyer-draw-1", "drawn_at": "now"}', "no json"])
def test_checker_answers_a_strange_file_in_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "draw.json").write_text(text)

    done = subprocess.run([sys.executable, "-I", CHECKER, tmp_path / "draw.json"], capture_output=True, text=True)

    assert done.returncode in (1, 2)
    assert done.stdout and not done.stderr


def test_everybody_reads_the_promise_and_later_the_file(
    event: Event, dinner: TicketType, draw: Draw, client: Client
) -> None:
    address = reverse("ticketing:draw_file", args=[event.public_id])
    before = client.get(address)
    published = _held(event, dinner, draw)

    assert before.json() == {**before.json(), "drawn_at": None, "seed_sha256": draw.seed_hash}
    assert "seed" not in before.json()
    assert client.get(address).json() == published
    page = client.get(reverse("ticketing:draw", args=[event.public_id])).content.decode()
    assert draw.seed in page and draw.seed_hash in page


def test_event_without_a_draw_has_no_page_of_one(event: Event, client: Client) -> None:
    assert client.get(reverse("ticketing:draw", args=[event.public_id])).status_code == 404
    assert client.get(reverse("ticketing:draw_file", args=[event.public_id])).status_code == 404
