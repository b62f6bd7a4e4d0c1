"""PDF tickets to download. The secret in the address is the proof, as for the pages they belong to.

Nothing is rendered here: a file that has not been made yet is asked for, and a small page looks again by itself, a few
times. It also says that nobody needs to wait: the ticket's page shows the same code.
"""

from __future__ import annotations

import uuid
from urllib.parse import quote

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from apps.ticketing import documents
from apps.ticketing.documents import File
from apps.ticketing.models import Order, Ticket
from apps.ticketing.states import OrderState, TicketState
from apps.ticketing.visitors import held_by_link, in_other_language, see_other

LOOKS = 15  # of a page that waits, by itself
LOOK_SECONDS = 2


@held_by_link
@require_safe
def order_pdf(request: HttpRequest, reference: str, secret: str) -> HttpResponse:
    """The tickets of a paid order as PDF. Where there are several files, a page with a link to each (`?file=2`)."""
    rows = Order.objects.select_related("event__organisation", "organisation")
    order = get_object_or_404(rows, reference=reference, secret=secret, state=OrderState.PAID)
    files = documents.files_of(order)
    number = _whole(request.GET.get("file", ""), most=len(files))
    if not files:
        raise Http404
    if len(files) > 1 and not number:
        return render(request, "ticketing/documents/list.html", {**_frame(request, order), "files": files})
    return _answer(request, order, files[(number or 1) - 1], reverse("ticketing:order", args=[reference, secret]))


@held_by_link
@require_safe
def ticket_pdf(request: HttpRequest, ticket: uuid.UUID, secret: str) -> HttpResponse:
    """One ticket as PDF by itself. One that has a new owner leads to its page; any other that is no longer good has
    none."""
    rows = Ticket.objects.select_related("line__order__event__organisation", "line__order__organisation")
    found = get_object_or_404(rows, public_id=ticket, secret=secret)
    file = documents.file_of(found)
    page = reverse("ticketing:ticket", args=[found.public_id, found.secret])
    if file is None and found.state == TicketState.SUPERSEDED:
        return see_other(page)  # which tells what became of it
    if file is None:
        raise Http404
    return _answer(request, found.line.order, file, page, found)


def _answer(
    request: HttpRequest, order: Order, file: File, page_url: str, ticket: Ticket | None = None
) -> HttpResponse:
    content = documents.read(file)
    if content is not None:
        return HttpResponse(
            content,
            content_type="application/pdf",
            headers={"Content-Disposition": _disposition(file.filename)},
        )
    if request.method != "HEAD":  # a program that looks up the link waits for nothing
        documents.ask(order, ticket)
    is_given_up = documents.is_given_up(order, ticket)
    looked = LOOKS if is_given_up else _whole(request.GET.get("looked", ""), most=LOOKS)
    query = request.GET.copy()
    query["looked"] = str(looked + 1)
    again = f"{request.path}?{query.urlencode()}"
    context = {
        **_frame(request, order),
        "page_url": page_url,
        "is_ticket": ticket is not None,
        "again_url": request.path if looked >= LOOKS else again,
        "seconds": LOOK_SECONDS if looked < LOOKS else None,
        "is_given_up": is_given_up,
        "is_late": looked >= LOOKS or bool(documents.why_not(order)),
    }
    return render(request, "ticketing/documents/making.html", context, status=202)


def _frame(request: HttpRequest, order: Order) -> dict[str, object]:
    return {
        "order": order,
        "event": order.event,
        "organisation": order.event.organisation,
        "language_url": in_other_language(request),
    }


def _whole(text: str, *, most: int) -> int:
    """A number out of an address, from 1 to `most`; 0 for anything else."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    return number if number <= most else 0


def _disposition(filename: str) -> str:
    """To be kept as a file; its name in plain letters for old programs, and as it is for the others (RFC 6266)."""
    return f"attachment; filename=\"{documents.ascii_name(filename)}\"; filename*=UTF-8''{quote(filename, safe='')}"
