"""The organiser's pages of what guests chose and answered: counts for the kitchen, and a list of everybody.

Editors and treasurers see the counts and the list. What tells about health or belief stands beside a name only for
editors, and only when they ask for it; that somebody did is noted.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
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

from apps.accounts.request_ids import current_request_id
from apps.events import tenancy
from apps.events.desk import AddressesByPublicId
from apps.events.models import Event
from apps.events.tenancy import Role
from apps.ticketing import clock, kitchen
from apps.ticketing.models import AuditEntry

LISTED = 200
MAY_LOOK = (Role.EDITOR, Role.TREASURER)
READ = "private_answers_read"


def may_look(user: Any) -> bool:
    """Whether `user` arranges anything, or keeps books."""
    return bool(user.is_superuser or tenancy.organisation_ids(user, *MAY_LOOK))


def events_of(user: Any) -> Any:
    """The events whose guests `user` may look at, the latest first."""
    return tenancy.scope(Event.objects.all(), user, *MAY_LOOK).order_by("-starts_at", "-pk")


class OfGuests(AddressesByPublicId):
    """Open to an organisation's editors and treasurers; to others an event of that name is not there."""

    request: HttpRequest
    kwargs: dict[str, Any]

    @cached_property
    def event(self) -> Event:
        return get_object_or_404(
            events_of(self.request.user).select_related("organisation"), public_id=self.kwargs["pk"]
        )

    @cached_property
    def may_read_private(self) -> bool:
        return tenancy.has_role(self.request.user, self.event.organisation, Role.EDITOR)

    @cached_property
    def with_private(self) -> bool:
        """Whether what is private stands beside names: asked for by somebody who needs it, which is noted."""
        user: Any = self.request.user
        if "private" not in self.request.GET or not self.may_read_private:
            return False
        AuditEntry.objects.create(
            model=Event._meta.label_lower,
            row_id=self.event.pk,
            old="",
            new="",
            reason=READ,
            actor=user,
            request_id=current_request_id(),
            at=clock.now(),
        )
        return True


class AnswersIndexView(OfGuests, WagtailAdminTemplateMixin, TemplateView):
    """The events, the latest first."""

    template_name = "ticketing/admin/answers_index.html"
    page_title = gettext_lazy("Choices and answers")
    header_icon = "list-ul"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not may_look(request.user):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": str(self.page_title)}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        events = events_of(self.request.user).select_related("organisation")[:LISTED]
        return {**super().get_context_data(**kwargs), "events": events}


class EventAnswersView(OfGuests, WagtailAdminTemplateMixin, TemplateView):
    """What the guests of one event chose and answered."""

    template_name = "ticketing/admin/answers.html"
    page_title = gettext_lazy("Choices and answers")
    header_icon = "list-ul"

    def get_page_subtitle(self) -> str:
        return str(self.event)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("answers"), "label": str(AnswersIndexView.page_title)},
            {"url": "", "label": str(self.event)},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        event = self.event
        return {
            **super().get_context_data(**kwargs),
            "event": event,
            "types": kitchen.counts(event, with_private=self.may_read_private),
            "questions": kitchen.questions(event, with_private=self.with_private),
            "guests": kitchen.guests(event, with_private=self.with_private),
            "may_read_private": self.may_read_private,
            "with_private": self.with_private,
        }


class _Echo:
    """A file that hands each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def _file(name: str, rows: Iterable[tuple[str, ...]]) -> HttpResponseBase:
    """Rows as CSV (RFC 4180, UTF-8 with a mark so that Excel reads å, ä and ö)."""

    def lines() -> Iterator[str]:
        writer = csv.writer(_Echo())
        yield "\ufeff"
        for row in rows:
            yield writer.writerow(row)

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response["Cache-Control"] = "private, no-store"
    return response


class KitchenFileView(OfGuests, View):
    """The counts of one event, nobody named."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        rows = list(kitchen.kitchen_list(self.event, with_private=self.may_read_private))
        return _file(f"kitchen-{self.event.public_id}", rows)


class GuestsFileView(OfGuests, View):
    """Everybody who comes to one event."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        rows = list(kitchen.guest_list(self.event, with_private=self.with_private))
        return _file(f"guests-{self.event.public_id}", rows)


class AnswersMenuItem(MenuItem):
    def is_shown(self, request: HttpRequest) -> bool:
        return may_look(request.user)


def menu_item() -> MenuItem:
    """The way to the lists, for those who may look."""
    return AnswersMenuItem(
        gettext_lazy("Guests' choices"), reverse("answers"), name="answers", icon_name="list-ul", order=162
    )
