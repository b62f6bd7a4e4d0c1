"""Serve rendered pages with the site's static files on the loopback, for a browser to look at.

.venv/bin/python tests/look/serving.py var/look 8123
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "site")]

from config.statics import sent  # noqa: E402

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'"
)


class Handler(SimpleHTTPRequestHandler):
    """Static files where the site has them, pages from the folder, under the public content security policy."""

    protocol_version = "HTTP/1.1"

    def translate_path(self, path: str) -> str:
        clean = unquote(urlsplit(path).path)
        if clean.startswith("/static/themes/"):
            return str(ROOT / clean.removeprefix("/static/"))
        if clean.startswith("/static/"):
            return str(ROOT / "site" / clean.removeprefix("/"))
        return super().translate_path(path)

    def do_GET(self) -> None:
        """Scripts and styles go out as the site sends them, so that every test here is one of those."""
        file = Path(self.translate_path(self.path))
        if "/static/" not in self.path or file.suffix not in (".js", ".css") or not file.is_file():
            super().do_GET()
            return
        body = sent(file).encode()
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(file)))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Cache-Control", "max-age=600" if self.path.endswith(".woff2") else "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: what matters is what the browser says."""


@contextmanager
def served(folder: Path, handler: type[Handler] = Handler) -> Iterator[str]:
    """Serve a folder on a free port of the loopback while the block runs; yields the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), partial(Handler, directory=sys.argv[1])).serve_forever()
