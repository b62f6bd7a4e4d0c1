"""Pages for anonymous visitors, kept whole for a minute, so that a rush reads one page once and not a thousand times.

A page is served from here before Wagtail looks for it: not one query. What decides the page is in the key: host, path,
language and the query parameters that pages may depend on (any other parameter is ignored, so that a shared link with
tracking words still hits). The theme follows from the organisation, whose change makes everything new. Only a session
cookie and a search bypass it; whoever has a link that was sent to them is given the page of all who have one. Only
whole public pages are kept: no form, token or nonce is in them, and they set no cookie. Publishing, and saving an event
or an organisation, begin a new generation; otherwise an entry lives 60 seconds.

Redis holds the pages for all processes. In front of Django stands `Front`, which remembers in this process what was
answered last and gives it again without a request, a middleware or Redis: it asks for the generation twice a second, so
that a page that was published is seen by everybody within a second.
"""

from __future__ import annotations

import copy
import gzip
import hashlib
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache as cache_of_process
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.cache import get_conditional_response
from django.utils.crypto import get_random_string, salted_hmac
from django.utils.translation import get_language

from apps.accounts.request_ids import new_request_id

SECONDS = 60
LOOK_SECONDS = 0.5  # between two looks at the generation
REMEMBERED, REMEMBERED_SECONDS = 256, 5.0
RENEWING_SECONDS = 10
GENERATION = "pages:generation"
# The parameters that a page may depend on: the list of events is filtered and turned over by these.
QUERY = ("show", "by", "when", "page")
# Those that make a page one visitor's own: a search, which anybody may make up without end, and the key in a link that
# was sent to somebody. What is answered to them is neither taken from here nor kept, but for pages that differ from
# others' by one plain key alone: these are kept with a stand-in, which gives way to each visitor's own.
KEYS = ("link",)
OWN = ("q", *KEYS)
PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{8,100}")

View = Callable[..., HttpResponse]
Headers = list[tuple[str, str]]


def generation() -> str:
    """The present generation. A lost one (a flushed cache) is replaced by a fresh one, never by an old number."""
    value = cache.get(GENERATION)
    if value is None:
        value = get_random_string(12)
        cache.add(GENERATION, value, timeout=None)
        value = cache.get(GENERATION, value)
    return value


def begin_anew(**_: Any) -> None:
    """Forget every kept page once the transaction commits. A receiver of publish, unpublish, move and save signals."""
    transaction.on_commit(lambda: cache.set(GENERATION, get_random_string(12), timeout=None))


def takes_part(request: HttpRequest) -> bool:
    """Whether this visitor may get a kept page: anonymous, only looking, and not searching."""
    is_looking = request.method in ("GET", "HEAD") and not any(name in request.GET for name in OWN)
    return is_looking and settings.SESSION_COOKIE_NAME not in request.COOKIES


def keys_of(request: HttpRequest) -> str:
    """The keys that a visitor came with, for another address of the same page: `?link=…`, or nothing."""
    brought = [(name, value) for name in KEYS for value in request.GET.getlist(name)]
    return f"?{urlencode(brought)}" if brought else ""


def key_of(request: HttpRequest) -> str:
    """The name under which this visitor's page is kept."""
    query = [(name, request.GET.getlist(name)) for name in (*QUERY, *KEYS) if name in request.GET]
    parts = (generation(), request.scheme or "", request.get_host(), request.path, get_language() or "", repr(query))
    return "pages:" + hashlib.sha256("\n".join(parts).encode()).hexdigest()


def mark(response: HttpResponse) -> HttpResponse:
    """Say that a page is the same for all anonymous visitors: no form with a token, no name, no message is in it."""
    response.is_same_for_all = True  # type: ignore[attr-defined]
    return response


def kept(view: View) -> View:
    """Serve anonymous visitors from the cache, and keep what `view` answers when it says `is_same_for_all`."""

    def serve(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not takes_part(request):
            if (own := _plain_key(request)) and (answer := _with_key(own, request, *args, **kwargs)):
                return answer
            response = view(request, *args, **kwargs)
            if getattr(response, "is_same_for_all", False):
                response["Cache-Control"] = "private, no-cache"
            return _keep_private(response) if any(name in request.GET for name in KEYS) else response
        key = key_of(request)
        content, content_type, fresh_until = cache.get(key) or (None, "", 0.0)
        # When an entry has had its minute, one request renews it while the others are still given the old one.
        if content is not None and (time.time() < fresh_until or not cache.add(f"{key}:renewing", 1, RENEWING_SECONDS)):
            return _answer(request, content, content_type)
        response, may_be_kept = _made(request, *args, **kwargs)
        if not may_be_kept:
            return response
        content, content_type = bytes(response.content), response["Content-Type"]
        cache.set(key, (content, content_type, time.time() + SECONDS), SECONDS + RENEWING_SECONDS)
        return _answer(request, content, content_type)

    def _made(request: HttpRequest, *args: Any, **kwargs: Any) -> tuple[HttpResponse, bool]:
        """What the view answers, and whether it may be given to others: not when something of this visitor may have got
        in."""
        response = view(request, *args, **kwargs)
        if not getattr(response, "is_same_for_all", False) or response.status_code != 200:
            return response, False
        if hasattr(response, "render"):
            response.render()
        is_own = response.cookies or request.session.accessed or request.META.get("CSRF_COOKIE_NEEDS_UPDATE")
        return response, not is_own

    def _with_key(own: str, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        """The page as it is for everybody who comes with a key, with this one in it; None where it is not that."""
        asked = copy.copy(request)
        known = [(name, value) for name in QUERY for value in request.GET.getlist(name)]
        asked.GET = QueryDict(urlencode([*known, (KEYS[0], stand_in())]))
        asked.META = {**request.META, "QUERY_STRING": asked.GET.urlencode()}
        key = key_of(asked)
        content, content_type, fresh_until = cache.get(key) or (None, "", 0.0)
        if content is None or time.time() >= fresh_until:
            response, may_be_kept = _made(asked, *args, **kwargs)
            if not may_be_kept:
                return None
            content, content_type = bytes(response.content), response["Content-Type"]
            cache.set(key, (content, content_type, time.time() + SECONDS), SECONDS)
        answer = _keep_private(HttpResponse(_for_its_reader(content, own), content_type=content_type))
        answer.is_kept_page, answer.with_stand_in = True, content  # type: ignore[attr-defined]
        return answer

    return serve


def _plain_key(request: HttpRequest) -> str:
    """The one key that makes this visitor's page their own; empty for anybody else, and for a key that an address or a
    page would have to write otherwise."""
    given = request.GET.getlist(KEYS[0])
    is_looking = request.method == "GET" and settings.SESSION_COOKIE_NAME not in request.COOKIES
    alone = is_looking and len(given) == 1 and "q" not in request.GET
    return given[0] if alone and PLAIN_KEY.fullmatch(given[0]) else ""


def _for_its_reader(content: bytes, own: str) -> bytes:
    return content.replace(stand_in().encode(), own.encode())


@cache_of_process
def stand_in() -> str:
    """What stands for each visitor's key in a page that is kept: a word that no editor can write into it."""
    return salted_hmac("events.page_cache", "stand-in", algorithm="sha256").hexdigest()


def _keep_private(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "private, no-store"
    # Not no-referrer, with which a browser sends `Origin: null` and the form would be refused.
    response["Referrer-Policy"] = "same-origin"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _answer(request: HttpRequest, content: bytes, content_type: str) -> HttpResponse:
    response = HttpResponse(content, content_type=content_type)
    # Browsers ask again each time: our own answer is fast, and what is published must be seen at once.
    response["Cache-Control"] = "public, max-age=0, must-revalidate"
    response["ETag"] = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    # It answers None only when it is given no response.
    answer = cast(HttpResponse, get_conditional_response(request, etag=response["ETag"], response=response))
    answer.is_kept_page = True  # type: ignore[attr-defined]
    return answer


# --- In front of Django --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """A page as it was answered: headers without length and request id, the body plain and packed."""

    until: float
    headers: Headers
    tag: str
    plain: bytes
    packed: bytes


class Front:
    """A WSGI application that gives a kept page again as this process answered it before, and asks `app` for the rest.

    What it gives is what Django gave: the same bytes and headers, with a request id of its own; packed where the
    browser takes that, since a kept page holds nothing secret that its length could tell. It remembers some hundred
    pages, each for a few seconds, some more while one visitor fetches it anew, and not beyond its generation. While
    Redis does not answer it gives nothing. A page with a key in it is given with the visitor's own, and never packed.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app
        self.pages: dict[tuple[str, ...], Page] = {}
        self.generation = ""
        self.looked_at = 0.0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        key, own = self._key(environ)
        if key is None:
            return self.app(environ, start_response)
        page = self.pages.get(key)
        if page is not None and self._is_current():
            now = time.monotonic()
            if now < page.until:
                return _give(page, own, environ, start_response)
            if environ["REQUEST_METHOD"] == "GET":
                # This visitor fetches it anew, and may wait in line for it; others are given the old one meanwhile.
                self.pages[key] = replace(page, until=now + RENEWING_SECONDS)
        generation = self.generation
        response = self.app(environ, start_response)
        if environ["REQUEST_METHOD"] == "GET":
            self._remember(key, generation, response)
        return response

    def _key(self, environ: dict[str, Any]) -> tuple[tuple[str, ...] | None, str]:
        """What decides the page (as `key_of`), and the visitor's own key, if any; None for a visitor who may not be
        given a kept one."""
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return None, ""
        if settings.SESSION_COOKIE_NAME + "=" in environ.get("HTTP_COOKIE", ""):
            return None, ""
        query = own = ""
        if environ.get("QUERY_STRING"):
            given = parse_qsl(environ["QUERY_STRING"], keep_blank_values=True)
            if brought := [(name, value) for name, value in given if name in OWN]:
                own = brought[0][1] if len(brought) == 1 and brought[0][0] in KEYS else ""
                if not PLAIN_KEY.fullmatch(own) or environ["REQUEST_METHOD"] != "GET":
                    return None, ""
            known = [(name, value) for name, value in given if name in QUERY]
            known += [(name, stand_in()) for name, _value in brought]
            query = repr(sorted(known, key=lambda pair: (*QUERY, *KEYS).index(pair[0]))) if known else ""
        proxied = settings.SECURE_PROXY_SSL_HEADER
        scheme = environ.get(proxied[0], "") if proxied else environ["wsgi.url_scheme"]
        return (environ.get("HTTP_HOST", ""), scheme, environ["PATH_INFO"], query), own

    def _is_current(self) -> bool:
        """Whether what is remembered is of the present generation, as of half a second ago; else it is forgotten."""
        now = time.monotonic()
        if now - self.looked_at > LOOK_SECONDS:
            self.looked_at = now
            present = cache.get(GENERATION) or ""
            if present != self.generation:
                self.generation = present
                self.pages = {}
                return False
        return bool(self.generation)

    def _remember(self, key: tuple[str, ...], generation: str, answer: Iterable[bytes]) -> None:
        if not getattr(answer, "is_kept_page", False):
            self.pages.pop(key, None)
            return
        response = cast(HttpResponse, answer)
        self._is_current()
        if response.status_code != 200 or response.cookies or not generation or generation != self.generation:
            return  # or it changed while the page was made: the next one is remembered
        if len(self.pages) >= REMEMBERED:
            self.pages = {}
        headers = [(name, value) for name, value in response.items() if name not in ("Content-Length", "X-Request-ID")]
        headers = [(name, value) for name, value in headers if name not in ("ETag", "Vary")]
        vary = ", ".join(part for part in (response.get("Vary", ""), "Accept-Encoding") if part)
        self.pages[key] = Page(
            until=time.monotonic() + REMEMBERED_SECONDS,
            headers=[*headers, ("Vary", vary)],
            tag=response.get("ETag", "").strip('"'),
            plain=getattr(response, "with_stand_in", response.content),
            packed=gzip.compress(response.content, 6) if "ETag" in response else b"",
        )


ID_FROM_PROXY = re.compile(r"^[A-Za-z0-9_-]{8,40}$")


def _give(page: Page, own: str, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    given = environ.get("HTTP_X_REQUEST_ID", "")
    headers: Headers = [*page.headers, ("X-Request-ID", given if ID_FROM_PROXY.match(given) else new_request_id())]
    if own:
        body = _for_its_reader(page.plain, own)
        start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
        return [body]
    headers.append(("ETag", f'W/"{page.tag}"'))
    if page.tag in environ.get("HTTP_IF_NONE_MATCH", ""):
        start_response("304 Not Modified", headers)
        return []
    body = page.plain
    if "gzip" in environ.get("HTTP_ACCEPT_ENCODING", ""):
        body = page.packed
        headers.append(("Content-Encoding", "gzip"))
    start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def connect() -> None:
    """Begin a new generation whenever what pages show changes. Called once, when apps are ready."""
    from django.db.models.signals import post_delete, post_save
    from wagtail.signals import page_published, page_unpublished, post_page_move

    from apps.events.models import Event, EventPage, HomePage, LegalText, Organisation, OrganisationPage, PlainPage

    for signal in (page_published, page_unpublished, post_page_move):
        signal.connect(begin_anew, dispatch_uid="page_cache")
    for model in (Event, Organisation, EventPage, HomePage, LegalText, OrganisationPage, PlainPage):
        post_save.connect(begin_anew, sender=model, dispatch_uid="page_cache")
        post_delete.connect(begin_anew, sender=model, dispatch_uid="page_cache")
