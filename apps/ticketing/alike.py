"""Pages of orders that are alike are rendered once, and not for each of the thousands who look in the same minute.

What differs between two such pages is whose order it is, and a few addresses and moments. So a page is rendered with a
stand-in for the order, in which a mark stands for each of these (`blank_forms` does the same); what comes of it is cut
at the marks and kept, and the next page is put together from the pieces. Everything else that a page is told decides
which pages are alike: each value of its context is part of the key, so that what a view adds one day is, too. What
cannot be compared, or is out of the ordinary, is rendered as ever: a page of somebody who is signed in, is told
something (they have just signed out), has a draw's rank, has begun to pay, has money on its way back or is asked
something, of a form with errors, in a theme with templates of its own.
"""

from __future__ import annotations

import copy
import re
import secrets
import string
import uuid
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from django.conf import settings
from django.contrib.messages import get_messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import engines
from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.translation import get_language

from apps.events.looks import footer_links
from apps.events.models import Event, LegalVersion, Organisation
from apps.ticketing.models import Order, Ticket
from apps.ticketing.order_page import OrderPage, PageState, Place, Verdict

MOST_KEPT = 64
STATES = (PageState.WAITING, PageState.RESERVED, PageState.PAID)
# Of an order, what its pages may show besides what is its own. All other columns are empty in the stand-in.
SHOWN = ("state", "reason", "currency", "total_minor", "channel", "was_extended", "event_id", "organisation_id")
# Of the context, what is a page's own: addresses of this order, and moments to the second.
OWN = (
    *("stream_url", "language_url", "waiting_list_url"),
    *("now_iso", "hold_now_iso", "until_iso", "until_time", "looks_again_iso"),
)

Own = dict[str, str]  # {mark: what stands there on this page}


class OutOfTheOrdinary(Exception):
    """This page is like no other, or we cannot tell."""


@dataclass(frozen=True)
class _Kept:
    """What stands between the marks, and which mark follows each but the last. `named` are the rows that the key knows
    by where they are in memory, which is nobody else's for as long as they are kept here."""

    texts: tuple[str, ...]
    marks: tuple[str, ...]
    named: tuple[Any, ...]


_kept: dict[Hashable, _Kept] = {}


def forget() -> None:
    """Render every page anew."""
    _kept.clear()


def show(request: HttpRequest, template: str, context: Mapping[str, Any], *, status: int = 200) -> HttpResponse:
    """The page of an order, as `render` gives it. The context is that of `views._show_order`."""
    try:
        own, told = _own_and_told(request, context)
        known = ((name, _known_by(value)) for name, value in told.items())
        kept = _find(key := (template, get_language(), *_facts(context), *known))
    except OutOfTheOrdinary:
        return render(request, template, dict(context), status=status)
    if kept is None:
        kept = _cut(_render(request, template, context), own, context)
        if request.META.get("CSRF_COOKIE_NEEDS_UPDATE"):  # a token of this visitor's got in: one is as good as none
            return render(request, template, dict(context), status=status)
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        _kept[key] = kept
    parts = [kept.texts[0]]
    for place, text in zip(kept.marks, kept.texts[1:], strict=True):
        parts += (own[place], text)
    return HttpResponse("".join(parts), status=status)


def _find(key: Hashable) -> _Kept | None:
    try:
        return _kept.get(key)
    except TypeError as error:  # something in it has no hash
        raise OutOfTheOrdinary from error


def _own_and_told(request: HttpRequest, context: Mapping[str, Any]) -> tuple[Own, dict[str, Any]]:
    """What is this page's alone, and what else it is told. Raises OutOfTheOrdinary."""
    page: OrderPage = context["page"]
    order: Order = context["order"]
    form, asked = context["form"], context["at_checkout"]
    if (
        page.state not in STATES
        or settings.SESSION_COOKIE_NAME in request.COOKIES
        or len(get_messages(request))
        or request.GET
        or order.draw_id is not None
        or page.opens_at
        or page.risen
        or page.refunds
        or (page.state == PageState.RESERVED and (page.payment or order.name))
        or (form is not None and form.is_bound)
        or (asked is not None and asked.forms)
        or context["pay_here"]
        or context.get("moved")
        or context.get("asked")
        or engines["django"].dressed(order.organisation.theme)  # type: ignore[attr-defined]
    ):
        raise OutOfTheOrdinary
    own: Own = {mark(name): escape(context[name]) for name in OWN}
    own |= {mark(name): escape(getattr(order, name)) for name in ("reference", "secret", "email", "name")}
    own[uuid_mark("order")] = str(order.public_id)
    for number, ticket in enumerate(page.tickets):
        own[uuid_mark(f"ticket {number}")] = str(ticket.public_id)
        own[mark(f"secret of ticket {number}")] = ticket.secret
        own[mark(f"holder of ticket {number}")] = escape(ticket.holder_name)
    if page.place is not None:
        own |= {mark("ahead"): str(page.place.ahead), mark("wanted_ahead"): str(page.place.wanted_ahead)}
    if context["notice"] is not None:
        own[mark("notice")] = escape(context["notice"].stream_url)
    told = {name: value for name, value in context.items() if name not in (*OWN, *_STAND_INS)}
    return own, told


# What is in the context by a stand-in; `_facts` says what of it decides the page.
_STAND_INS = ("page", "order", "place", "at", "form", "at_checkout", "notice")


def _facts(context: Mapping[str, Any]) -> tuple[Hashable, ...]:
    """What decides the page, of that for which there is a stand-in."""
    page: OrderPage = context["page"]
    order: Order = context["order"]
    notice, form, place = context["notice"], context["form"], page.place
    return (
        page.state,
        page.mail_came_back,
        *(getattr(order, name) for name in SHOWN),
        *(bool(context[name]) for name in OWN),
        bool(order.name),
        _minute(order.paid_at),
        _minute(context["at"]),
        tuple(
            (ticket.state, ticket.told, id(ticket.ticket_type), bool(ticket.holder_name), ticket.line.is_given_away)  # type: ignore[attr-defined]
            for ticket in page.tickets
        ),
        place and replace(place, ahead=0, wanted_ahead=0),
        place and place.verdict,
        notice and replace(notice, stream_url=str(bool(notice.stream_url))),
        form and form.initial["terms"],
        tuple((link["url"], link["label"]) for link in footer_links(order.organisation)),
    )


def _known_by(value: Any) -> Hashable:
    """How a value of the context is told from others. Raises OutOfTheOrdinary."""
    if isinstance(value, Event | Organisation):
        return id(value)  # read anew whenever it was changed (kept_rows)
    if isinstance(value, Model) and not isinstance(value, LegalVersion):  # which never changes
        raise OutOfTheOrdinary
    return tuple(value) if isinstance(value, list) else cast(Hashable, value)


# --- The page with its marks -----------------------------------------------------------------------------------------


_marks: dict[str, str] = {}


def mark(name: str) -> str:
    """What stands for a value of this name: a word that nobody outside this process knows. A reference has a form of
    its own, without which there is no address."""
    letters = string.ascii_uppercase + string.digits
    # Of two threads that make one at once, both get the same.
    return _marks.get(name) or _marks.setdefault(
        name, "".join(secrets.choice(letters) for _ in range(8 if name == "reference" else 32))
    )


def uuid_mark(name: str) -> str:
    """The same for a public id, which is a UUID."""
    return _marks.get(name) or _marks.setdefault(name, str(uuid.uuid4()))


def _minute(moment: datetime | None) -> datetime | None:
    """A page tells hours and minutes; what it tells to the second is its own."""
    return moment and moment.replace(second=0, microsecond=0)


@dataclass(frozen=True)
class _PlaceInLine:
    """A Place in which marks stand for the numbers that are the order's own."""

    place: Place
    verdict: Verdict
    ahead: str
    wanted_ahead: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.place, name)


def _render(request: HttpRequest, template: str, context: Mapping[str, Any]) -> str:
    """The page with marks for what is its own."""
    page: OrderPage = context["page"]
    order: Order = context["order"]
    notice = context["notice"]
    place = page.place and _PlaceInLine(page.place, page.place.verdict, mark("ahead"), mark("wanted_ahead"))
    at, stand_in = cast(datetime, _minute(context["at"])), _stand_in(order)
    marked = {
        **context,
        **{name: mark(name) for name in OWN if context[name]},
        "at": at,
        "order": stand_in,
        "place": place,
        "notice": notice and replace(notice, stream_url=notice.stream_url and mark("notice")),
        "page": replace(
            page,
            order=stand_in,
            at=at,
            place=cast(Any, place),
            payment=None,
            tickets=[_ticket_stand_in(ticket, number) for number, ticket in enumerate(page.tickets)],
            unheld=(),
            rows=(),
        ),
    }
    visit = copy.copy(request)
    visit.path = request.path.replace(order.reference, mark("reference")).replace(order.secret, mark("secret"))
    return str(render_to_string(template, marked, visit))


def _stand_in(order: Order) -> Order:
    stand_in = copy.copy(order)
    for field in order._meta.concrete_fields:
        if field.attname not in SHOWN:
            setattr(stand_in, field.attname, None)
    stand_in.public_id = uuid.UUID(uuid_mark("order"))
    stand_in.reference, stand_in.secret, stand_in.email = mark("reference"), mark("secret"), mark("email")
    stand_in.name = order.name and mark("name")
    stand_in.paid_at = _minute(order.paid_at)
    return stand_in


def _ticket_stand_in(ticket: Ticket, number: int) -> Ticket:
    stand_in = copy.copy(ticket)
    stand_in.public_id = uuid.UUID(uuid_mark(f"ticket {number}"))
    stand_in.secret = mark(f"secret of ticket {number}")
    stand_in.holder_name = ticket.holder_name and mark(f"holder of ticket {number}")
    return stand_in


def _cut(text: str, own: Own, context: Mapping[str, Any]) -> _Kept:
    pieces = re.split(f"({'|'.join(own)})", text)
    types = [ticket.ticket_type for ticket in context["page"].tickets]
    return _Kept(tuple(pieces[::2]), tuple(pieces[1::2]), (context["event"], context["organisation"], *types))
