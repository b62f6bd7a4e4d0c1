"""A rush: many buyers within seconds, fewer tickets. Each walks from the event's page until paid, or until told that
there is nothing for them; as `queue.js` they listen to the live process, and ask the site when they hear nothing.

Told is who sees an order page that says anything but "queued"; who meets a ticket form that says "sold out" is counted
apart. Times count from a buyer's first click.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench import storefront
from bench.browser import Answer, Browser, Failed, Form, Log, attribute, form_in, listen
from bench.frame import Figure
from bench.house import House

GIVE_UP_SECONDS = 120.0
SILENT_SECONDS = 15.0
DECIDED = re.compile(rb'"decided": (\d+)')
WAITING = re.compile(rb"<section\b[^>]*\sdata-queue\b[^>]*>")
SERVED = ("reserved", "paying")
# The page of a state that has no live section names itself by what can be done there.
PAID = b"queue__candles"
SOLD_OUT = b"chip--danger"
NO_FORM = "sold out"
SEED = 2026
SERVERS = ("site", "live", "worker-purchases", "worker-default", "cron", "postgres", "redis")


@dataclass
class Outcome:
    """How one buyer fared: seconds from the first click to what the order page said first, and to the tickets."""

    clicked: float = 0.0  # seconds since the rush began
    told: float = 0.0
    state: str = ""
    paid: float = 0.0


@dataclass
class Buyer:
    """One person with a browser, who wants one ticket."""

    number: int
    browser: Browser
    live_url: str
    log: Log
    random: random.Random
    outcome: Outcome = field(default_factory=Outcome)

    async def buy(self, sold: storefront.Sold, after_seconds: float) -> None:
        """The whole way. What fails is an error in the log."""
        await asyncio.sleep(after_seconds)
        begun, self.outcome.clicked = time.monotonic(), after_seconds
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                address, page = await self._order(sold)
                if address:
                    page, state = await self._until_not(("queued",), address, page)
                else:
                    state = NO_FORM
                self.outcome.state, self.outcome.told = state, time.monotonic() - begun
                if state in SERVED:
                    page = await self._pay(page, address)
                    _page, state = await self._until_not(SERVED, address, page)
                    if state != "paid":
                        raise Failed(f"an order that was paid for is {state}")
                    self.outcome.paid = time.monotonic() - begun
        except (Failed, OSError, TimeoutError) as error:
            self.log.errors.append(f"{type(error).__name__}: {error}")
        finally:
            self.browser.close()

    async def _order(self, sold: storefront.Sold) -> tuple[str, bytes]:
        """From the event's page to the order's: its address, and the page. No address where all is sold out already."""
        event = (await self.browser.get(sold.page_for(self.number), "event page")).body
        address = attribute(event, "hx-get")
        fragment = (await self.browser.get(address, "ticket form", headers="HX-Request: true\r\n")).body
        if SOLD_OUT in fragment:
            return "", fragment
        form = form_in(fragment, asking="idempotency_key")
        answer = await self.browser.post(
            form.action, "order sent", filled_in(form, self.number, sold.code_for(self.number)), status=303
        )
        return answer.location, (await self.browser.get(answer.location, "order page")).body

    async def _until_not(self, states: Sequence[str], address: str, page: bytes) -> tuple[bytes, str]:
        """Wait on the order's page until it says something else; that page and what it says."""
        while (state := state_of(page)) in states:
            if waiting_part(page):
                await self._hear_news(page, state)
            else:
                await asyncio.sleep(1)
            page = (await self.browser.get(address, "order page")).body
        return page, state

    async def _hear_news(self, page: bytes, state: str) -> None:
        """What queue.js does: listen; ask the site when those before us were served, or after a silence."""
        part = waiting_part(page)
        ahead, decided_then = int(attribute(part, "data-ahead")), int(_or_zero(part, "data-decided"))
        heard_at = asked_at = time.monotonic()
        woken = asyncio.Event()
        has_result = is_lost = overtaken = False

        def heard(data: bytes) -> None:
            nonlocal has_result, heard_at, overtaken
            heard_at = time.monotonic()
            if b"event: result" in data:
                has_result = True
                woken.set()
            elif found := DECIDED.search(data):
                overtaken = int(found[1]) - decided_then > ahead
                if overtaken and time.monotonic() - asked_at > 10:
                    woken.set()

        def lost() -> None:
            nonlocal is_lost
            is_lost = True
            woken.set()

        stream = await listen(attribute(part, "data-live-url"), heard, lost)
        try:
            while not has_result:
                try:
                    async with asyncio.timeout(SILENT_SECONDS):
                        await woken.wait()
                except TimeoutError:
                    pass
                woken.clear()
                if has_result:
                    return
                if is_lost or overtaken or time.monotonic() - heard_at > SILENT_SECONDS:
                    await asyncio.sleep(self.random.uniform(0.5, 3))
                    asked_at = time.monotonic()
                    news = await self.browser.get(attribute(part, "data-poll-url"), "order status")
                    if f'"state": "{state}"'.encode() not in news.body:
                        return
        finally:
            stream.close()

    async def _pay(self, page: bytes, address: str) -> bytes:
        form = form_in(page, asking="terms")
        values = {**form.values, "name": f"Alva Ek {self.number}", "terms": "on"}
        bank = (await self.browser.post(form.action, "details sent", values, status=303)).location
        card = form_in((await self.browser.get(bank, "bank's page")).body, asking="card")
        back = await self.browser.post(bank, "card given", {**card.values, "action": "pay"}, status=302)
        return (await self.browser.get(back.location, "order page")).body


def _or_zero(page: bytes, name: str) -> str:
    try:
        return attribute(page, name)
    except Failed:
        return "0"


def waiting_part(page: bytes) -> bytes:
    """The opening tag of the part that waits for news (queue.js), empty where there is none."""
    found = WAITING.search(page)
    return found[0] if found else b""


def state_of(page: bytes) -> str:
    """What an order page says, read as a browser could: by what is on it."""
    if waiting_part(page):
        return attribute(waiting_part(page), "data-state")
    if b"data-hold" in page or b'name="terms"' in page:
        return "reserved"
    return "paid" if PAID in page else "over"


def filled_in(form: Form, number: int, code: str = "") -> dict[str, str]:
    """The ticket form with one ticket, its first choice, an address and a code: what its script and a buyer make of
    it."""
    values = {name: value for name, value in form.values.items() if "__n__" not in name}
    wanted = next((name for name in values if name.startswith("type-")), None)
    if wanted is None:
        raise Failed("nothing can be chosen any more")
    values[wanted] = "1"
    values["email"] = f"buyer{number}@example.org"
    if code:
        values["discount_code"] = code
    kind = wanted.removeprefix("type-")
    for name, choices in form.choices.items():
        if name.startswith(f"choice-{kind}-__n__-"):
            values[name.replace("__n__", "1")] = choices[0]
    return values


@dataclass(frozen=True)
class Result:
    """What a rush came to. CPU in seconds by process; `wrong` are sentences about what must never be."""

    outcomes: Sequence[Outcome]
    log: Log
    seconds: float
    cpu: dict[str, float]
    after: dict[str, float]
    client_cpu: float
    wrong: Sequence[str]
    tickets: int

    @property
    def paid(self) -> list[float]:
        return sorted(one.paid for one in self.outcomes if one.paid)

    @property
    def losers(self) -> list[float]:
        """Who ordered and was told on the order's page that there is nothing."""
        return sorted(one.told for one in self.outcomes if one.state and one.state not in (*SERVED, NO_FORM))

    @property
    def came_too_late(self) -> list[float]:
        """Who was told by the ticket form already, and could not order."""
        return sorted(one.told for one in self.outcomes if one.state == NO_FORM)

    @property
    def last_paid(self) -> float:
        """Seconds from the beginning until the last winner had tickets."""
        return max(one.clicked + one.paid for one in self.outcomes if one.paid)

    @property
    def cpu_ms_per_order(self) -> float:
        return sum(self.cpu.values()) / max(1, len(self.paid)) * 1000


def percentile(values: Sequence[float], part: float) -> float:
    """The value that `part` of them do not exceed; 0 of nothing."""
    return values[min(len(values) - 1, int(len(values) * part))] if values else 0.0


def run(
    house: House,
    *,
    buyers: int,
    tickets: int,
    within_seconds: float,
    dress: Callable[[storefront.Sold], storefront.Sold] = lambda sold: sold,
) -> Result:
    """Let `buyers` come within that time for so many tickets, on the real processes; documents and their mails are
    made afterwards, and their CPU is counted apart. `dress` gives the sale what it has besides."""
    sold = dress(storefront.prepare(tickets))
    log = Log()
    by_chance = random.Random(SEED)
    with house.running("mailbox", "site", "live", "worker-purchases", "worker-default", "cron"):
        _warm_up(house, sold)
        before, client = house.cpu_by_process(), time.process_time()
        begun = time.monotonic()
        crowd = [
            Buyer(number, Browser(house.site_url, log), house.live_url, log, random.Random(number))
            for number in range(buyers)
        ]
        times = [by_chance.uniform(0, within_seconds) for _ in crowd]

        async def all_at_once() -> None:
            async with asyncio.TaskGroup() as group:
                for buyer, moment in zip(crowd, times, strict=True):
                    group.create_task(buyer.buy(sold, moment))

        asyncio.run(all_at_once())
        seconds, client = time.monotonic() - begun, time.process_time() - client
        served = house.cpu_by_process()
        house.start("worker-documents")
        between = house.cpu_by_process()
        house.wait_until_done()
        after = house.cpu_by_process()
    return Result(
        outcomes=[buyer.outcome for buyer in crowd],
        log=log,
        seconds=seconds,
        cpu={name: served[name] - before[name] for name in SERVERS},
        after={name: after[name] - between[name] for name in after if name != "mailbox"},
        client_cpu=client,
        wrong=storefront.left_undone(sold.event_id, tickets),
        tickets=tickets,
    )


def _warm_up(house: House, sold: storefront.Sold) -> None:
    """Each process has opened its connections and compiled its templates before the clock starts."""

    async def look() -> None:
        for number in range(24):
            visitor = Browser(house.site_url, Log())
            page: Answer = await visitor.get(sold.page_for(number % 2), "event page")
            await visitor.get(attribute(page.body, "hx-get"), "ticket form", headers="HX-Request: true\r\n")
            visitor.close()

    asyncio.run(look())


def check(result: Result) -> None:
    """Raises AssertionError with what went wrong: a rush that sold too much, or lost somebody, has no figures."""
    errors = Counter(result.log.errors).most_common(5)
    assert not errors, f"{len(result.log.errors)} of {len(result.outcomes)} buyers met an error, such as {errors}"
    assert not result.wrong, "; ".join(result.wrong)
    assert len(result.paid) == result.tickets, f"{len(result.paid)} buyers paid for {result.tickets} tickets"
    lost = len(result.losers) + len(result.came_too_late)
    assert lost + result.tickets == len(result.outcomes), (
        f"{lost} of {len(result.outcomes)} buyers were told that they lost"
    )


def figures(result: Result) -> list[Figure]:
    """What is printed to be known beside a rush's targets."""
    known = [
        Figure("buyers who met an error", len(result.log.errors), "", at_most=0),
        Figure("buyers who came when all was sold", len(result.came_too_late), ""),
        Figure("they saw it after (p95)", percentile(result.came_too_late, 0.95), "s"),
        Figure("half of the losers were told after", percentile(result.losers, 0.5), "s"),
        Figure("half of the winners had paid after", percentile(result.paid, 0.5), "s"),
        Figure("the buyers' own work", result.client_cpu, "CPU s"),
        Figure("documents and their mails, afterwards, for one order",
               sum(result.after.values()) / max(1, result.tickets) * 1000, "CPU ms"),
    ]  # fmt: skip
    known += [
        Figure(f"of that {name}", seconds / max(1, len(result.paid)) * 1000, "CPU ms")
        for name, seconds in result.cpu.items()
    ]
    known += [
        Figure(f"{kind}: p95 of {len(times)}", percentile(sorted(times), 0.95) * 1000, "ms to answer")
        for kind, times in result.log.seconds.items()
    ]
    return known
