"""The HTTP server around the houses, and below /control what tests order."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.identity.houses import Asked, Houses, Told


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


def serve(port: int = 0) -> tuple[Server, Houses]:
    """A server on a port of this machine, not yet running."""
    houses = Houses()
    server = Server(("127.0.0.1", port), _handler(houses))
    houses.url = f"http://127.0.0.1:{server.server_address[1]}"
    return server, houses


def _control(houses: Houses, orders: dict[str, Any]) -> Told:
    if "person" in orders:
        houses.people.put(orders["person"])
    if "trouble" in orders:
        houses.trouble.order(orders["trouble"], orders.get("times"))
        houses.trouble.seconds = orders.get("seconds", houses.trouble.seconds)
    if orders.get("clear"):
        houses.trouble.clear()
    if orders.get("rotate"):
        houses.rotate()
    return Told(200, {"key_questions": houses.key_questions, "keys": [key.id for key in houses.keys]})


def _handler(houses: Houses) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "StandIn"

        def do_GET(self) -> None:
            self.respond()

        def do_POST(self) -> None:
            self.respond()

        def respond(self) -> None:
            parts = urlsplit(self.path)
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            if parts.path == "/control":
                told = _control(houses, json.loads(sent or "{}"))
            else:
                headers = {name.lower(): value for name, value in self.headers.items()}
                query = dict(parse_qsl(parts.query))
                asked = Asked(self.command, parts.path, query, dict(parse_qsl(sent)), headers)
                told = houses.answer(asked)
            self.send(told)

        def send(self, told: Told) -> None:
            is_text = isinstance(told.body, str) or told.body is None
            body = (told.body or "").encode() if is_text else json.dumps(told.body).encode()  # type: ignore[union-attr]
            self.send_response(told.status)
            self.send_header("Content-Type", told.kind or ("text/plain" if is_text else "application/json"))
            self.send_header("Content-Length", str(len(body)))
            if told.location:
                self.send_header("Location", told.location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    return Handler
