"""The two servers: the one that Foyer and browsers see, with its faults and idempotency keys, and the control's."""

from __future__ import annotations

import base64
import fnmatch
import json
import socket
import threading
import time
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fake_stripe import pages
from tests.fake_stripe.api import Api, Call, Control
from tests.fake_stripe.books import API_VERSION, Books, Row
from tests.fake_stripe.delivery import Post
from tests.fake_stripe.forms import ApiError, decode

KEPT_SECONDS = 86_400  # how long Stripe remembers a key, at least; docs.stripe.com/api/idempotent_requests
BEFORE = ("timeout", "reset", "conflict", "rate_limit", "error", "unavailable", "html")
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Allow-Methods": "GET, POST",
}


class Cut(Exception):
    """The connection is to be closed without a word."""


class Quiet(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that were cut, by us or by them, are no news."""


class Front:
    """What lies before the API: the door, faults, keys, the log of calls."""

    def __init__(self, port: int = 0) -> None:
        self.books = Books()
        self.api = Api(self.books, Post(self.books))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.port = port
        self._listen()
        self.url = f"http://127.0.0.1:{self.port}"
        self.books.settings["url"] = self.url
        self.empty()

    def empty(self) -> None:
        with self._lock:
            self._faults: list[Row] = []
            self._calls: list[Row] = []
            self._kept: dict[tuple[str, str], Row] = {}
            self._rate: Counter[tuple[str, str, int]] = Counter()

    # --- The door -------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        self._server = Quiet(("127.0.0.1", self.port), handler_for(self))
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def opened(self, connection: socket.socket, *, is_open: bool) -> None:
        with self._lock:
            (self._open.add if is_open else self._open.discard)(connection)

    def away(self, seconds: float, how: str) -> None:
        """Close the door for so long: connections are refused, or nobody answers them (a connect time-out)."""
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            hang_up(connection)
        threading.Thread(target=self._come_back, args=(seconds, how), daemon=True).start()
        if how == "silent":
            time.sleep(0.05)

    def _come_back(self, seconds: float, how: str) -> None:
        until = time.monotonic() + seconds
        fillers: list[socket.socket] = []
        if how == "silent":
            # A listener that accepts nobody: once its short queue is full, the kernel leaves further callers waiting.
            deaf = socket.create_server(("127.0.0.1", self.port), backlog=0, reuse_port=False)
            fillers.append(deaf)
            for _ in range(4):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", self.port))
                fillers.append(filler)
        time.sleep(max(0.0, until - time.monotonic()))
        for each in fillers:
            each.close()
        self._listen()

    # --- Faults ---------------------------------------------------------------------------------------------

    def fault(self, call: str, what: str, times: int, skip: int, seconds: float) -> None:
        known = (*BEFORE, "timeout_after", "reset_after", "error_after", "malformed", "slow")
        if what not in known:
            raise ValueError(f"{what!r} is none of {known}")
        with self._lock:
            self._faults.append({"call": call, "what": what, "times": times, "skip": skip, "seconds": seconds})

    def no_faults(self) -> None:
        with self._lock:
            self._faults = []

    def _fault_for(self, name: str) -> Row | None:
        with self._lock:
            for fault in self._faults:
                if fault["times"] > 0 and fnmatch.fnmatchcase(name, fault["call"]):
                    if fault["skip"]:
                        fault["skip"] -= 1
                        continue
                    fault["times"] -= 1
                    return fault
        return None

    def calls(self, call: str) -> list[Row]:
        with self._lock:
            return [each for each in self._calls if fnmatch.fnmatchcase(each["call"], call)]

    # --- One call -------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, params: Row, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer to an API call. Raises Cut."""
        said = headers.get("authorization", "")
        scheme, _, key = said.partition(" ")
        if scheme.lower() == "basic":
            key = base64.b64decode(key).decode().partition(":")[0]
        key = key or params.pop("key", "")
        named = headers.get("stripe-account") or params.pop("_stripe_account", None)
        idempotency_key = headers.get("idempotency-key", "") if method == "POST" else ""
        noted: Row = {"call": f"{method} {path}", "account": named, "idempotency_key": idempotency_key or None}
        noted |= {"params": params, "api_version": headers.get("stripe-version"), "status": None, "replayed": False}
        noted["user_agent"] = headers.get("user-agent")
        with self._lock:
            self._calls.append(noted)
        fault = self._fault_for(noted["call"])
        what = fault["what"] if fault else ""
        out = {
            "Request-Id": f"req_{time.monotonic_ns():x}",
            "Stripe-Version": headers.get("stripe-version", API_VERSION),
        }
        if idempotency_key:
            out["Idempotency-Key"] = idempotency_key
        try:
            if fault and what in BEFORE:
                self._fail_before(fault, noted)
            status, body = self._keyed(method, path, params, (key, named), idempotency_key, noted, fault)
        except ApiError as error:
            status, body = error.status, error.body
            out |= error.headers
        noted["status"] = status
        if noted["replayed"]:
            out["Idempotent-Replayed"] = "true"
        if what in ("reset_after", "timeout_after"):
            noted["status"] = None
            raise Cut
        if status == 502:
            return 502, {**out, "Content-Type": "text/html"}, b"<html><h1>502 Bad Gateway</h1></html>"
        text = json.dumps(body, indent=2).encode()
        if what == "malformed":
            text = text[: len(text) // 2]
        return status, {**out, "Content-Type": "application/json"}, text

    def _fail_before(self, fault: Row, noted: Row) -> None:
        what = fault["what"]
        if what == "timeout":
            time.sleep(fault["seconds"])
            raise Cut
        if what == "reset":
            raise Cut
        noted["fault"] = what
        if what == "conflict":
            message = "This object cannot be accessed right now because another API request is accessing it."
            raise ApiError(409, message, code="lock_timeout", headers={"Stripe-Should-Retry": "true"})
        if what == "rate_limit":
            message = "Request rate limit exceeded. You can learn more about rate limits here."
            raise ApiError(429, message, code="rate_limit", headers={"Stripe-Rate-Limited-Reason": "endpoint-rate"})
        if what == "unavailable":
            raise ApiError(503, "Stripe is temporarily unavailable.", type="api_error")
        if what == "html":
            raise ApiError(502, "Bad Gateway")
        raise ApiError(500, "An error occurred. Sorry about that!", type="api_error")

    def _keyed(
        self, method: str, path: str, params: Row, who: tuple[str, str | None], key: str, noted: Row, fault: Row | None
    ) -> tuple[int, Row]:
        with self.books.lock:
            account, is_public = self.api.caller(*who)
        self._count(account, path)
        call = Call(method, path, params, who[0], account, is_public)
        if not key:
            return self._do(call, key, fault)
        fingerprint = json.dumps([method, path, params], sort_keys=True)
        place = (account, key)
        with self._lock:
            kept = self._kept.get(place)
            if kept is not None and kept["at"] + KEPT_SECONDS < self.books.now():
                kept = None
            if kept is not None and kept["fingerprint"] != fingerprint:
                message = (
                    "Keys for idempotent requests can only be used with the same parameters they were first used with."
                    f" Try using a key other than '{key}' if you meant to execute a different request."
                )
                raise ApiError(400, message, type="idempotency_error")
            if kept is not None and kept["status"] is None:
                message = f"There is currently another in-progress request using this Idempotent Key {key}."
                raise ApiError(409, message, code="idempotency_key_in_use", headers={"Stripe-Should-Retry": "true"})
            if kept is not None:
                noted["replayed"] = True
                return kept["status"], kept["body"]
            self._kept[place] = {"fingerprint": fingerprint, "status": None, "at": self.books.now()}
        try:
            status, body = self._do(call, key, fault)
        except BaseException as error:
            # What failed before it began, such as a wrong parameter, is not kept: the same key may try again.
            with self._lock:
                if isinstance(error, ApiError) and error.status == 402:
                    self._kept[place] |= {"status": 402, "body": error.body}
                else:
                    self._kept.pop(place, None)
            raise
        with self._lock:
            if place in self._kept:
                self._kept[place] |= {"status": status, "body": body}
        if fault and fault["what"] == "timeout_after":
            time.sleep(fault["seconds"])
        return status, body

    def _do(self, call: Call, key: str, fault: Row | None) -> tuple[int, Row]:
        if fault and fault["what"] == "slow":
            time.sleep(fault["seconds"])  # its key is in progress all the while
        with self.books.lock:
            self.books.request = {"id": f"req_{time.monotonic_ns():x}", "idempotency_key": key or None}
            self.books.livemode = "_live_" in call.key
            try:
                body = self.api.answer(call)
            finally:
                self.books.request = {"id": None, "idempotency_key": None}
        if fault and fault["what"] == "error_after":
            error = {"type": "api_error", "message": "An error occurred. Sorry about that!"}
            return 500, {"error": error}
        if fault and fault["what"] == "timeout_after" and not key:
            time.sleep(fault["seconds"])
        return 200, body

    def _count(self, account: str, path: str) -> None:
        most = self.books.settings["rate_limit"]
        if most is None:
            return
        endpoint = "/".join(path.split("/")[:4]) if path.startswith("/v1/checkout") else "/".join(path.split("/")[:3])
        with self._lock:
            second = (account, endpoint, int(time.monotonic()))
            self._rate[second] += 1
            if self._rate[second] > most:
                headers = {"Stripe-Rate-Limited-Reason": "endpoint-rate"}
                raise ApiError(429, "Request rate limit exceeded.", code="rate_limit", headers=headers)


def hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # gone already
        connection.shutdown(socket.SHUT_RDWR)


def handler_for(front: Front) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            front.opened(self.connection, is_open=True)

        def finish(self) -> None:
            front.opened(self.connection, is_open=False)
            super().finish()

        def do_GET(self) -> None:
            self._any("GET")

        def do_POST(self) -> None:
            self._any("POST")

        def do_DELETE(self) -> None:
            self._any("DELETE")

        def do_OPTIONS(self) -> None:
            self._send(204, {**CORS, "Access-Control-Max-Age": "600"}, b"")

        def _any(self, method: str) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            if not parts.path.startswith(("/v1/", "/oauth/")):
                fields = dict(parse_qsl(body, keep_blank_values=True))
                query = dict(parse_qsl(parts.query, keep_blank_values=True))
                self._send(*pages.answer(front, method, parts.path, query, fields))
                return
            text = "&".join(part for part in (parts.query, body) if part)
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                status, more, content = front.answer(method, parts.path, decode(text), headers)
            except Cut:
                hang_up(self.connection)
                self.close_connection = True
                return
            self._send(status, {**CORS, **more}, content)

        def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    return Handler


def serve_control(front: Front) -> int:
    """The control, on a port of its own: no fault and no closed door reaches it. Returns the port."""
    control = Control(front.api, front)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            arguments = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            try:
                told = {"result": control.run(self.path.strip("/"), arguments)}
            except Exception as error:  # the test that asked is told, and fails there
                told = {"error": repr(error)}
            content = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    server = Quiet(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]
