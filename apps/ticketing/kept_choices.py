"""What a buyer has chosen in the ticket form, kept while they go and sign in.

It lies in their session, so that no guest's name stands in an address. Written only when somebody goes to sign in, and
taken away by their order.
"""

from __future__ import annotations

import time

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.http import urlencode

from apps.accounts.privacy import fields
from apps.events.models import Event
from apps.ticketing.visitors import see_other

SIGN_IN = "sign_in"  # the button in the form
MARK = "kept"  # in the address to which one comes back
STORE = "ticket_choices"
# Of one form that was shown, or of a guest: whoever signs in gets others.
NOT_KEPT = fields("csrfmiddlewaretoken idempotency_key email challenge answer proof code") | {SIGN_IN}
NOT_KEPT_BEGIN = "edition-"
MOST_FIELDS, LONGEST_VALUE = 300, 200
KEPT_SECONDS = 3600


def keep_and_sign_in(request: HttpRequest, event: Event) -> HttpResponse:
    """Keep what was posted, and go to the sign-in, which leads back to the form with all of it. Nothing is ordered."""
    chosen = QueryDict(mutable=True)
    for name, values in list(request.POST.lists())[:MOST_FIELDS]:
        if name not in NOT_KEPT and not name.startswith(NOT_KEPT_BEGIN):
            chosen.setlist(name[:LONGEST_VALUE], [value[:LONGEST_VALUE] for value in values[:MOST_FIELDS]])
    request.session[STORE] = {"event": str(event.public_id), "at": time.time(), "chosen": chosen.urlencode()}
    query = request.GET.copy()  # a link's secret may stand there
    query[MARK] = "1"
    back = f"{reverse('ticketing:form', args=[event.public_id])}?{query.urlencode()}"
    return see_other(f"{reverse(settings.LOGIN_URL)}?{urlencode({'next': back})}")


def of(request: HttpRequest, event: Event) -> QueryDict | None:
    """What was kept for this event within the hour, for whoever comes back from signing in; None for all others."""
    if MARK not in request.GET or settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    kept = request.session.get(STORE)
    if not isinstance(kept, dict) or kept.get("event") != str(event.public_id):
        return None
    if time.time() - kept["at"] >= KEPT_SECONDS:
        forget(request)
        return None
    return QueryDict(kept["chosen"])


def forget(request: HttpRequest) -> None:
    """What was kept is ordered, or too old. No session is made for it."""
    if settings.SESSION_COOKIE_NAME in request.COOKIES:
        request.session.pop(STORE, None)
