"""The stand-in as tests use it: started as a process, asked to fail, and signed in at by a test client."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from django.test import Client

ROOT = Path(__file__).resolve().parents[2]
CLIENT_ID, SECRET = "foyer-tests", "a secret of the tests"


@dataclass
class Identity:
    """A running stand-in. `providers` are settings that lead to it."""

    url: str

    def order(self, **orders: Any) -> dict[str, Any]:
        """`order(trouble="expired", times=1)`, `order(rotate=True)`, `order(person={…})`, `order(clear=True)`."""
        return requests.post(f"{self.url}/control", json=orders, timeout=10).json()

    @property
    def providers(self) -> dict[str, Any]:
        keys = {"client_id": CLIENT_ID, "secret": SECRET}
        joins = {"email_authentication": True}
        liu = {
            "url": self.url,
            "issuer": "http://fs.liu.se/adfs/services/trust",
            "resource": "https://foyer.example/",
            "claims": ["eduPersonPrimaryAffiliation", "studentUnion"],
            **joins,
        }
        oidc = {"server_url": f"{self.url}/oidc", "claims": ["studentUnion"], "oauth_pkce_enabled": True, **joins}
        return {
            "liu": {"APPS": [{**keys, "settings": liu}]},
            "openid_connect": {"APPS": [{**keys, "provider_id": "uni", "name": "Universitetet", "settings": oidc}]},
            "google": {"APPS": [{**keys, "settings": {**joins, "oauth_pkce_enabled": True}}]},
            "facebook": {"APPS": [{**keys, "settings": {"email_authentication": False}}]},
            "github": {"APPS": [{**keys, "settings": joins}]},
        }


@contextmanager
def running() -> Iterator[Identity]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.identity"], cwd=ROOT, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    )
    try:
        assert process.stdout
        yield Identity(json.loads(process.stdout.readline())["url"])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]


def begin(client: Client, address: str, **values: str) -> str:
    """Press a provider's button; the address that the browser goes on to."""
    page = client.post(address, values)
    assert page.status_code == 200, (page.status_code, page.get("Location"))
    return page["Refresh"].removeprefix("0; url=")


def choose(address: str, person: str) -> str:
    """Choose a person on the provider's page; where it sends them back to, as path and query."""
    data = {"cancel": "1"} if person == "" else {"person": person}
    answer = requests.post(address, data=data, allow_redirects=False, timeout=30)
    assert answer.status_code == 302, answer.text
    back = urlsplit(answer.headers["Location"])
    return f"{back.path}?{back.query}"


def sign_in(client: Client, address: str, person: str, **values: str) -> Any:
    """All the way there and back; the answer of our callback."""
    return client.get(choose(begin(client, address, **values), person))
