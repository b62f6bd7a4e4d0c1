"""What buyers put right themselves: their name, their address, a mail that did not arrive, a link they lost.

The link to an order is the proof, as on all its pages. To change the address takes more: the browser that bought, by
its signed cookie, which a link alone never gives anybody (see corrections).
"""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from apps.events.translated import active_language
from apps.ticketing import corrections, event_face, finding, resending
from apps.ticketing.corrections import LONGEST_EMAIL, NotCorrected
from apps.ticketing.models import Order
from apps.ticketing.resending import NotAgain
from apps.ticketing.states import OrderState
from apps.ticketing.visitors import (
    address_of,
    held_by_link,
    in_other_language,
    is_buying_browser,
    person_of,
    remember,
    see_other,
)

DONE = "done"  # in the query of the page that follows: what was done


@held_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def repair(request: HttpRequest, reference: str, secret: str) -> HttpResponse:
    """Name, address, and the mail once more, each a form of its own; POST says in `what` which one is meant."""
    orders = Order.objects.select_related("event__organisation", "organisation", "user")
    order = get_object_or_404(orders, reference=reference, secret=secret)
    if order.is_supplement:
        return see_other(address_of(order))  # the ticket's own order is put right
    problems: dict[str, str] = {}
    what = request.POST.get("what", "")
    if request.method == "POST" and what in _ACTS:
        try:
            return _ACTS[what](request, order)
        except (NotCorrected, NotAgain) as refusal:
            problems[what] = str(refusal)
    return _show(request, order, problems, status=422 if problems else 200)


def _name(request: HttpRequest, order: Order) -> HttpResponse:
    corrections.correct_name(order, request.POST.get("name", ""), actor=person_of(request))
    return see_other(f"{address_of(order)}?{DONE}=name")


def _address(request: HttpRequest, order: Order) -> HttpResponse:
    why_not = corrections.why_not_by_buyer(order, is_buying_browser=is_buying_browser(request, order))
    if why_not:
        raise NotCorrected(why_not)
    corrected = corrections.correct_address(order, request.POST.get("email", ""), actor=person_of(request))
    response = see_other(f"{address_of(corrected)}?{DONE}=email")
    remember(response, corrected.event, corrected)
    return response


def _mail(request: HttpRequest, order: Order) -> HttpResponse:
    resending.resend(order)
    return see_other(f"{address_of(order)}?{DONE}=mail")


_ACTS = {"name": _name, "email": _address, "mail": _mail}


def _show(request: HttpRequest, order: Order, problems: dict[str, str], *, status: int) -> HttpResponse:
    return render(
        request,
        "ticketing/order_repair.html",
        {
            "order": order,
            "event": order.event,
            "organisation": order.organisation,
            "face": event_face.of(order.event),
            "problems": problems,
            "written_name": request.POST.get("name", order.name),
            "written_email": request.POST.get("email", order.email),
            "may_name": order.state in corrections.NAMED,
            "is_paid": order.state == OrderState.PAID,
            "is_written_to": order.state in corrections.STILL_WRITTEN_TO,
            "why_not": corrections.why_not_by_buyer(order, is_buying_browser=is_buying_browser(request, order)),
            "order_url": address_of(order),
            "language_url": in_other_language(request),
        },
        status=status,
    )


def done_words(request: HttpRequest, order: Order) -> str:
    """What was just done, for the page that follows; empty otherwise. Says nothing that is not so anyway."""
    done = request.GET.get(DONE)
    if done == "change":
        return _("Your choices are changed.")
    if done == "no_change":
        return _("The choices are as they were. Nothing more was charged.")
    if done == "name":
        return _("The name is %(name)s now.") % {"name": order.name}
    if done == "email":
        sentence = _("Everything goes to %(email)s now. This page has a new address; the old one leads nowhere.")
        return sentence % {"email": order.email}
    return _("On its way to %(email)s once more.") % {"email": order.email} if done == "mail" else ""


@csrf_exempt  # nothing of the visitor's is used or shown, no session and no cookie
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def find(request: HttpRequest) -> HttpResponse:
    """Have the links of everything bought under an address mailed there. The answer never tells if there is any."""
    email, error, asked, status = "", "", False, 200
    if request.method == "POST":
        email = request.POST.get("email", "").strip()[: LONGEST_EMAIL + 1]
        error = _wrong_with(email)
        status = 422 if error else 200
        if not error and (wait := finding.seconds_to_wait(_place(request))):
            error, status = _("So many have asked from where you are that we wait a little. Try again later."), 429
        elif not error:
            finding.ask(email, locale=active_language())
            asked = True
    context: dict[str, Any] = {
        "email": email,
        "error": error,
        "asked": asked,
        "language_url": in_other_language(request),
    }
    response = render(request, "ticketing/find_page.html", context, status=status)
    if status == 429:
        response["Retry-After"] = str(wait)
    return response


def _wrong_with(email: str) -> str:
    try:
        if len(email) > LONGEST_EMAIL:
            raise ValidationError("too long")
        validate_email(email)
    except ValidationError:
        return _("Write an e-mail address such as robin@example.org.") if email else _("Write your e-mail address.")
    return ""


def _place(request: HttpRequest) -> str:
    """Where on the network a request comes from, past the proxies that settings trust; one place where none can say."""
    try:
        return str(get_adapter(request).get_client_ip(request))
    except PermissionDenied:
        return "unknown"
