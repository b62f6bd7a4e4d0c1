"""A mail server that delivers to nobody: it keeps every message it is given and shows them on a web page of its own.

The demo sends its mail here, so that confirmations can be read without sending any. Tests use the class: `.messages()`.
Both servers listen on 127.0.0.1 only. Kept as .eml files, which any mail program opens.

    python -m embedded.mailbox --smtp-port 1025 --http-port 8025 --folder var/demo/mail
"""

import argparse
import asyncio
import contextlib
import email
import email.policy
import html
import re
import signal
import sys
import threading
import time
import uuid
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import getaddresses
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from aiosmtpd.smtp import SMTP, Envelope, Session

from embedded.errors import EmbeddedError
from embedded.steps import fail

KEPT = 2000
SHOWN = 200
ACCEPTED = "250 Kept"
FULL = "452 The mailbox cannot write to its disk"
LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]")

# A message's HTML is somebody else's: shown in a frame that runs nothing, with links that open outside it.
FRAME = "allow-popups allow-popups-to-escape-sandbox"
PAGE_POLICY = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'"
MESSAGE_POLICY = f"default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; sandbox {FRAME}"


@dataclass(frozen=True)
class Message:
    """One kept message. `recipients` are those it was delivered to, blind copies among them."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @cached_property
    def mail(self) -> EmailMessage:
        return email.message_from_bytes(self.path.read_bytes(), policy=email.policy.default)

    @property
    def subject(self) -> str:
        return str(self.mail.get("Subject", "")) or "(no subject)"

    @property
    def sender(self) -> str:
        return str(self.mail.get("From", ""))

    @cached_property
    def recipients(self) -> list[str]:
        return [address for _, address in getaddresses([str(self.mail.get("X-Delivered-To", ""))])]

    @property
    def received(self) -> float:
        return int(self.name.split("-")[0]) / 1e9

    @cached_property
    def text(self) -> str:
        """The plain text part, empty when there is none."""
        part = self.mail.get_body(("plain",))
        return str(part.get_content()).replace("\r\n", "\n") if part else ""

    @cached_property
    def html(self) -> str:
        """The HTML part, empty when there is none; images of the message itself point to `parts/<number>`."""
        part = self.mail.get_body(("html",))
        if not part:
            return ""
        content = str(part.get_content()).replace("\r\n", "\n")
        for number, piece in enumerate(self.mail.walk()):
            if piece.get("Content-ID"):
                content = content.replace("cid:" + str(piece["Content-ID"]).strip("<> "), f"parts/{number}")
        return content

    @property
    def attachments(self) -> list[tuple[int, str, bytes]]:
        """(number of the part, file name, content) of every attachment."""
        found = []
        for number, part in enumerate(self.mail.walk()):
            if part.get_content_disposition() == "attachment":
                payload = part.get_payload(decode=True)
                content = payload if isinstance(payload, bytes) else part.as_bytes()
                found.append((number, part.get_filename() or f"part-{number}", content))
        return found


class Mailbox:
    """The two servers over one folder; port 0 takes any free port. A context manager: started within, stopped after."""

    def __init__(self, folder: Path, *, smtp_port: int = 0, http_port: int = 0) -> None:
        self.folder = folder
        self.smtp_port = smtp_port
        self.http_port = http_port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._http: ThreadingHTTPServer | None = None
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "Mailbox":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Open both ports. Raises EmbeddedError when one is taken or the folder cannot be made."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedError(f"The mail folder {self.folder} cannot be made: {error.strerror}.") from error
        try:
            self._http = ThreadingHTTPServer(("127.0.0.1", self.http_port), _handler(self))
        except OSError as error:
            raise EmbeddedError(f"The mailbox cannot open port {self.http_port}: {error.strerror}.") from error
        self.http_port = self._http.server_address[1]
        loop = asyncio.new_event_loop()
        try:
            opening = loop.create_server(
                lambda: SMTP(_Receiver(self), hostname="localhost"), "127.0.0.1", self.smtp_port
            )
            server = loop.run_until_complete(opening)
        except OSError as error:
            self._http.server_close()
            loop.close()
            raise EmbeddedError(f"The mailbox cannot open port {self.smtp_port}: {error.strerror}.") from error
        self.smtp_port = server.sockets[0].getsockname()[1]
        self._loop = loop
        self._threads = [
            threading.Thread(target=self._http.serve_forever, name="mailbox-pages", daemon=True),
            threading.Thread(target=self._receive, args=(loop, server), name="mailbox-smtp", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Close both ports; the messages stay. Safe to repeat."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None
        if self._http:
            self._http.shutdown()
            self._http.server_close()
            self._http = None
        for thread in self._threads:
            thread.join(5)

    @staticmethod
    def _receive(loop: asyncio.AbstractEventLoop, server: asyncio.Server) -> None:
        loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    @property
    def email_url(self) -> str:
        """For the site's EMAIL_URL."""
        return f"smtp://127.0.0.1:{self.smtp_port}"

    @property
    def address(self) -> str:
        return f"http://localhost:{self.http_port}/"

    def messages(self, recipient: str = "") -> list[Message]:
        """All kept messages, the newest first; with `recipient`, those one of whose recipients contains it."""
        kept = [Message(path) for path in sorted(self.folder.glob("*.eml"), reverse=True)]
        wanted = recipient.strip().lower()
        return [one for one in kept if any(wanted in address.lower() for address in one.recipients)] if wanted else kept

    def message(self, name: str) -> Message | None:
        """One message by its name, None when there is none (or the name is not one of ours)."""
        path = self.folder / f"{name}.eml"
        return Message(path) if re.fullmatch(r"[0-9]+-[0-9a-f]+", name) and path.is_file() else None

    def keep(self, content: bytes, recipients: list[str]) -> None:
        """Write a message down, complete or not at all; the oldest go when there are more than KEPT."""
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
        draft = self.folder / f"{name}.part"
        header = f"X-Delivered-To: {', '.join(recipients)}\r\n".encode()
        try:
            draft.write_bytes(header + content)
            draft.rename(self.folder / f"{name}.eml")
        finally:
            draft.unlink(missing_ok=True)
        for old in sorted(self.folder.glob("*.eml"))[:-KEPT]:
            old.unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget all messages."""
        for path in self.folder.glob("*.eml"):
            path.unlink(missing_ok=True)


class _Receiver:
    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        try:
            self.mailbox.keep(content, [str(recipient) for recipient in envelope.rcpt_tos])
        except OSError:
            return FULL
        return ACCEPTED


def _handler(mailbox: Mailbox) -> type[BaseHTTPRequestHandler]:
    class Pages(BaseHTTPRequestHandler):
        server_version = "Mailbox"
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.respond()

        def do_HEAD(self) -> None:
            self.respond(body=False)

        def respond(self, body: bool = True) -> None:
            host = (self.headers.get("Host") or "").rsplit(":", 1)[0]
            if host not in ("localhost", "127.0.0.1"):  # a name somebody else pointed at this machine
                answer = Answer("Not here", status=HTTPStatus.FORBIDDEN)
            else:
                answer = _answer(mailbox, self.path)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
            self.send_header("Content-Security-Policy", answer.policy)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Cache-Control", "no-store")
            if answer.file_name is not None:
                self.send_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(answer.file_name)}")
            self.end_headers()
            if body:
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet: the demo's terminal shows what a person can do."""

    return Pages


class Answer:
    """What one request gets."""

    def __init__(
        self,
        body: str | bytes,
        *,
        kind: str = "text/html; charset=utf-8",
        status: HTTPStatus = HTTPStatus.OK,
        policy: str = PAGE_POLICY,
        file_name: str | None = None,
    ) -> None:
        self.body = body.encode() if isinstance(body, str) else body
        self.kind, self.status, self.policy, self.file_name = kind, status, policy, file_name


def _answer(mailbox: Mailbox, target: str) -> Answer:
    address = urlsplit(target)
    parts = [part for part in address.path.split("/") if part]
    if not parts:
        return _list_page(mailbox, parse_qs(address.query).get("to", [""])[0])
    if parts == ["mailbox.css"]:
        return Answer((Path(__file__).parent / "mailbox.css").read_bytes(), kind="text/css; charset=utf-8")
    message = mailbox.message(parts[1]) if len(parts) > 1 and parts[0] == "messages" else None
    if message and len(parts) == 2:
        return _message_page(message)
    if message and parts[2:] == ["html"]:
        return Answer('<base target="_blank">' + message.html, policy=MESSAGE_POLICY)
    if message and parts[2:] == ["source"]:
        return Answer(message.path.read_bytes(), kind="text/plain; charset=utf-8")
    if message and len(parts) == 4 and parts[2] == "parts" and parts[3].isdigit():
        return _part(message, int(parts[3]))
    return Answer(_page("Not found", "<p class='empty'>There is no such message.</p>"), status=HTTPStatus.NOT_FOUND)


def _part(message: Message, number: int) -> Answer:
    for index, name, content in message.attachments:
        if index == number:
            return Answer(content, kind="application/octet-stream", file_name=name)
    for index, part in enumerate(message.mail.walk()):
        if index == number and part.get_content_maintype() == "image":
            payload = part.get_payload(decode=True)
            content = payload if isinstance(payload, bytes) else b""
            return Answer(content, kind=part.get_content_type(), policy=MESSAGE_POLICY)
    return Answer("", status=HTTPStatus.NOT_FOUND)


def _list_page(mailbox: Mailbox, recipient: str) -> Answer:
    found = mailbox.messages(recipient)
    rows = "".join(
        f"<li><a class='row' href='/messages/{message.name}'>"
        f"<span class='row__subject'>{html.escape(message.subject)}</span>"
        f"<span class='row__to'>to {html.escape(', '.join(message.recipients))}</span>"
        f"{_time(message)}</a></li>"
        for message in found[:SHOWN]
    )
    empty = (
        "Nothing to this address yet." if recipient else "No mail yet. Buy a ticket, and its confirmation lands here."
    )
    more = f"<p class='empty'>The newest {SHOWN} of {len(found)}; search to find the others.</p>"
    search = (
        "<form class='search' role='search'><label for='to'>Recipient</label>"
        f"<input id='to' name='to' type='search' value='{html.escape(recipient, quote=True)}'>"
        "<button>Search</button></form>"
    )
    body = search + (f"<ul class='rows'>{rows}</ul>" if rows else f"<p class='empty'>{empty}</p>")
    return Answer(_page(f"Mailbox ({len(found)})", body + (more if len(found) > SHOWN else "")))


def _message_page(message: Message) -> Answer:
    attachments = "".join(
        f"<li><a href='/messages/{message.name}/parts/{number}' download>{html.escape(name)}</a> "
        f"<span class='muted'>{max(1, round(len(content) / 1024))} kB</span></li>"
        for number, name, content in message.attachments
    )
    facts = (
        f"<dl class='facts'><dt>From</dt><dd>{html.escape(message.sender)}</dd>"
        f"<dt>To</dt><dd>{html.escape(', '.join(message.recipients))}</dd>"
        f"<dt>At</dt><dd>{_time(message)}</dd></dl>"
    )
    body = "<p><a href='/'>All messages</a></p>" + facts
    if attachments:
        body += f"<h2>Attachments</h2><ul class='files'>{attachments}</ul>"
    if message.html:
        body += (
            f"<iframe class='paper' title='The message as it is shown' sandbox='{FRAME}' "
            f"src='/messages/{message.name}/html'></iframe>"
        )
    if message.text:
        body += f"<h2>Plain text</h2><pre class='paper'>{_with_links(message.text)}</pre>"
    body += f"<p><a href='/messages/{message.name}/source'>Source of the message</a></p>"
    return Answer(_page(message.subject, body))


def _with_links(text: str) -> str:
    """Escape a text and make its addresses links."""
    pieces, end = [], 0
    for found in LINK.finditer(text):
        address = html.escape(found.group(), quote=True)
        pieces += [html.escape(text[end : found.start()]), f"<a href='{address}' rel='noreferrer'>{address}</a>"]
        end = found.end()
    return "".join([*pieces, html.escape(text[end:])])


def _time(message: Message) -> str:
    moment = time.localtime(message.received)
    machine, person = time.strftime("%Y-%m-%dT%H:%M:%S%z", moment), time.strftime("%d %b %H:%M:%S", moment)
    return f"<time datetime='{machine}'>{person}</time>"


def _page(title: str, body: str) -> str:
    name = html.escape(title)
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{name}</title><link rel='stylesheet' href='/mailbox.css'></head>"
        "<body><header class='top'><a href='/'>Foyer mailbox</a></header>"
        f"<main><h1>{name}</h1>{body}</main></body></html>"
    )


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m embedded.mailbox", description="Keep and show mail, deliver none.")
    parser.add_argument("--smtp-port", type=int, default=1025)
    parser.add_argument("--http-port", type=int, default=8025)
    parser.add_argument("--folder", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        with Mailbox(chosen.folder, smtp_port=chosen.smtp_port, http_port=chosen.http_port) as mailbox:
            print(f"Mail to 127.0.0.1:{mailbox.smtp_port} is shown at {mailbox.address}", flush=True)
            stopped.wait()
    except EmbeddedError as error:
        return fail(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
