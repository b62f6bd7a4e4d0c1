"""The ticket in hand: its page, its evening for a calendar, and the worker that keeps the page on the phone.

The page is `no-store`: no cache between us and the holder, nor the browser's own, may keep what a link opens. The
worker keeps a copy all the same, and rightly: it does so on the phone that was given the link and for what the link is
for, only of tickets opened on that phone, at most 20, until two days after the event, and it asks the house first.
"""

from __future__ import annotations

import logging
import uuid

from csp.constants import SELF
from csp.decorators import csp_update
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from apps.events import feeds
from apps.events.models import Event
from apps.events.templatetags.icons import picture
from apps.ticketing import calendars, clock, event_face, ticket_page
from apps.ticketing.extensions import Act, ticket_acts
from apps.ticketing.models import Order, Ticket
from apps.ticketing.states import OrderState, TicketState
from apps.ticketing.visitors import held_by_link, in_other_language

log = logging.getLogger(__name__)

KEPT_AT_MOST = 20
PATIENCE_MS = 3000


def _find(ticket: uuid.UUID, secret: str) -> Ticket:
    rows = Ticket.objects.select_related("event__organisation", "ticket_type", "line__order")
    return get_object_or_404(rows, public_id=ticket, secret=secret)


@held_by_link  # type: ignore[arg-type]  # django-csp knows of no view with arguments
@csp_update({"worker-src": [SELF]})  # type: ignore[arg-type]
@require_safe
def ticket(request: HttpRequest, ticket: uuid.UUID, secret: str) -> HttpResponse:
    """One ticket with its code, or why it has none any more."""
    found = _find(ticket, secret)
    return render(
        request,
        "ticketing/ticket.html",
        {
            "page": ticket_page.read(found),
            "acts": _acts(found),
            "ticket": found,
            "event": found.event,
            "organisation": found.event.organisation,
            "face": event_face.of(found.event),
            "language_url": in_other_language(request),
        },
    )


def _acts(ticket: Ticket) -> list[tuple[Act, SafeString]]:
    """What else may be done with a ticket, each with its icon. A part that fails is passed over: the code is what the
    page is for."""
    if not ticket_acts or ticket.state not in (*ticket_page.SHOWS_CODE, TicketState.SUPERSEDED):
        return []
    at, found = clock.now(), []
    for part in ticket_acts:
        try:
            # The icons are our own drawings.
            found += [(act, mark_safe(picture(act.icon))) for act in part.acts(ticket, at)]
        except Exception as error:
            log.error("%s cannot say what can be done with ticket %s: %r", part.slug, ticket.public_id, error)
    return found


@held_by_link
@require_safe
def ticket_ics(request: HttpRequest, ticket: uuid.UUID, secret: str) -> HttpResponse:
    """The ticket's evening as a calendar file; nothing there for a ticket that is no longer good."""
    found = _find(ticket, secret)
    if found.state not in ticket_page.SHOWS_CODE:
        raise Http404
    return _calendar(found.event, reverse("ticketing:ticket", args=[found.public_id, found.secret]))


@held_by_link
@require_safe
def order_ics(request: HttpRequest, reference: str, secret: str) -> HttpResponse:
    """The evening of a paid order as a calendar file."""
    rows = Order.objects.select_related("event__organisation")
    found = get_object_or_404(rows, reference=reference, secret=secret, state=OrderState.PAID)
    return _calendar(found.event, reverse("ticketing:order", args=[found.reference, found.secret]))


def _calendar(event: Event, path: str) -> HttpResponse:
    file = calendars.write(event, link=settings.SITE_URL + path, at=clock.now())
    name = slugify(event.title) or "event"
    return HttpResponse(
        file,
        content_type=feeds.CONTENT_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{name}.ics"'},
    )


@require_safe
def worker(request: HttpRequest) -> HttpResponse:
    """The service worker of the ticket pages in one language: at a steady address above them, so that it rules these
    and no other page. Browsers look for a new one at each visit."""
    tickets = reverse("ticketing:ticket_worker").removesuffix("worker.js")
    offline_page = render_to_string("ticketing/ticket_offline.html", {"site_name": settings.WAGTAIL_SITE_NAME})
    script = render_to_string(
        "ticketing/ticket_worker.js",
        {"most": KEPT_AT_MOST, "patience_ms": PATIENCE_MS, "tickets": tickets, "offline_page": offline_page},
    )
    response = HttpResponse(script, content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    response["Service-Worker-Allowed"] = tickets
    return response
