"""What buyers open: the tickets for sale, and one of them. Each parses, calls, and renders.

Buying leads to an ordinary order's page; nothing is held before that.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts.personal_data import verified_emails
from apps.events import finding
from apps.events.models import Event
from apps.events.translated import active_language
from apps.resale import buying, market, offers, owners, rules
from apps.resale.models import Listing, OfferedListing
from apps.resale.states import ListingState
from apps.ticketing import clock, event_face, guards, ordering, reasons, sale_control, sale_notice
from apps.ticketing.guards import Wish
from apps.ticketing.models import Order
from apps.ticketing.states import TicketState
from apps.ticketing.visitors import address_of, in_other_language, person_of, remember, see_other

BESIDE = 4  # listings on an event's own page


@never_cache
@require_safe
def resale(request: HttpRequest) -> HttpResponse:
    """The tickets for sale. An address with empty parts, as the form sends it, is led to the shorter one."""
    asked = market.read(request)
    if finding.says_nothing(request):
        return redirect(reverse("resale:market") + asked.query())
    context = market.context(request, asked, person_of(request))
    return render(request, "resale/market.html", {**context, "language_url": in_other_language(request)})


@never_cache
@require_safe
def of_event(request: HttpRequest, event: uuid.UUID) -> HttpResponse:
    """What is for sale to one event: the fragment of its page."""
    at, asked = clock.now(), market.Asked(event=event)
    ids = list(market.found(asked, at).values_list("pk", flat=True)[: market.PER_PAGE + 1])
    rows = market.rows_of(ids[:BESIDE], at, person_of(request))
    more_url = reverse("resale:market") + asked.query()
    return render(request, "resale/of_event.html", {"rows": rows, "number": len(ids), "more_url": more_url})


@never_cache
@ensure_csrf_cookie
@require_http_methods(["GET", "HEAD", "POST"])
def listing(request: HttpRequest, listing: uuid.UUID, secret: str = "") -> HttpResponse:
    """One ticket that is for sale, to whoever looks at the marketplace or has its private link; POST buys it."""
    found = _find(listing, secret)
    return _buy(request, found) if request.method == "POST" else _show(request, found)


def _find(public_id: uuid.UUID, secret: str) -> Listing:
    """Raises Http404 alike for one that is not there and one that is not for this address."""
    row = offers.told(Listing.objects.filter(public_id=public_id)).select_related("held_by__order").first()
    if row is None or (secret and row.secret != secret):
        raise Http404
    if not secret and (row.needs_link or not _has_page(row.event)):
        raise Http404
    return row


def _has_page(event: Event) -> bool:
    return Event.objects.filter(finding.told(), pk=event.pk).exists()


def _buy(request: HttpRequest, found: Listing) -> HttpResponse:
    person = person_of(request)
    email = person.email if person is not None else request.POST.get("email", "")[:254]
    wish = Wish(email=email, key=request.POST.get("idempotency_key", "")[:64])
    if _is_stopped(found.event) and not Order.objects.filter(idempotency_key=wish.key).exists():
        wish.wrong("sale", reasons.sentence(reasons.SALE_STOPPED), reasons.SALE_STOPPED)
        return _show(request, found, wish)
    passage = guards.judge(request, found.event, wish, person, address=request.path)
    if passage.page is not None:
        return passage.page
    if wish.errors:
        return _show(request, found, wish)
    try:
        order = buying.buy(
            [found],
            email=email,
            user=person,
            idempotency_key=wish.key,
            locale=active_language(),
            seen=_seen(request, found),
        )
    except ordering.Refused as refusal:
        wish.add_problems(refusal.problems)
        return _show(request, found, wish, proven_code=request.POST["code"] if passage.is_proven else "")
    passage.note(order)
    response = see_other(address_of(order))
    remember(response, found.event, order)
    return response


def _is_stopped(event: Event) -> bool:
    """Whether an order would stand in line until the sale goes on."""
    return sale_control.state_of(event.pk).stands_still(clock.now())


def _seen(request: HttpRequest, found: Listing) -> dict[int, int]:
    """What the page that was sent said the ticket costs; nothing where it says none."""
    text = request.POST.get("seen", "")
    is_sum = text.isascii() and text.isdigit() and len(text) <= 9
    return {found.pk: int(text)} if is_sum else {}


def _show(request: HttpRequest, found: Listing, wish: Wish | None = None, *, proven_code: str = "") -> HttpResponse:
    at, person = clock.now(), person_of(request)
    quote = offers.quotes([found], at, user=person, locale=active_language()).get(found.pk)
    held_until = found.held_by.order.reserved_until if found.held_by is not None else None
    is_over = rules.is_over(found.event, rules.of(found.event), at)
    key, errors = (wish.key or uuid.uuid4().hex, wish.errors) if wish is not None else (uuid.uuid4().hex, {})
    is_good = found.state == ListingState.OPEN and found.ticket.state == TicketState.VALID and not is_over
    is_held = found.state == ListingState.HELD and not is_over
    notice = sale_notice.of(found.event, sale_control.state_of(found.event_id), at, where="closed")
    is_offered = is_good and OfferedListing.objects.filter(listing=found, is_live=True).exists()
    context: dict[str, Any] = {
        "listing": found,
        "event": found.event,
        "organisation": found.event.organisation,
        "ticket_type": found.ticket.ticket_type,
        "chosen": offers.lines_of(found.ticket),
        "face": event_face.of(found.event),
        "quote": quote,
        "line": quote.lines[0] if quote else None,
        "is_good": is_good and quote is not None and not is_offered,
        "is_offered": is_offered,
        "notice": notice,
        "is_paused": notice.stands_still and (is_good or is_held),
        "is_over": is_over,
        "held_until": held_until if found.state == ListingState.HELD else None,
        "is_own": owners.is_of(found.ticket, person, verified_emails(person) if person is not None else ()),
        "person": person,
        "email": wish.email if wish is not None else "",
        "errors": errors,
        "problem": next((said for name, said in errors.items() if name != "email" or person is not None), ""),
        "key": key,
        "challenge": guards.issue(found.event, key, person),
        "proven_code": proven_code,
        "form_url": request.path,
        "sentence": reasons.sentence(found.reason) if found.reason else _("This ticket is not for sale any more."),
        "others_url": reverse("resale:market") + market.Asked(event=found.event.public_id).query(),
        "language_url": in_other_language(request),
    }
    response = render(request, "resale/buy.html", context, status=wish.status if wish is not None else 200)
    if wish is not None and wish.wait_seconds:
        response["Retry-After"] = str(wish.wait_seconds)
    return response
