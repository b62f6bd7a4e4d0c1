"""Two servers that take mail, each a process of its own on loopback: one speaks SMTP, one Resend's API.

What they answer is decided by the first letters of the recipient's address, so that a test chooses by writing to it.
They keep what they took in a folder: messages as the mailbox does, requests as JSON.

    python -m tests.mail_servers smtp|resend --folder <folder>
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session
from embedded.mailbox import Mailbox

from tests.processes import running

KEY = "re_test_123456"
SLOW_SECONDS = 5
# SMTP: said to RCPT TO, and said after the message.
RECIPIENTS = {
    "gone": "550 5.1.1 <{address}>: no such mailbox here",
    "bare": "553 sorry",
    "full": "452 4.2.2 mailbox full",
    "grey": "450 4.7.1 come back in a minute",
    "relay": "550 5.7.1 relaying denied",
}
MESSAGES = {"spam": "554 5.6.0 message not wanted", "later": "451 4.3.0 try again later"}
# Resend: status, name and words of its documented errors.
ERRORS: dict[str, tuple[int, str, str]] = {
    "busy": (429, "rate_limit_exceeded", "Too many requests."),
    "quota": (429, "daily_quota_exceeded", "You have reached your daily email quota."),
    "wrong": (422, "validation_error", "Invalid `to` field. The email address needs to follow the documented format."),
    "sender": (403, "validation_error", "The domain is not verified."),
    "broken": (500, "internal_server_error", "An unexpected error occurred."),
}


class Choosy:
    """An SMTP server's handler with a mind of its own."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if address.startswith("slow"):
            await asyncio.sleep(SLOW_SECONDS)
        for start, answer in RECIPIENTS.items():
            if address.startswith(start):
                return answer.format(address=address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        to = [str(address) for address in envelope.rcpt_tos]
        for start, answer in MESSAGES.items():
            if to[0].startswith(start):
                return answer
        self.mailbox.keep(envelope.content or b"", to)  # type: ignore[arg-type]
        return "250 Kept"


def serve_smtp(folder: Path) -> int:
    loop = asyncio.new_event_loop()
    handler = Choosy(Mailbox(folder))
    opening = loop.create_server(lambda: SMTP(handler, hostname="localhost"), "127.0.0.1", 0)
    server = loop.run_until_complete(opening)
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return server.sockets[0].getsockname()[1]


def serve_resend(folder: Path) -> int:
    taken: dict[str, tuple[bytes, str]] = {}

    class Api(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/emails":
                return self.answer(404, {"name": "not_found", "message": "The requested endpoint does not exist."})
            if self.headers["Authorization"] != f"Bearer {KEY}":
                return self.answer(403, {"name": "invalid_api_key", "message": "API key is invalid."})
            mail = json.loads(body)
            for part in mail.get("attachments", []):
                base64.b64decode(part["content"], validate=True)
            assert mail["from"] and mail["subject"] and isinstance(mail["to"], list)
            start = mail["to"][0].partition("@")[0]
            for name, (status, error, words) in ERRORS.items():
                if start.startswith(name):
                    return self.answer(status, {"statusCode": status, "name": error, "message": words})
            key = self.headers["Idempotency-Key"] or ""
            if key in taken and taken[key][0] != body:
                return self.answer(409, {"name": "invalid_idempotent_request", "message": "Same key, other payload."})
            if key not in taken:
                taken[key] = (body, str(uuid.uuid4()))
                (folder / f"{time.time_ns()}.json").write_text(json.dumps({"key": key, "mail": mail}))
            if start.startswith("garbled"):
                return self.answer(200, b"<html>a proxy's page</html>")
            return self.answer(200, {"id": taken[key][1]})

        def answer(self, status: int, what: Any) -> None:
            content = what if isinstance(what, bytes) else json.dumps(what).encode()
            self.send_response(status)
            if status == 429:
                self.send_header("retry-after", "7")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


@contextmanager
def serving(kind: str, folder: Path) -> Iterator[int]:
    """A server in a process of its own for the length of a with-block; its port."""
    folder.mkdir(parents=True, exist_ok=True)
    with running("-m", "tests.mail_servers", kind, "--folder", str(folder)) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


def requests_in(folder: Path) -> list[dict[str, Any]]:
    """What the API took, the first first."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["smtp", "resend"])
    parser.add_argument("--folder", type=Path, required=True)
    chosen = parser.parse_args()
    print((serve_smtp if chosen.kind == "smtp" else serve_resend)(chosen.folder), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
