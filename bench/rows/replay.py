"""What each request of a rush costs, counted in one process: machines that others use too have no seconds to compare.

Buyers take each step one after the other, all of them before the next step, as in a rush: so what is kept for half a
second is found. One buyer in two is timed, the other's calls in Python are counted. Of counts the least is taken, for
how often something is read anew is a matter of seconds; of times the median. `TIMES` says how often each request is
made for one paid order of `rush_1000`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import median

from bench import rush, storefront
from bench.browser import Answer, Form, form_in
from bench.frame import Figure, Row
from bench.house import House
from bench.in_process import Cost, Tab

BUYERS = 40
WARM_UP = 4
TIMES = {
    "ticket form": 3.3,
    "order sent": 2.5,
    "order page, waiting": 1.5,
    "order page, held": 1.0,
    "details sent": 1.0,
    "bank's page": 1.0,
    "card given": 1.0,
    "settled, and the page": 1.0,
}
UNITS = {
    "calls": ("calls in Python", ""),
    "statements": ("statements", ""),
    "commits": ("commits", ""),
    "site_ms": ("the site", "CPU ms"),
    "database_ms": ("PostgreSQL", "CPU ms"),
}


Fill = Callable[[Form, int], dict[str, str]]


class Crowd:
    """Some buyers, each with a browser and what its last page led to: an address, or a form."""

    def __init__(self, house: House, numbers: range) -> None:
        self.numbers = numbers
        self.tabs = [Tab(house, is_counted=bool(number % 2)) for number in numbers]
        self.addresses = [""] * len(numbers)

    def order(self, sold: storefront.Sold) -> Iterable[tuple[str, Cost]]:
        """Load the form and send it; the orders are not decided yet."""
        yield from self._look("ticket form", sold.form, {"HX-Request": "true"})
        yield from self._send("order sent", "idempotency_key", rush.filled_in, status=303)

    def look(self, kind: str, state: str) -> Iterable[tuple[str, Cost]]:
        """Load the order's page, which must say this."""
        yield from self._look(kind)
        assert {rush.state_of(tab.answer.body) for tab in self.tabs} == {state}

    def pay(self) -> Iterable[tuple[str, Cost]]:
        """From the page of an order that is held to the tickets."""
        yield from self._send("details sent", "terms", _signed, status=303)
        yield from self._look("bank's page")
        yield from self._send("card given", "card", _paid, status=302)
        yield from self.look("settled, and the page", "paid")

    def _look(self, kind: str, address: str = "", headers: dict[str, str] | None = None) -> Iterable[tuple[str, Cost]]:
        for place, tab in enumerate(self.tabs):
            self.addresses[place] = address or _leads_to(tab.answer) or self.addresses[place]
            yield kind, tab.get(self.addresses[place], headers=headers)

    def _send(self, kind: str, asking: str, filled_in: Fill, *, status: int) -> Iterable[tuple[str, Cost]]:
        for number, tab, address in zip(self.numbers, self.tabs, self.addresses, strict=True):
            form = form_in(tab.answer.body, asking=asking)
            yield kind, tab.post(form.action or address, filled_in(form, number), status=status)


def _leads_to(answer: Answer) -> str:
    return answer.location if 300 <= answer.status < 400 else ""


def _signed(form: Form, number: int) -> dict[str, str]:
    return {**form.values, "name": f"Alva Ek {number}", "terms": "on"}


def _paid(form: Form, number: int) -> dict[str, str]:
    return {**form.values, "action": "pay"}


def measure(house: House) -> Sequence[Figure]:
    """Each kind of request, and what they come to for one paid order."""
    from apps.ticketing import queue

    size = WARM_UP + BUYERS
    winners, losers = storefront.prepare(size), storefront.prepare(1, name="Lyran")
    costs: dict[str, list[Cost]] = defaultdict(list)

    def keep(some: Iterable[tuple[str, Cost]]) -> None:
        for kind, cost in some:
            costs[kind].append(cost)

    lucky, late = Crowd(house, range(size)), Crowd(house, range(size))
    for _request in Crowd(house, range(size, size + 1)).order(losers):
        pass  # who takes the one place
    keep(late.order(losers))
    queue.drain(losers.event_id)
    keep(late.look("order page, waiting", "waiting"))
    keep(lucky.order(winners))
    queue.drain(winners.event_id)
    keep(lucky.look("order page, held", "reserved"))
    keep(lucky.pay())
    assert not (wrong := storefront.left_undone(winners.event_id, size)), wrong
    return _figures({kind: _of_one(some[WARM_UP:]) for kind, some in costs.items()})


def _of_one(costs: Sequence[Cost]) -> Cost:
    """What one of these requests cost: calls of those that were counted, times of those that were timed."""
    timed, counted = ([cost for cost in costs if bool(cost.calls) is is_counted] for is_counted in (False, True))
    return Cost(
        calls=min(cost.calls for cost in counted),
        statements=min(cost.statements for cost in costs),
        commits=min(cost.commits for cost in costs),
        site_ms=median(cost.site_ms for cost in timed),
        database_ms=median(cost.database_ms for cost in timed),
    )


def _figures(costs: dict[str, Cost]) -> Sequence[Figure]:
    sums = [
        Figure(f"for one paid order: {what}", sum(TIMES[kind] * getattr(costs[kind], name) for kind in TIMES), unit)
        for name, (what, unit) in UNITS.items()
    ]
    return sums + [
        Figure(f"{kind}: {what}", getattr(costs[kind], name), unit)
        for kind in TIMES
        for name, (what, unit) in UNITS.items()
    ]


ROW = Row(
    name="replay",
    what=f"{BUYERS} buyers and {BUYERS} too late in one process: what each request costs",
    measure=measure,
)
