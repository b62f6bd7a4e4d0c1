"""What the server is handed: a ready page whole, a file in parts."""

from __future__ import annotations

import io
from typing import Any

import pytest
from config.wsgi import LANES, application
from django.core.signals import request_finished
from django.test import RequestFactory

pytestmark = pytest.mark.django_db


def ask(path: str) -> tuple[Any, str]:
    environ = {**RequestFactory().get(path).environ, "wsgi.input": io.BytesIO()}
    told: list[str] = []
    answer = application(environ, lambda status, headers, exc_info=None: told.append(status))
    return answer, told[0]


def test_a_ready_page_is_a_list_and_its_request_is_over() -> None:
    finished: list[object] = []

    def note(**_: object) -> None:
        finished.append(1)

    request_finished.connect(note)
    try:
        answer, status = ask("/livez")
    finally:
        request_finished.disconnect(note)

    assert (status, type(answer), finished) == ("200 OK", list, [1])
    assert b"".join(answer)


def test_a_file_is_sent_in_parts() -> None:
    answer, status = ask("/static/foyer/favicon.svg")

    assert (status, isinstance(answer, list)) == ("200 OK", False)
    assert b"<svg" in b"".join(answer)
    answer.close()


@pytest.mark.parametrize(
    ("method", "address", "lane"),
    [
        ("GET", "/sv/lyktan/lucia/", "pages"),
        ("GET", "/sv/lyktan/lucia/?link=abcdefgh", "ordering"),
        ("GET", "/sv/lyktan/lucia/?utm=x&link=abcdefgh&y=1", "ordering"),
        ("GET", "/sv/lyktan/lucia/?next=link%3Dabcdefgh", "pages"),
        ("GET", "/sv/lyktan/lucia/?link=a", "pages"),
        ("POST", "/sv/lyktan/lucia/?link=abcdefgh", "pages"),
        ("POST", "/sv/events/x/tickets/", "ordering"),
        ("GET", "/accounts/liu/login/?link=abcdefgh", "signing in"),
        ("GET", "/accounts/liu/login/callback/?link=abcdefgh", "signing in"),
        ("GET", "/sv/orders/AB/cd/pay/?link=abcdefgh", "paying"),
        ("GET", "/webhooks/stripe/?link=abcdefgh", "paying"),
        ("GET", "/door/?link=abcdefgh", "door"),
    ],
)
def test_who_is_served_before_whom(method: str, address: str, lane: str) -> None:
    environ = RequestFactory().generic(method, address).environ

    assert next(one.name for one in LANES if one.takes(environ)) == lane
