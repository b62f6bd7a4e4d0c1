"""The ticket block as an editor's preview shows it: at any moment, as a guest or as somebody else, without effect.

The page in the preview is made by events (events.travel); this is the form in it. It asks the catalogue, the gates and
the price rules with the moment wanted and `preview=True`, and answers with the templates that buyers get. Places are
counted as they are now. Nothing is written, held or ordered, no cookie is set, and only the event's editors may look.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_replace
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from apps.events import tenancy, travel
from apps.events.models import Event
from apps.events.translated import active_language
from apps.events.travel import Travel
from apps.events.wording import write_moment
from apps.ticketing import catalogue, clock, sale, sale_control, sale_notice, views
from apps.ticketing.context import PurchaseContext
from apps.ticketing.extensions import SeveralPersons, preview_persons
from apps.ticketing.forms import TicketForm
from apps.ticketing.models import Order
from apps.ticketing.states import OrderState

IN_LINE = "in_line"
PLACE_SHOWN = 214  # of somebody in line who does not exist


@dataclass(frozen=True)
class Moment:
    """A moment worth looking at; `at` as the field for it is filled in, empty for now."""

    label: str
    at: str


def persons(event_id: int) -> list[tuple[str, str]]:
    """As whom one may look at an event: (what its address says, words)."""
    others: list[tuple[str, str]] = []
    for person in preview_persons:
        others.append((person.slug, str(person.label)))
        if isinstance(person, SeveralPersons):
            others += [(f"{person.slug}:{word}", label) for word, label in person.variants(event_id)]
    return [("", _("A guest")), *others, (IN_LINE, _("Somebody in line"))]


def _dressed(context: PurchaseContext, wanted: str) -> PurchaseContext:
    """A guest's context as that of the person an address asks for; a guest's where there is none such."""
    slug, _colon, variant = wanted.partition(":")
    if slug not in preview_persons:
        return context
    person = preview_persons.get(slug)
    if variant and isinstance(person, SeveralPersons):
        return person.dress_as(context, variant)
    return person.dress(context)


def moments(event: Event) -> list[Moment]:
    """The moments at which something about the sale changes, in the order of time."""
    types = catalogue.load(event.pk).types
    opens = min((kind.opens_at for kind in types if kind.opens_at), default=None)
    closes = max((kind.closes_at for kind in types if kind.closes_at), default=None)
    before = opens - timedelta(minutes=1) if opens else None
    found = [(_("Before the sale"), before), (_("The sale opens"), opens), (_("The sale closes"), closes)]
    found.append((_("After the event"), event.ends_at))
    return [
        Moment(_("Now"), ""),
        *(Moment(label, at.astimezone(event.zone).strftime("%Y-%m-%dT%H:%M")) for label, at in found if at is not None),
    ]


def address(event: Event, wanted: Travel) -> str:
    """Where the block in a preview gets its form."""
    return f"{reverse('ticketing:form_preview', args=[event.public_id])}?{wanted.query}"


# No CSRF token, which would be a cookie: what is posted here is answered with a sentence and nothing else.
@csrf_exempt
@never_cache
@xframe_options_sameorigin
@csp_replace({"frame-ancestors": [SELF]})  # type: ignore[arg-type]
@require_http_methods(["GET", "HEAD", "POST"])
def tickets(request: HttpRequest, event: Any) -> HttpResponse:
    """The ticket form at the moment and as the person of the query. 404 for all but the event's editors."""
    found = get_object_or_404(Event.objects.select_related("organisation"), public_id=event)
    if not tenancy.has_role(request.user, found.organisation, tenancy.Role.EDITOR):
        raise Http404
    wanted = travel.read(request.GET, found.zone)
    at = wanted.at or clock.now()
    if "clock" in request.GET:  # what the page asks instead of `sale_status`
        return JsonResponse({"now": at.isoformat(), "opens": {}})
    name = "ticketing/preview_block.html" if request.htmx else "ticketing/preview_page.html"  # type: ignore[attr-defined]
    return render(request, name, _context(found, wanted, at, is_sent=request.method == "POST"))


def _context(event: Event, wanted: Travel, at: datetime, *, is_sent: bool) -> dict[str, Any]:
    plain = PurchaseContext(event.pk, event.currency, at, locale=active_language(), preview=True)
    asked = _dressed(plain, wanted.person)
    shown = sale.load(event, asked)
    must_sign_in = event.sign_in_required and asked.user_id is None
    form = TicketForm(shown, email=asked.email, must_sign_in=must_sign_in)
    if is_sent:
        form.errors["preview"] = _("This is a preview. Nothing was ordered.")
    own = _somebody_in_line(event, shown) if wanted.person == IN_LINE else None
    form_url = address(event, wanted)
    where = "block" if shown.state == sale.SaleState.ON_SALE and own is None else "closed"
    return {
        **views.block_context(event, shown, form, form_url=form_url, status_url=f"{form_url}&clock=1"),
        "notice": sale_notice.of(event, _standing(event, at), at, where=where),
        "own_order": own,
        "own_place": PLACE_SHOWN if own is not None and own.state == OrderState.QUEUED else None,
        "own_order_url": form_url,
        "csrf_token": "",
        "told": _tell(event, wanted, at),
        "language_url": form_url,
    }


def _tell(event: Event, wanted: Travel, at: datetime) -> str:
    """What is shown, where it is not simply what a guest sees now."""
    if wanted.is_unreadable:
        return _("“%(given)s” is no day and time. This is how it looks now.") % {"given": wanted.given}
    words = dict(persons(event.pk))
    person = wanted.person if wanted.person in words else ""
    if wanted.at is None and not person:
        return ""
    return _("%(moment)s, seen by: %(person)s. Places are counted as they are now.") % {
        "moment": write_moment(at, event.zone),
        "person": words[person].lower(),
    }


def _standing(event: Event, at: datetime) -> sale_control.Standing:
    """What holds for the sale, unless that was not so yet."""
    standing = sale_control.state_of(event.pk)
    return sale_control.PLAIN if standing.since is not None and at < standing.since else standing


def _somebody_in_line(event: Event, shown: sale.Sale) -> Order | None:
    """An order that nobody placed, and that is never saved; none while nothing can be ordered."""
    if shown.state == sale.SaleState.SOLD_OUT:
        return Order(event=event, state=OrderState.WAITING, rank=PLACE_SHOWN)
    return (
        Order(event=event, state=OrderState.QUEUED, rank=PLACE_SHOWN) if shown.state == sale.SaleState.ON_SALE else None
    )
