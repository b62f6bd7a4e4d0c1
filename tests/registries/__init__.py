"""Registers of student unions as processes: Kobra over HTTP, Sesam over SOAP. They misbehave on command.

    with running() as registers:          # in tests; `python -m tests.registries` beside a demo
        registers.say(mode="late")        # from now on
        registers.asked()                 # how often each was asked

They share the people in PEOPLE and speak the real shapes: paths, tokens and JSON; envelopes, WS-Security and faults.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.processes import running as process

TOKEN = "kobra-token-of-the-house"
USERNAME, PASSWORD = "foyer", "sesam-password-of-the-house"
LINS = {
    "alva": "5f6c1f8e-64a5-4a7c-9d0b-6b1a4f7f0001",
    "bo": "5f6c1f8e-64a5-4a7c-9d0b-6b1a4f7f0002",
    "cleo": "5f6c1f8e-64a5-4a7c-9d0b-6b1a4f7f0003",
}
PEOPLE: list[dict[str, Any]] = [
    {"id": LINS["alva"], "liu_id": "alvek123", "name": "Alva Hemligsson", "union": "LinTek"},
    {"id": LINS["bo"], "liu_id": "bober456", "name": "Bo Hemligsson", "union": None},
]
CROWD = "aaaaaaaa-0000-4000-8000-"  # and twelve digits: whoever ends in an even one is a member of LinTek
SECRET = "Hemligsson"  # what only the registers know, and nobody here may keep


def in_crowd(number: int) -> dict[str, str]:
    """What the LiU login says of one of a crowd, all of whom the registers know."""
    return {"liu_id": f"crowd{number % 1000:03}", "norEduPersonLIN": f"{CROWD}{number:012}"}


def known_as(key: str, name: str) -> dict[str, Any] | None:
    """Whom a register knows by this key."""
    if key == "id" and name.startswith(CROWD):
        union = "LinTek" if int(name[-1]) % 2 == 0 else None
        return {"id": name, "liu_id": f"crowd{name[-3:]}", "name": f"Kim {SECRET}", "union": union}
    return next((one for one in PEOPLE if one.get(key) == name), None)


@dataclass(frozen=True)
class Registers:
    """Both of them, at one address."""

    url: str

    @property
    def settings(self) -> dict[str, str]:
        """The environment of an installation that asks them."""
        return {
            "KOBRA_URL": self.url,
            "KOBRA_TOKEN": TOKEN,
            "SESAM_URL": f"{self.url}/StudentService/2.0",
            "SESAM_USERNAME": USERNAME,
            "SESAM_PASSWORD": PASSWORD,
        }

    def say(self, mode: str = "well") -> None:
        """How they answer from now on; see `__main__`."""
        self._call("/control/mode", json.dumps({"mode": mode}).encode())

    def asked(self) -> dict[str, int]:
        """How many questions came to each."""
        return dict(json.loads(self._call("/control/asked")))

    def _call(self, path: str, body: bytes | None = None) -> bytes:
        with urllib.request.urlopen(self.url + path, body, timeout=5) as answer:
            return answer.read()


@contextmanager
def running() -> Iterator[Registers]:
    """The process, for the length of a with-block."""
    with process("-m", "tests.registries") as spawned:
        assert spawned.stdout is not None
        yield Registers(json.loads(spawned.stdout.readline())["url"])
