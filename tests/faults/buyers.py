"""Buyers of a rush, as far as the house can tell: they follow its forms over HTTP and do not give up.

Whoever gets no answer, or is asked to come back, does what a person does: the same again, with the same form. What the
house answered besides is kept, so that a test can judge its manners.
"""

from __future__ import annotations

import asyncio
import html
import json
import random
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

ANSWER_SECONDS = 20
PATIENCE_SECONDS = 180
FIELD = re.compile(r"<input[^>]*>")
ATTRIBUTE = re.compile(r'([a-z-]+)="([^"]*)"')
EXPECTED = (200, 302, 303, 409, 422)  # 409 and 422: a sentence about the order
ONE_MOMENT = ("Nothing was charged", "Inga pengar drogs")


class Gone(Exception):
    """Nobody answered, or not to the end."""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    cookies: dict[str, str]
    body: str

    @property
    def where(self) -> str:
        """The path it sends us to."""
        parts = urlsplit(self.headers["location"])
        return parts.path + (f"?{parts.query}" if parts.query else "")


@dataclass
class Manners:
    """How the house behaved towards everybody."""

    answers: Counter[int] = field(default_factory=Counter)
    unanswered: int = 0
    asked_back: int = 0
    slowest_seconds: float = 0
    rude: list[str] = field(default_factory=list)


class Buyer:
    """One person with one browser. `nature` says what they are like: pays, declined, leaves or vanishes."""

    def __init__(self, port: int, form: str, email: str, seed: float, manners: Manners) -> None:
        self.port, self.form, self.email, self.manners = port, form, email, manners
        self.chance = random.Random(seed)
        self.nature = self.chance.choices(["pays", "declined", "leaves", "vanishes"], [7, 1, 1, 1])[0]
        self.fewer = self.chance.random() < 0.5
        self.keeps_part = self.chance.random() < 0.7
        self.listens = self.chance.random() < 0.5
        self.tickets = self.chance.choices([1, 2, 3], [5, 3, 2])[0]
        self.cookies: dict[str, str] = {}
        self.key = ""
        self.order = ""
        self.told = ""
        self.heard: list[str] = []

    async def buy(self) -> None:
        """From the form to the end, whatever that is: `told` is the last state the buyer was told."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._buy()
        except TimeoutError:
            raise AssertionError(f"{self.email} got nowhere: {self.told} {self.heard[-12:]}") from None

    async def _buy(self) -> None:
        page = await self.ask("GET", self.form)
        fields = dict(self._fields(page.body))
        kind = next((name for name in fields if name.startswith("type-")), None)
        if kind is None:
            self.told = "sold out"
            return
        self.key = fields["idempotency_key"]
        sent = {name: value for name, value in fields.items() if name != "fewer_is_fine"}
        sent |= {kind: str(self.tickets), "email": self.email}
        if self.fewer:
            sent["fewer_is_fine"] = "1"
        answer = await self.ask("POST", self.form, sent)
        if answer.status != 303:
            self._complain(f"the order of {self.email} was refused", answer)
            return
        self.order = answer.where
        if self.nature == "vanishes":
            self.told = "nothing"
            return
        await self._see_it_through()

    async def _see_it_through(self) -> None:
        declines = self.nature == "declined"
        while True:
            self.told = state = (await self.status())["state"]
            if state == "queued" or state == "paying":
                await self._wait_for_news()
            elif state == "offered":
                await self.ask("POST", f"{self.order}{'keep' if self.keeps_part else 'wait'}/", {})
            elif state == "reserved" and self.nature == "leaves":
                await self.ask("POST", f"{self.order}leave/", {})
            elif state == "reserved":
                await self._pay("declined" if declines else "pays")
                declines = False
            else:
                return

    async def _pay(self, card: str) -> None:
        answer = await self.ask("POST", f"{self.order}pay/", {"name": "Robin Ek", "terms": "on", "provider": "sandbox"})
        bank = answer.where if answer.status == 303 else ""
        if bank in ("", self.order):
            return  # free, over, or in doubt: the page tells
        page = await self.ask("GET", bank)
        if page.status == 200:
            token = dict(self._fields(page.body)).get("csrfmiddlewaretoken", "")
            await self.ask("POST", bank, {"csrfmiddlewaretoken": token, "card": card, "action": "pay"})

    async def status(self) -> dict[str, str]:
        """What the order's page asks for."""
        return json.loads((await self.ask("GET", f"{self.order}status/")).body)

    async def _wait_for_news(self) -> None:
        """By the stream for a while, if this browser has one, else by asking again."""
        if self.listens:
            page = await self.ask("GET", self.order)
            found = re.search(r'data-live-url="([^"]+)"', page.body)
            if found:
                with suppress(OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
                    await asyncio.wait_for(self._listen(html.unescape(found[1])), 3)
        await asyncio.sleep(self.chance.uniform(0.2, 0.6))

    async def _listen(self, address: str) -> None:
        parts = urlsplit(address)
        reader, writer = await asyncio.open_connection("127.0.0.1", parts.port)
        try:
            query = f"?{parts.query}" if parts.query else ""
            writer.write(f"GET {parts.path}{query} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
            await reader.readuntil(b"event: result")
        finally:
            writer.close()

    # --- The browser --------------------------------------------------------------------------------------------

    async def ask(self, method: str, path: str, data: dict[str, str] | None = None) -> Answer:
        """The answer to a request, however often it takes. 503 and silence mean: again in a moment."""
        while True:
            begun = asyncio.get_running_loop().time()
            try:
                answer = await asyncio.wait_for(self._once(method, path, data), ANSWER_SECONDS)
            except (Gone, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                self.manners.unanswered += 1
            except TimeoutError:
                self.manners.rude.append(f"{method} {path}: no answer in {ANSWER_SECONDS} s")
            else:
                took = asyncio.get_running_loop().time() - begun
                self.manners.slowest_seconds = max(self.manners.slowest_seconds, took)
                self.manners.answers[answer.status] += 1
                self.heard.append(f"{method} {path.removeprefix(self.order) or path}: {answer.status}")
                if answer.status != 503:
                    self.cookies |= answer.cookies
                    if answer.status not in EXPECTED:
                        self._complain(f"{method} {path}", answer)
                    return answer
                self._judge_503(f"{method} {path}", answer)
            await asyncio.sleep(self.chance.uniform(0.2, 0.8))

    def _judge_503(self, what: str, answer: Answer) -> None:
        self.manners.asked_back += 1
        says_so = any(sentence in html.unescape(answer.body) for sentence in ONE_MOMENT)
        if not answer.headers.get("retry-after", "").isdigit() or not says_so:
            self._complain(what, answer)

    def _complain(self, what: str, answer: Answer) -> None:
        words = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.body))
        self.manners.rude.append(f"{what}: {answer.status} {words[:300]}")

    async def _once(self, method: str, path: str, data: dict[str, str] | None) -> Answer:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            body = urlencode(data or {}).encode()
            lines = [f"{method} {path} HTTP/1.1", f"Host: localhost:{self.port}", "Connection: close"]
            lines += ["Cookie: " + "; ".join(f"{name}={value}" for name, value in self.cookies.items())]
            if method == "POST":
                lines += [f"Origin: http://localhost:{self.port}", f"Content-Length: {len(body)}"]
                lines += ["Content-Type: application/x-www-form-urlencoded"]
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status_line, *rest = head.split("\r\n")
            pairs = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in rest) if value]
            headers = dict(pairs)
            if "content-length" not in headers:
                raise Gone(path)
            text = (await reader.readexactly(int(headers["content-length"]))).decode()
        finally:
            writer.close()
        cookies = dict(
            value.split(";")[0].split("=", 1) for name, value in pairs if name == "set-cookie" and "=" in value
        )
        return Answer(int(status_line.split()[1]), headers, cookies, text)

    @staticmethod
    def _fields(page: str) -> list[tuple[str, str]]:
        found = (dict(ATTRIBUTE.findall(tag)) for tag in FIELD.findall(page))
        return [(one["name"], html.unescape(one.get("value", ""))) for one in found if "name" in one]


async def rush(buyers: list[Buyer], within_seconds: float) -> None:
    """All of them, spread over the first seconds. Raises the first error of ours, after everybody is done."""

    async def come(buyer: Buyer) -> None:
        await asyncio.sleep(buyer.chance.uniform(0, within_seconds))
        await buyer.buy()

    for result in await asyncio.gather(*(come(buyer) for buyer in buyers), return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
