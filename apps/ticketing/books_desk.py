"""The treasurer's page of each event: what it came to and where the money is, with every entry as a file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView, View
from wagtail.admin.menu import MenuItem
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from apps.events import tenancy
from apps.events.desk import AddressesByPublicId
from apps.events.models import Event
from apps.events.tenancy import Role
from apps.ticketing import books
from apps.ticketing.models import Posting

LISTED = 200


def events_of(user: Any) -> Any:
    """The events whose books `user` keeps, the latest first."""
    return tenancy.scope(Event.objects.all(), user, Role.TREASURER).order_by("-starts_at", "-pk")


def keeps_books(user: Any) -> bool:
    """Whether `user` is a treasurer of any organisation."""
    return bool(user.is_superuser or tenancy.organisation_ids(user, Role.TREASURER))


class ForTreasurers(AddressesByPublicId):
    """Open to whoever keeps the books of an organisation; to others an event of that name is not there."""

    @cached_property
    def event(self) -> Event:
        return get_object_or_404(
            events_of(self.request.user).select_related("organisation"), public_id=self.kwargs["pk"]
        )


class BooksIndexView(ForTreasurers, WagtailAdminTemplateMixin, TemplateView):
    """The events that something is booked for."""

    template_name = "ticketing/admin/books_index.html"
    page_title = gettext_lazy("Books")
    header_icon = "doc-full"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not keeps_books(request.user):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": str(self.page_title)}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        booked = Posting.objects.filter(order__event__isnull=False).values("order__event")
        events = events_of(self.request.user).filter(pk__in=booked).select_related("organisation")[:LISTED]
        return {**super().get_context_data(**kwargs), "events": events}


class EventBooksView(ForTreasurers, WagtailAdminTemplateMixin, TemplateView):
    """What one event came to."""

    template_name = "ticketing/admin/books.html"
    page_title = gettext_lazy("Books")
    header_icon = "doc-full"

    def get_page_subtitle(self) -> str:
        return str(self.event)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("books"), "label": str(BooksIndexView.page_title)},
            {"url": "", "label": str(self.event)},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "event": self.event, "books": books.of_event(self.event)}


class _Echo:
    """A file that hands each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


class EventBooksFileView(ForTreasurers, View):
    """Every ledger entry of one event as CSV (RFC 4180, UTF-8 with a mark so that Excel reads å, ä and ö)."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        event = self.event
        response = StreamingHttpResponse(self._lines(event), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="books-{event.public_id}.csv"'
        response["Cache-Control"] = "private, no-store"
        return response

    @staticmethod
    def _lines(event: Event) -> Iterator[str]:
        writer = csv.writer(_Echo())
        yield "\ufeff"
        for row in books.entries(event):
            yield writer.writerow(row)


class BooksMenuItem(MenuItem):
    """The way to the books, for treasurers."""

    def is_shown(self, request: HttpRequest) -> bool:
        return keeps_books(request.user)


def menu_item() -> MenuItem:
    return BooksMenuItem(gettext_lazy("Books"), reverse("books"), name="books", icon_name="doc-full", order=165)
