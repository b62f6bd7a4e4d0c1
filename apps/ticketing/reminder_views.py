"""Being reminded of an opening: by a calendar entry, or by one mail that can be called off.

Nothing of the visitor's is used or shown, no session and no cookie, so the forms need no token against strangers.
"""

from __future__ import annotations

import uuid

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from apps.events import feeds
from apps.events.models import Event
from apps.events.translated import active_language
from apps.ticketing import calendars, clock, event_face, reminders
from apps.ticketing.forms import LONGEST_EMAIL
from apps.ticketing.models import Reminder
from apps.ticketing.visitors import held_by_link, in_other_language


def _find(event: uuid.UUID) -> Event:
    return get_object_or_404(Event.objects.select_related("organisation"), public_id=event)


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def remind(request: HttpRequest, event: uuid.UUID) -> HttpResponse:
    """Ask for a reminder. POST takes the address; what is wrong with it is said beside it."""
    found = _find(event)
    email, error, comes_at = "", "", None
    opens_at = reminders.next_opening(found, clock.now())
    if request.method == "POST":
        email = request.POST.get("email", "").strip()[: LONGEST_EMAIL + 1]
        error = _wrong_with(email)
        if not error:
            try:
                comes_at = reminders.remind(found, email, locale=active_language())
            except reminders.NothingToRemindOf:
                opens_at = None
    return render(
        request,
        "ticketing/remind_page.html",
        {
            "event": found,
            "organisation": found.organisation,
            "face": event_face.of(found),
            "opens_at": opens_at,
            "email": email,
            "error": error,
            "comes_at": comes_at,
            "language_url": in_other_language(request),
        },
        status=422 if error else 200,
    )


def _wrong_with(email: str) -> str:
    try:
        if len(email) > LONGEST_EMAIL:
            raise ValidationError("too long")
        validate_email(email)
    except ValidationError:
        return _("Write an e-mail address such as robin@example.org.") if email else _("Write your e-mail address.")
    return ""


@never_cache
@require_safe
def opening_ics(request: HttpRequest, event: uuid.UUID) -> HttpResponse:
    """The next opening as a calendar entry that rings ten minutes before."""
    found = _find(event)
    at = clock.now()
    opens_at = reminders.next_opening(found, at)
    if opens_at is None:
        raise Http404
    file = calendars.write_opening(found, opens_at=opens_at, link=reminders.page_url(found), at=at)
    name = slugify(found.title) or "event"
    return HttpResponse(
        file,
        content_type=feeds.CONTENT_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{name}-tickets.ics"'},
    )


@held_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def reminder(request: HttpRequest, reminder: uuid.UUID, secret: str) -> HttpResponse:
    """Call a reminder off: GET asks, POST does it, also from a mail program's own button (RFC 8058). One that is gone
    already looks the same as one that was just called off."""
    found = Reminder.objects.select_related("event__organisation").filter(public_id=reminder, secret=secret).first()
    if found is not None and request.method == "POST":
        reminders.withdraw(found)
    is_asked = found is not None and request.method != "POST" and found.sent_at is None
    return render(
        request,
        "ticketing/reminder_page.html",
        {
            "event": found.event if found else None,
            "organisation": found.event.organisation if found else None,
            "is_asked": is_asked,
            "language_url": in_other_language(request),
        },
    )
