"""`python -m tests.registries [--port N]`: serves until it is ended, and says where in one line of JSON.

Modes: well; late (answers after ten seconds), drip (a byte now and then), cut (hangs up in the middle), error (500),
empty, nonsense, wrong_shape, somebody_else, redirect, huge, bomb (entities that unfold), fault (SOAP), not_soap,
deep (nested without end), no_union (the field is missing), denied (403 whatever the key).
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from lxml import etree

from tests.registries import PASSWORD, TOKEN, USERNAME, known_as

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SESAM = "http://service.integration.it.liu.se/StudentService/2.0"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
LATE_SECONDS = 10
BOMB = "".join(
    [
        '<?xml version="1.0"?><!DOCTYPE z [<!ENTITY a0 "ha">',
        *(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)),
        f']><e:Envelope xmlns:e="{SOAP}"><e:Body>&a9;</e:Body></e:Envelope>',
    ]
)


class State:
    """How the registers answer now, and how often each was asked."""

    mode = "well"
    asked: Counter[str] = Counter()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Nothing is written: the line with the address is all that is read."""

    def do_GET(self) -> None:
        if self.path == "/control/asked":
            self._send(200, json.dumps(State.asked).encode())
        elif self.path.startswith("/api/v1/students/"):
            State.asked["kobra"] += 1
            self._kobra()
        else:
            self._send(200, b'{"union": {"name": "LinTek"}}')

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/control/mode":
            State.mode = json.loads(body)["mode"]
            self._send(200, b"{}")
            return
        State.asked["sesam"] += 1
        self._sesam(body)

    # --- Kobra -------------------------------------------------------------------------------------------------------

    def _kobra(self) -> None:
        if self._misbehaved("application/json"):
            return
        if self.headers.get("Authorization") != f"Token {TOKEN}" or State.mode == "denied":
            self._send(403, b'{"detail": "You do not have permission to perform this action."}')
            return
        path = urlsplit(self.path)
        name = unquote(path.path.removeprefix("/api/v1/students/").rstrip("/")).lower()
        found = known_as("id", name) or known_as("liu_id", name)
        if found is None:
            self._send(404, b'{"detail": "Not found."}')
            return
        union = {"url": "https://kobra.example/api/v1/unions/1/", "id": "1", "name": found["union"]}
        told: dict[str, Any] = {
            **found,
            "union": union if found["union"] else None,
            "section": None,
            "liu_lin": found["id"],
            "email": f"{found['liu_id']}@student.liu.se",
            "last_updated": "2026-11-01T12:00:00Z",
        }
        if path.query != "expand=union":
            told["union"] = "https://kobra.example/api/v1/unions/1/"
        if State.mode == "somebody_else":
            told["id"] = told["liu_id"] = "somebody"
        if State.mode == "no_union":
            del told["union"]
        if State.mode == "wrong_shape":
            told["union"] = [1, 2]
        self._send(200, json.dumps(told).encode())

    # --- Sesam -------------------------------------------------------------------------------------------------------

    def _sesam(self, body: bytes) -> None:
        if self._misbehaved("text/xml"):
            return
        envelope = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
        if not self._is_signed(envelope) or State.mode == "denied":
            self._fault("The security token could not be authenticated or authorized", 500)
            return
        if State.mode == "fault":
            self._fault("Internal error at row 4711")
            return
        identity = envelope.find(f".//{{{SESAM}}}Identity")
        names = {etree.QName(child).localname: (child.text or "").lower() for child in identity}
        key = {"norEduPersonLIN": "id", "LiUId": "liu_id"}.get(next(iter(names)), "")
        found = known_as(key, next(iter(names.values())))
        if found is None:
            self._fault("Could not find Student in database")
            return
        lin, liu_id = (found["id"], found["liu_id"]) if State.mode != "somebody_else" else ("x", "x")
        union = "" if State.mode == "no_union" else f"<s:MainUnion>{found['union'] or ''}</s:MainUnion>"
        self._envelope(
            f'<s:GetStudentResponse xmlns:s="{SESAM}"><s:Student><s:DisplayName>{found["name"]}</s:DisplayName>'
            f"<s:LiUId>{liu_id}</s:LiUId><s:norEduPersonLIN>{lin}</s:norEduPersonLIN>{union}"
            "<s:eduPersonScopedAffiliations>student@liu.se</s:eduPersonScopedAffiliations>"
            "</s:Student></s:GetStudentResponse>"
        )

    def _is_signed(self, envelope: Any) -> bool:
        """WS-Security UsernameToken with a digest: base64(sha1(nonce + created + password))."""
        token = envelope.find(f".//{{{WSSE}}}UsernameToken")
        if token is None or token.findtext(f"{{{WSSE}}}Username") != USERNAME:
            return False
        nonce = base64.b64decode(token.findtext(f"{{{WSSE}}}Nonce") or "")
        created = (token.findtext(f"{{{WSU}}}Created") or "").encode()
        digest = base64.b64encode(hashlib.sha1(nonce + created + PASSWORD.encode()).digest()).decode()
        return bool(nonce) and token.findtext(f"{{{WSSE}}}Password") == digest

    def _fault(self, text: str, status: int = 500) -> None:
        self._envelope(f"<e:Fault><faultcode>e:Server</faultcode><faultstring>{text}</faultstring></e:Fault>", status)

    def _envelope(self, inner: str, status: int = 200) -> None:
        text = f'<?xml version="1.0"?><e:Envelope xmlns:e="{SOAP}"><e:Body>{inner}</e:Body></e:Envelope>'
        self._send(status, text.encode(), "text/xml; charset=utf-8")

    # --- Both --------------------------------------------------------------------------------------------------------

    def _misbehaved(self, kind: str) -> bool:
        """Whether the mode was one of those that concern no content."""
        mode = State.mode
        if mode == "late":
            time.sleep(LATE_SECONDS)
            return False
        if mode == "drip":
            self._begin(200, 1000, kind)
            for _byte in range(100):
                try:
                    self.wfile.write(b" ")
                    self.wfile.flush()
                except OSError:
                    return True
                time.sleep(0.3)
            return True
        if mode == "cut":
            self._begin(200, 1000, kind)
            self.wfile.write(b'{"id": "5f')
            self.close_connection = True
            return True
        bodies = {
            "error": (500, b"<h1>Internal Server Error</h1>"),
            "empty": (200, b""),
            "nonsense": (200, b"\xff\xfe\x00<<<"),
            "not_soap": (200, b"<html><body>Please sign in</body></html>"),
            "huge": (200, b" " * (8 * 1024 * 1024)),
            "bomb": (200, BOMB.encode()),
            "deep": (200, (b"[" if "json" in kind else b"<a>") * 100_000),
        }
        if mode == "redirect":
            self.send_response(302)
            self.send_header("Location", f"http://{self.headers['Host']}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return True
        if mode in bodies:
            self._send(*bodies[mode], kind)
            return True
        return False

    def _begin(self, status: int, length: int, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
        try:
            self._begin(status, len(body), kind)
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # whoever asked has hung up


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    server = Server(("127.0.0.1", parser.parse_args().port), Handler)
    print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}), flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
