"""Pages kept whole for anonymous visitors: same bytes, no query, no cookie; new as soon as something is published."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from config.cache import ForgivingRedisCache
from django.core.cache import cache
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_started
from django.db import close_old_connections, connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from apps.events import page_cache
from apps.events.models import Event, EventPage
from tests import factories
from tests.tenancy.world import World, page_of

pytestmark = pytest.mark.django_db


def body(client: Client, address: str, **headers: Any) -> str:
    return client.get(address, **headers).content.decode()


def test_second_visitor_is_served_without_a_query(ours: World, client: Client) -> None:
    first = client.get(ours.page.url)

    with CaptureQueriesContext(connection) as queries:
        second = Client().get(ours.page.url)

    assert [query["sql"] for query in queries] == []
    assert second.content == first.content
    assert "Fest Lyktan" in second.content.decode()


def test_page_for_visitors_carries_no_cookie_no_token_and_does_not_vary_by_cookie(ours: World, client: Client) -> None:
    for address in (ours.page.url, ours.root.url, "/sv/", "/en/"):
        for _time in ("rendered", "kept"):
            response = client.get(address)

            assert response.status_code == 200
            assert dict(response.cookies) == {}
            assert "Cookie" not in response.get("Vary", "")
            assert "csrfmiddlewaretoken" not in response.content.decode()
            assert "nonce" not in response.content.decode()


def test_page_answers_not_modified(ours: World, client: Client) -> None:
    tag = client.get(ours.page.url)["ETag"]

    response = client.get(ours.page.url, headers={"if-none-match": tag})

    assert (response.status_code, response.content) == (304, b"")


def test_signed_in_visitor_is_never_served_from_the_cache(ours: World, client: Client) -> None:
    anonymous = body(client, ours.page.url)
    client.force_login(factories.user())

    response = client.get(ours.page.url)

    assert ("/accounts/login/" in anonymous, "/accounts/login/" in response.content.decode()) == (True, False)
    assert "/my/" in response.content.decode()
    assert response["Cache-Control"] == "private, no-cache"
    assert body(Client(), ours.page.url) == anonymous


def test_publishing_is_seen_at_once(ours: World, client: Client, django_capture_on_commit_callbacks: Any) -> None:
    assert "Fest Lyktan" in body(client, ours.page.url)

    with django_capture_on_commit_callbacks(execute=True):
        page = EventPage.objects.get(pk=ours.page.pk)
        page.title = "Ny rubrik"
        page.save_revision().publish()

    assert "Ny rubrik" in body(client, ours.page.url)
    assert "Ny rubrik" in body(client, "/sv/")


@pytest.mark.parametrize("what", ["event", "organisation"])
def test_changed_facts_are_seen_at_once(
    ours: World, client: Client, django_capture_on_commit_callbacks: Any, what: str
) -> None:
    client.get(ours.page.url)

    with django_capture_on_commit_callbacks(execute=True):
        if what == "event":
            ours.event.venue = "Domkyrkan"
            ours.event.save()
        else:
            ours.organisation.accent_colour = "#0B3D91"
            ours.organisation.save()

    assert ("Domkyrkan" if what == "event" else "/accents/0b3d91.css") in body(client, ours.page.url)


def test_unpublished_page_is_gone_at_once(ours: World, client: Client, django_capture_on_commit_callbacks: Any) -> None:
    client.get(ours.page.url)

    with django_capture_on_commit_callbacks(execute=True):
        EventPage.objects.get(pk=ours.page.pk).unpublish()

    assert client.get(ours.page.url).status_code == 404


def test_what_nobody_announces_is_seen_after_a_minute(
    ours: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get(ours.page.url)
    Event.objects.filter(pk=ours.event.pk).update(venue="Domkyrkan")
    assert "Domkyrkan" not in body(client, ours.page.url)

    later = time.time() + page_cache.SECONDS + 1
    monkeypatch.setattr(page_cache.time, "time", lambda: later)

    assert "Domkyrkan" in body(client, ours.page.url)


def test_only_one_visitor_renews_a_page_that_has_had_its_minute() -> None:
    rendered = []

    def view(request: HttpRequest) -> HttpResponse:
        rendered.append(1)
        return page_cache.mark(HttpResponse(f"page {len(rendered)}"))

    request = RequestFactory().get("/sv/once/")
    request.session = Client().session
    request.session.accessed = False
    key = page_cache.key_of(request)
    cache.set(key, (b"old", "text/html", time.time() - 1), 60)
    cache.set(f"{key}:renewing", 1, 10)

    assert page_cache.kept(view)(request).content == b"old"
    cache.delete(f"{key}:renewing")
    assert page_cache.kept(view)(request).content == b"page 1"
    assert rendered == [1]


def test_unknown_words_in_the_address_hit_the_same_page_and_known_ones_do_not(ours: World, client: Client) -> None:
    client.get("/sv/")

    with CaptureQueriesContext(connection) as queries:
        client.get("/sv/?utm_source=poster&fbclid=1")
    assert len(queries) == 0

    assert "Fest Lyktan" in body(client, "/sv/events/?q=lyktan")
    assert "Fest Lyktan" not in body(client, "/sv/events/?q=something")


@pytest.mark.parametrize(
    ("query", "is_kept"),
    [
        ("", True),
        ("by=lyktan", True),
        ("when=week", True),
        ("q=lyktan", False),
        ("q=", False),
        ("by=lyktan&q=a", False),
    ],
)
def test_a_search_is_not_kept(ours: World, client: Client, query: str, is_kept: bool) -> None:
    """Anybody can make up words without end: they must not fill the cache."""
    first = client.get(f"/sv/?{query}")

    with CaptureQueriesContext(connection) as queries:
        second = client.get(f"/sv/?{query}")

    assert (first.status_code, second.content) == (200, first.content)
    assert (len(queries) == 0, second["Cache-Control"].startswith("public")) == (is_kept, is_kept)


def test_hosts_and_languages_are_kept_apart(ours: World, client: Client, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["localhost", "testserver"]
    swedish, english = body(client, "/sv/"), body(client, "/en/")
    assert ('<html lang="sv"' in swedish, '<html lang="en"' in english) == (True, True)

    with CaptureQueriesContext(connection) as queries:
        client.get("/sv/", headers={"host": "localhost"})

    assert len(queries) > 0


def test_a_page_that_touches_the_session_is_not_kept(ours: World, client: Client) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        request.session.get("anything")
        return page_cache.mark(HttpResponse("mine"))

    request = RequestFactory().get("/sv/touching/")
    request.session = Client().session
    request.session.accessed = False

    page_cache.kept(view)(request)

    assert cache.get(page_cache.key_of(request)) is None


def test_home_is_listed_with_the_same_number_of_queries_for_one_and_three_events(ours: World, client: Client) -> None:
    def count() -> int:
        cache.delete(page_cache.GENERATION)
        client.get("/sv/")  # warm what Wagtail keeps for itself: site roots, content types
        cache.delete(page_cache.GENERATION)
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/sv/").status_code == 200
        return len(queries)

    with_one = count()
    for number in (1, 2):
        event = factories.event(organisation=ours.organisation, title_sv=f"Fest {number}")
        event.starts_at += timedelta(days=number)
        kind = factories.ticket_type(event, factories.quota(event))
        factories.choice(factories.variation(kind), factories.quota(event))
        page_of(event, ours.root)

    assert count() == with_one


# --- In front of Django --------------------------------------------------------------------------------------------


class Visitor:
    """Asks the whole WSGI application, as the web server does."""

    def __init__(self) -> None:
        self.front = page_cache.Front(WSGIHandler())
        self.reached_django = 0
        inner = self.front.app

        def counted(environ: dict[str, Any], start_response: Any) -> Any:
            self.reached_django += 1
            return inner(environ, start_response)

        self.front.app = counted

    def get(self, path: str, query: str = "", **environ: Any) -> tuple[int, dict[str, str], bytes]:
        asked = RequestFactory().get(path, **environ).environ | {"QUERY_STRING": query}
        told: list[Any] = []
        body = b"".join(self.front(asked, lambda status, headers, *_: told.extend((status, headers))))
        return int(told[0][:3]), dict(told[1]), body


@pytest.fixture
def visitor(ours: World) -> Iterator[Visitor]:
    """Somebody who comes when the page is remembered already."""
    request_started.disconnect(close_old_connections)  # the test's own; Django's client does the same
    made = Visitor()
    for _time in ("rendered", "taken from Redis", "remembered"):
        made.get(ours.page.url)
    made.reached_django = 0
    yield made
    request_started.connect(close_old_connections)


def test_remembered_page_is_what_django_answered_and_never_reaches_it(ours: World, visitor: Visitor) -> None:
    by_django = Client().get(ours.page.url)

    status, headers, content = visitor.get(ours.page.url, "utm_source=poster")

    assert (status, content, visitor.reached_django) == (200, by_django.content, 0)
    differ = {"ETag", "Vary", "X-Request-ID", "Content-Length"}
    assert {n: v for n, v in headers.items() if n not in differ} == {
        n: v for n, v in by_django.items() if n not in differ
    }
    assert (headers["ETag"], len(headers["X-Request-ID"])) == (f"W/{by_django['ETag']}", 16)
    assert "Content-Security-Policy" in headers
    assert "Accept-Encoding" in headers["Vary"]


def test_remembered_page_is_packed_and_answers_not_modified(ours: World, visitor: Visitor) -> None:
    _status, headers, plain = visitor.get(ours.page.url)

    _status, packed_headers, packed = visitor.get(ours.page.url, HTTP_ACCEPT_ENCODING="gzip, br")
    not_modified = visitor.get(ours.page.url, HTTP_IF_NONE_MATCH=headers["ETag"])

    assert (packed_headers["Content-Encoding"], gzip.decompress(packed)) == ("gzip", plain)
    assert int(packed_headers["Content-Length"]) == len(packed) < len(plain)
    assert (not_modified[0], not_modified[2], visitor.reached_django) == (304, b"", 0)


@pytest.mark.parametrize(
    ("query", "environ"),
    [
        ("q=lyktan", {}),
        ("", {"HTTP_COOKIE": "sessionid=abc"}),
        ("", {"REQUEST_METHOD": "POST"}),
        ("", {"HTTP_HOST": "elsewhere.example"}),
        ("by=sexsidan", {}),
        ("", {"wsgi.url_scheme": "https"}),
    ],
    ids=["a search", "signed in", "posting", "another host", "another list", "another scheme"],
)
def test_remembered_page_is_not_for_everybody(
    ours: World, visitor: Visitor, query: str, environ: dict[str, str]
) -> None:
    visitor.get(ours.page.url, query, **environ)

    assert visitor.reached_django == 1


def test_publishing_is_seen_within_a_second_by_a_process_that_remembers(
    ours: World, visitor: Visitor, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert page_cache.LOOK_SECONDS < 1
    monkeypatch.setattr(page_cache, "LOOK_SECONDS", 60.0)  # the machine may stand still between two looks
    with django_capture_on_commit_callbacks(execute=True):
        page = EventPage.objects.get(pk=ours.page.pk)
        page.title = "Ny rubrik"
        page.save_revision().publish()
    assert "Ny rubrik" not in visitor.get(ours.page.url)[2].decode()

    visitor.front.looked_at -= page_cache.LOOK_SECONDS

    assert "Ny rubrik" in visitor.get(ours.page.url)[2].decode()


def test_nothing_is_remembered_beyond_its_seconds_nor_while_redis_is_away(
    ours: World, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = time.monotonic() + page_cache.REMEMBERED_SECONDS
    monkeypatch.setattr(page_cache.time, "monotonic", lambda: later)
    visitor.get(ours.page.url)
    assert visitor.reached_django == 1

    monkeypatch.setattr(ForgivingRedisCache, "_rests_until", later + 1000)
    monkeypatch.setattr(page_cache.time, "monotonic", lambda: later + 1)
    for _ in range(3):
        assert visitor.get(ours.page.url)[0] == 200
    assert visitor.reached_django == 4


def test_others_are_given_the_old_page_while_one_fetches_it_anew(
    ours: World, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who fetches it may wait in line, behind hundreds in a rush; the next few hundred need not follow."""
    later = time.monotonic() + page_cache.REMEMBERED_SECONDS
    monkeypatch.setattr(page_cache.time, "monotonic", lambda: later)
    ask = visitor.front.app
    answered: list[int] = []

    def ask_slowly(*args: Any) -> Any:
        answered.extend(visitor.get(ours.page.url)[0] for _ in range(3))
        return ask(*args)

    monkeypatch.setattr(visitor.front, "app", ask_slowly)
    visitor.get(ours.page.url)

    assert (answered, visitor.reached_django) == ([200] * 3, 1)


def test_a_page_that_is_not_kept_any_more_is_forgotten(
    ours: World, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitor.front, "app", lambda environ, start: start("500 Error", []) or [])
    later = time.monotonic() + page_cache.REMEMBERED_SECONDS
    monkeypatch.setattr(page_cache.time, "monotonic", lambda: later)

    assert [visitor.get(ours.page.url)[0] for _ in range(2)] == [500, 500]


def test_remembered_pages_are_few(ours: World, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody fills the memory by asking for lists that only they would want."""
    monkeypatch.setattr(page_cache, "REMEMBERED", 3)

    for number in range(10):
        visitor.get("/en/", f"page={number}")

    assert len(visitor.front.pages) <= 3
