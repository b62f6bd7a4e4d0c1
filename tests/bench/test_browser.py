"""The buyers of the bench fill in the forms that a page really has, and read from it what it really says."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench import rush, weight, wrk
from bench.browser import Failed, attribute, form_in

PAGE = b"""
<form method="post" action="/i18n/setlang/"><input type="hidden" name="next" value="/en/"></form>
<form class="ticket" method="post" action="/en/events/1/tickets/" data-none="Choose &amp; send.">
  <input type="hidden" name="csrfmiddlewaretoken" value="abc"><input type="hidden" name="idempotency_key" value="k1">
  <input type="number" name="type-7" min="0" value="0"><input name="email" type="email" value="" required>
  <label><input type="checkbox" name="fewer_is_fine" value="1" checked></label>
  <template><input type="radio" name="choice-7-__n__-3" value="cider" disabled>
  <input type="radio" name="choice-7-__n__-3" value="juice"><input type="radio" name="choice-7-__n__-3" value="beer">
  </template><button name="action" value="buy">Buy</button>
</form>
"""


def test_form_is_sent_as_the_page_has_it() -> None:
    form = form_in(PAGE, asking="idempotency_key")

    assert form.action == "/en/events/1/tickets/"
    assert rush.filled_in(form, 12) == {
        "csrfmiddlewaretoken": "abc",
        "idempotency_key": "k1",
        "type-7": "1",
        "choice-7-1-3": "juice",
        "email": "buyer12@example.org",
        "fewer_is_fine": "1",
    }


def test_missing_form_and_missing_attribute_are_errors() -> None:
    with pytest.raises(Failed, match="asks for terms"):
        form_in(PAGE, asking="terms")
    with pytest.raises(Failed, match="data-ahead"):
        attribute(PAGE, "data-ahead")
    assert attribute(PAGE, "data-none") == "Choose & send."


@pytest.mark.parametrize(
    ("page", "state"),
    [
        (b'<div data-sale data-state=""></div><section data-queue data-state="queued">', "queued"),
        (b'<section data-queue data-state="waiting">', "waiting"),
        (b'<input type="checkbox" name="terms">', "reserved"),
        (b'<div class="queue__candles">', "paid"),
        (b"<h1>No tickets this time</h1>", "over"),
    ],
    ids=["queued", "waiting", "reserved", "paid", "over"],
)
def test_order_page_is_read_by_what_is_on_it(page: bytes, state: str) -> None:
    assert rush.state_of(page) == state


def test_percentile_of_little_and_of_nothing() -> None:
    assert [rush.percentile([1.0, 2.0, 3.0, 4.0], part) for part in (0, 0.5, 0.95, 1)] == [1.0, 3.0, 4.0, 4.0]
    assert rush.percentile([], 0.95) == 0.0


FILES = {
    "/page": b'<link rel="stylesheet" href="/a.css"><link rel="icon" href="/i.svg"><script type="module" src="/m.js">',
    "/form": b'<link rel="stylesheet" href="/a.css"><p>Choose</p>',
    "/a.css": b"@font-face { src: url('f.woff2'); unicode-range: U+0020-007E, U+00A0-00FF }"
    b" @font-face { src: url('ext.woff2'); unicode-range: U+0100-02BA }",
    "/m.js": b'import { enhance } from "./enhance.js";',
    "/enhance.js": b"export const enhance = () => {};",
    "/f.woff2": b"f" * 700,
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path in FILES else 404)
        self.end_headers()
        self.wfile.write(FILES.get(self.path, b""))

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_first_visit_counts_what_a_browser_loads_once_and_no_pictures(address: str) -> None:
    found = weight.of(f"{address}/page", f"{address}/form")

    texts = [body for name, body in FILES.items() if not name.endswith(".woff2")]
    assert found == weight.Weight(text=sum(len(gzip.compress(body, 6)) for body in texts), fonts=700)


def test_missing_wrk_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(AssertionError, match="install it with `apt-get install wrk`"):
        wrk.program()
