"""What a visitor sees when something is wrong: what happened, that no money moved, what to do, and a code to quote.

The code is the request's id, under which the logs tell the rest. The page for our own faults needs no database.
"""

from __future__ import annotations

import sys
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import get_language

from apps.accounts.request_ids import current_request_id
from apps.ticketing.retries import is_passing

RETRY_AFTER_SECONDS = 5


def _page(request: HttpRequest, status: int, template: str = "") -> HttpResponse:
    response = render(request, template or f"{status}.html", {"request_id": current_request_id()}, status=status)
    response["Cache-Control"] = "private, no-store"
    return response


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """The browser sent something that cannot be read."""
    return _page(request, 400)


def forbidden(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """Somebody is where they may not be."""
    return _page(request, 403)


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """Nothing there: the same page for what never was and for what is somebody else's."""
    return _page(request, 404)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form came from a page that was open for too long, or from another site. Nothing was done."""
    return _page(request, 403, "403_csrf.html")


def our_fault(request: HttpRequest) -> HttpResponse:
    """A fault of ours, or a database too busy or away (503: a browser, a crawler and a proxy may come back by
    themselves). Asks nothing of the database, the session or the cache."""
    error = sys.exc_info()[1]  # Django calls this while it handles the error
    is_busy = error is not None and is_passing(error)
    context = {"request_id": current_request_id(), "language": get_language() or "sv"}
    response = HttpResponse(
        render_to_string("503.html" if is_busy else "500.html", context), status=503 if is_busy else 500
    )
    if is_busy:
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    response["Cache-Control"] = "private, no-store"
    return response
