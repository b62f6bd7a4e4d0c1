"""Who looks at a buyer's page: signed in, known by the cookie of their order, or by a link that is the key to it.

What every module of views needs. Nothing here writes a session.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse, translate_url
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import get_language, override
from django.views.decorators.csrf import csrf_exempt

from apps.events.models import Event
from apps.ticketing import reading
from apps.ticketing.models import Order

View = Callable[..., HttpResponse]
COOKIE_SECONDS = 24 * 60 * 60
OWN_ORDER = re.compile(r"([0-9A-Z]{8})\.([A-Za-z0-9_-]{16,64})(?:\.([0-9a-f]{32}))?")


def see_other(address: str) -> HttpResponseRedirect:
    """303: what was posted is done, look there."""
    response = HttpResponseRedirect(address)
    response.status_code = 303
    return response


def held_by_link(view: View) -> View:
    """A page whose address is the key to it: not cached, not indexed, not told to other sites."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = "private, no-store"
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    # The secret in the address is the proof; with no-referrer a browser sends `Origin: null`, which CSRF would refuse.
    return csrf_exempt(guarded)


def order_or_404(reference: str, secret: str) -> Order:
    """The order behind a link. A wrong reference and a wrong secret look the same: nothing there."""
    found = reading.order_by_link.first(reference, secret)
    if found is None:
        raise Http404
    return found


def person_of(request: HttpRequest) -> Any:
    """Who is signed in, or None; the session is only read when the visitor sent its cookie."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    return request.user if request.user.is_authenticated else None


def address_of(order: Order) -> str:
    """The order's own page."""
    return reverse("ticketing:order", args=[order.reference, order.secret])


def remember(response: HttpResponse, event: Event, order: Order) -> None:
    """Let this browser find its order again from the event page. A cookie, so that no session is written."""
    response.set_cookie(
        cookie_of(event.public_id),
        f"{order.reference}.{order.secret}.{_signature(order.reference, order.secret)}",
        max_age=COOKIE_SECONDS,
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
    )


def remembered(request: HttpRequest, event: Event) -> tuple[str, str] | None:
    """(reference, secret) of the order this browser placed for the event, as its cookie says; nothing is looked up."""
    match = OWN_ORDER.fullmatch(request.COOKIES.get(cookie_of(event.public_id), ""))
    return (match[1], match[2]) if match else None


def is_buying_browser(request: HttpRequest, order: Order) -> bool:
    """Whether this browser placed the order, or was mailed it: its cookie is signed by us, so that nobody makes one
    from the order's link. `order.event` is read."""
    match = OWN_ORDER.fullmatch(request.COOKIES.get(cookie_of(order.event.public_id), ""))
    if match is None or (match[1], match[2]) != (order.reference, order.secret):
        return False
    return constant_time_compare(match[3] or "", _signature(order.reference, order.secret))


def _signature(reference: str, secret: str) -> str:
    return salted_hmac("ticketing.visitors", f"{reference}.{secret}", algorithm="sha256").hexdigest()[:32]


def cookie_of(event: uuid.UUID) -> str:
    """The name of the cookie in which a browser keeps its order for the event of this public id."""
    return f"order-{event.hex}"


def in_other_language(request: HttpRequest) -> str:
    """The address of this page in the other language."""
    other = "sv" if (get_language() or "sv").startswith("en") else "en"
    match = request.resolver_match
    if match is None:
        return translate_url(request.path, other)
    with override(other):
        return reverse(match.view_name, args=match.args, kwargs=match.kwargs)
