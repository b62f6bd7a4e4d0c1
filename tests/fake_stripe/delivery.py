"""Notices on their way: signed and posted by a thread of their own, or held, lost, doubled and shuffled on command."""

from __future__ import annotations

import base64
import fnmatch
import json
import queue
import random
import threading
import time
import urllib.error
import urllib.request
from typing import Any

from tests.fake_stripe.books import PLATFORM, Books, Row
from tests.fake_stripe.forms import missing
from tests.fake_stripe.signing import signed

ANSWER_SECONDS = 20


class Post:
    """The post office. Its own lock guards only its lists: no delivery waits for the books."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._lock = threading.Lock()
        self._queue: queue.Queue[tuple[float, Row, Row, bytes]] = queue.Queue()
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._under_way = 0
        self.empty()
        books.told = self.told
        for _ in range(4):
            threading.Thread(target=self._carry, daemon=True).start()

    def empty(self) -> None:
        with self._lock:
            self.endpoints: list[Row] = []
            self._how: Row = {"how": "now", "copies": 1, "delay_seconds": 0.0, "types": ["*"]}
            self._held: list[tuple[Row, Row, bytes]] = []
            self._tries: list[Row] = []
            self._missing: dict[tuple[str, str], tuple[Row, Row, bytes]] = {}
            self._generation = time.monotonic()

    # --- Commands -------------------------------------------------------------------------------------------

    def endpoint(self, url: str, secrets: list[str], connect: bool, types: list[str]) -> str:
        with self._books.lock:
            row = self._books.add(PLATFORM, "we", "webhook_endpoint", url=url, enabled_events=types, status="enabled")
            row |= {"application": "ca_foyer" if connect else None, "_secrets": secrets, "_connect": connect}
        with self._lock:
            self.endpoints.append(row)
        return row["id"]

    def deliver(self, **how: Any) -> None:
        with self._lock:
            self._how = how

    def release(self, order: str, seed: int, copies: int) -> int:
        with self._lock:
            waiting, self._held = self._held, []
        letters = waiting * copies
        if order == "reversed":
            letters.reverse()
        elif order == "shuffled":
            random.Random(seed).shuffle(letters)
        for event, endpoint, body in letters:
            self._send(event, endpoint, body)  # one after the other, so that the order is the one asked for
        return len(letters)

    def redeliver(self) -> int:
        with self._lock:
            letters = list(self._missing.values())
        for event, endpoint, body in letters:
            self._send(event, endpoint, body)
        return len(letters)

    def held(self) -> list[tuple[str, dict[str, str]]]:
        with self._lock:
            waiting, self._held = self._held, []
        return [(base64.b64encode(body).decode(), self._headers(endpoint, body)) for _, endpoint, body in waiting]

    def deliveries(self) -> list[Row]:
        with self._lock:
            return list(self._tries)

    def quiet(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with self._lock:
                if not self._under_way:
                    return True
            time.sleep(0.01)
        return False

    # --- Inside ---------------------------------------------------------------------------------------------

    def told(self, event: Row) -> None:
        """With the books' lock held: each endpoint that wants it gets it, or does not."""
        body = json.dumps(self._books.shown(event), indent=2).encode()
        with self._lock:
            for endpoint in self.endpoints:
                wants = any(fnmatch.fnmatchcase(event["type"], type) for type in endpoint["enabled_events"])
                if not wants or endpoint["_connect"] != ("account" in event):
                    continue
                event["pending_webhooks"] += 1
                self._missing[event["id"], endpoint["id"]] = (event, endpoint, body)
                how = self._how
                if not any(fnmatch.fnmatchcase(event["type"], type) for type in how["types"]):
                    how = {"how": "now", "copies": 1, "delay_seconds": 0}
                if how["how"] == "hold":
                    self._held += [(event, endpoint, body)] * how["copies"]
                elif how["how"] == "now":
                    for _ in range(how["copies"]):
                        self._under_way += 1
                        self._queue.put((time.monotonic() + how["delay_seconds"], event, endpoint, body))

    def _carry(self) -> None:
        while True:
            due, event, endpoint, body = self._queue.get()
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                if due >= self._generation:  # else of a test that is over
                    self._send(event, endpoint, body)
            finally:
                with self._lock:
                    self._under_way -= 1

    def _headers(self, endpoint: Row, body: bytes) -> dict[str, str]:
        first, *others = endpoint["_secrets"]
        return signed(body, first, self._books.now(), others)

    def _send(self, event: Row, endpoint: Row, body: bytes) -> None:
        headers = {"User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)", **self._headers(endpoint, body)}
        request = urllib.request.Request(endpoint["url"], body, headers)
        try:
            with self._opener.open(request, timeout=ANSWER_SECONDS) as answer:
                status = answer.status
        except urllib.error.HTTPError as error:
            status = error.code
            error.close()
        except OSError:
            status = 0
        with self._lock:
            self._tries.append({"event": event["id"], "type": event["type"], "url": endpoint["url"], "status": status})
            taken = 200 <= status < 300 and self._missing.pop((event["id"], endpoint["id"]), None)
            if taken:
                event["pending_webhooks"] -= 1

    # --- The API's own view ---------------------------------------------------------------------------------

    def create_endpoint(self, params: Row) -> Row:
        secret = self._books.new_id("whsec").replace("_", "_x")
        connect = str(params.get("connect", "")).lower() == "true"
        id = self.endpoint(params["url"], [secret], connect, params.get("enabled_events") or ["*"])
        return {**self._books.shown(self._books.rows[id]), "secret": secret}

    def delete_endpoint(self, id: str) -> Row:
        with self._lock:
            if id not in [each["id"] for each in self.endpoints]:
                raise missing("webhook_endpoint", id)
            self.endpoints = [each for each in self.endpoints if each["id"] != id]
        del self._books.rows[id]
        return {"id": id, "object": "webhook_endpoint", "deleted": True}
