"""What every answer carries: the policy of its area, safe headers, a request id; and the pages for what fails."""

from __future__ import annotations

import io
import logging
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from config import errors, policies, urls
from django.conf import LazySettings
from django.core.exceptions import PermissionDenied
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import path, reverse
from django.utils.translation import override

from tests import factories
from tests.ticketing.test_views import text_of

ROOT = Path(__file__).resolve().parents[2]

PUBLIC = {
    "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self' data:",
    "font-src": "'self'", "connect-src": "'self' http://localhost:8001", "manifest-src": "'self'",
    "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'",
}  # fmt: skip
ADMIN = {
    **PUBLIC, "script-src": "'self' 'unsafe-inline'", "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:", "frame-src": "'self'", "media-src": "'self'", "worker-src": "'self' blob:",
    "frame-ancestors": "'self'",
}  # fmt: skip
DOOR = {**PUBLIC, "script-src": "'self' 'wasm-unsafe-eval'", "worker-src": "'self'"}


def policy_of(response: HttpResponse) -> dict[str, str]:
    parts = (part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))
    return {name: "".join(rest) for name, *rest in parts}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("/en/events/{event}/tickets/", PUBLIC, id="ticket-form"),
        pytest.param("/en/nowhere/", PUBLIC, id="nothing-here"),
        pytest.param("/accounts/login/", PUBLIC, id="sign-in"),
        pytest.param("/admin/", ADMIN, id="administration"),
        pytest.param("/door/", DOOR, id="door"),
        pytest.param("/administrator/", PUBLIC, id="almost-the-administration"),
    ],
)
def test_each_area_has_its_policy(client: Client, address: str, expected: dict[str, str]) -> None:
    response = client.get(address.format(event=factories.event().public_id))

    assert policy_of(response) == expected
    camera = "camera=(self)" if expected is DOOR else "camera=()"
    assert response["Permissions-Policy"] == f"{camera}, microphone=(), geolocation=()"


def test_a_preview_is_as_strict_as_the_page_but_may_be_framed_by_its_editor() -> None:
    assert policies.policy_of(policies.area_of("/en/any/", is_preview=True)) == {"frame-ancestors": ["'self'"]}
    assert policies.policy_of(policies.area_of("/en/any/")) == {}


@pytest.mark.django_db
def test_safe_headers_and_the_request_id(client: Client) -> None:
    response = client.get("/accounts/login/")
    followed = client.get("/accounts/login/", headers={"X-Request-ID": "from-the-proxy-1"})
    nonsense = client.get("/accounts/login/", headers={"X-Request-ID": "<script>"})

    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert followed["X-Request-ID"] == "from-the-proxy-1"
    assert re.fullmatch("[0-9a-f]{16}", nonsense["X-Request-ID"])


# --- Nothing inline -----------------------------------------------------------------------------------------------

MAIL_OR_PAPER = ("/mails/", "/mail/", "/documents/")  # no browser applies our policy to them
TEMPLATES = sorted(
    found
    for folder in (ROOT / "site" / "templates", *(ROOT / "apps").glob("*/templates"), ROOT / "themes")
    for found in folder.rglob("*.html")
    if not any(part in str(found) for part in MAIL_OR_PAPER)
)
COMMENT = re.compile(r"{%\s*comment.*?endcomment\s*%}", re.DOTALL)
INLINE = {
    "a style attribute": re.compile(r"""<[^>]*\sstyle\s*=""", re.IGNORECASE),
    "an event attribute": re.compile(r"""<[^>]*\son[a-z]+\s*=\s*["']""", re.IGNORECASE),
    "a style element": re.compile(r"<style\b", re.IGNORECASE),
    "a javascript: address": re.compile(r"javascript:", re.IGNORECASE),
    "a script without src": re.compile(r'<script(?![^>]*(\bsrc=|type="application/(ld\+)?json"))', re.IGNORECASE),
    "something from another host": re.compile(r"""<[^>]*\s(src|href)=["'](https?:)?//""", re.IGNORECASE),
}


def inline_in(text: str) -> set[str]:
    """What a strict policy would refuse in a template."""
    text = COMMENT.sub("", text)
    return {what for what, pattern in INLINE.items() if pattern.search(text)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('<p style="color: red">', {"a style attribute"}),
        ('<button\n onclick="go()">', {"an event attribute"}),
        ("<STYLE>p {}</STYLE>", {"a style element"}),
        ('<a href="javascript:go()">', {"a javascript: address"}),
        ("<script>go()</script>", {"a script without src"}),
        ('<script type="module">go()</script>', {"a script without src"}),
        ('<img src="//cdn.example/x.png">', {"something from another host"}),
        ('<script src="{% static "a.js" %}"></script><link rel="stylesheet" href="/a.css">', set()),
        ('{% comment %}<p style="x">{% endcomment %}<script type="application/ld+json">{}</script>', set()),
    ],
)
def test_the_search_for_inline_code_would_find_some(text: str, found: set[str]) -> None:
    assert inline_in(text) == found


def test_no_template_holds_anything_inline_or_foreign() -> None:
    found = {str(template.relative_to(ROOT)): inline_in(template.read_text(encoding="utf-8")) for template in TEMPLATES}

    assert len(found) > 40
    assert {name: what for name, what in found.items() if what} == {}


# --- When something is wrong --------------------------------------------------------------------------------------


def raise_it(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a fault of ours")


def refuse(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


urlpatterns = [path("fault/", raise_it), path("refused/", refuse), *urls.urlpatterns]
handler400, handler403 = urls.handler400, urls.handler403
handler404, handler500 = urls.handler404, urls.handler500


@pytest.mark.django_db
@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        pytest.param("/fault/", 500, "Nothing was charged, and a place you had in a queue is kept.", id="our-fault"),
        pytest.param("/refused/", 403, "Your account may not open it.", id="not-for-you"),
        pytest.param("/en/nowhere/", 404, "The page does not exist, or its link is not complete.", id="nothing-here"),
    ],
)
def test_each_failure_has_a_page_in_plain_words_with_a_code(
    client: Client, settings: LazySettings, address: str, status: int, words: str
) -> None:
    settings.LANGUAGE_CODE = "en"
    client.raise_request_exception = False

    response = client.get(address)

    assert response.status_code == status
    assert words in text_of(response)
    assert response["X-Request-ID"] in text_of(response)
    assert response["Cache-Control"] == "private, no-store"
    assert "RuntimeError" not in response.content.decode()


def test_the_page_for_our_own_faults_needs_no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_to_connect(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(type(connections["default"]), "cursor", refuse_to_connect)
    with override("sv"):
        response = errors.our_fault(RequestFactory().get("/"))

    assert response.status_code == 500
    assert 'lang="sv"' in response.content.decode()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What our handler writes, through the filters of the settings."""
    handler = next(
        one for one in logging.getLogger().handlers if isinstance(one, logging.StreamHandler) and one.filters
    )
    written = io.StringIO()
    before = handler.setStream(written)
    yield written
    handler.setStream(before)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sent", "logger"),
    [
        pytest.param({"data": {f"field{n}": "1" for n in range(1001)}}, "TooManyFieldsSent", id="too-many-fields"),
        pytest.param(
            {"data": "a=" + "1" * 2_700_000, "content_type": "application/x-www-form-urlencoded"},
            "RequestDataTooBig",
            id="body-too-large",
        ),
        pytest.param({"headers": {"Host": "elsewhere.example"}}, "DisallowedHost", id="another-host"),
        pytest.param({"data": "--", "content_type": "multipart/form-data; boundary="}, "request", id="unreadable"),
    ],
)
def test_what_a_visitor_sends_wrongly_is_a_warning_without_a_traceback(
    client: Client, log: io.StringIO, sent: dict[str, Any], logger: str
) -> None:
    response = client.post(f"/en/events/{factories.event().public_id}/tickets/", **sent)

    assert response.status_code == 400
    name = "django.request" if logger == "request" else f"django.security.{logger}"
    assert [line.split()[:2] for line in log.getvalue().splitlines()] == [["WARNING", name]]


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_a_fault_of_ours_stays_an_error_with_its_traceback(client: Client, log: io.StringIO) -> None:
    client.raise_request_exception = False

    client.get("/fault/")

    lines = log.getvalue().splitlines()
    assert lines[0].split()[:2] == ["ERROR", "django.request"]
    assert lines[-1] == "RuntimeError: a fault of ours"


@pytest.mark.django_db
def test_the_secret_of_an_order_is_masked_in_logs(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    from config.logs import mask

    secret = "s" * 32
    with override("en"):
        client.get(reverse("ticketing:order", args=["ABCDEFGH", secret]))
        ticket = reverse("ticketing:ticket", args=[uuid.uuid4(), secret])

    logged = [mask(record.getMessage()) for record in caplog.records]
    assert any("/en/orders/ABCDEFGH/***" in line for line in logged)
    assert secret not in " ".join(logged) and secret not in mask(f"GET {ticket} 200")
