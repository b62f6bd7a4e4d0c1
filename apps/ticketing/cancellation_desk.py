"""The desk for cancelling events: what it means, the proposal, the other person's confirmation, and how far paying back
has come. One page per event; what can be done there is decided by `cancellations`, whatever the page shows.
"""

from __future__ import annotations

import csv
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import Exists, OuterRef, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View
from laces.components import Component
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.viewsets.base import ViewSet

from apps.accounts import second_step
from apps.accounts.plain_text import one_line
from apps.events import tenancy
from apps.events.desk import AddressesByPublicId, rows_for
from apps.events.models import Event
from apps.events.tenancy import Role
from apps.events.wording import EXPONENT
from apps.ticketing import cancellation_sums, cancellations, clock
from apps.ticketing.models import Cancellation, Order
from apps.ticketing.states import CancellationState, OrderState, RefundState

LOOK_AGAIN_SECONDS = 5
STANDING = [state for state in CancellationState if state != CancellationState.WITHDRAWN]


class ProposalForm(forms.Form):
    """The sentence that buyers read."""

    say_sv = forms.CharField(label=gettext_lazy("To buyers, in Swedish"), max_length=200)
    say_en = forms.CharField(label=gettext_lazy("To buyers, in English"), max_length=200, required=False)

    def clean_say_sv(self) -> str:
        return one_line(self.cleaned_data["say_sv"])

    def clean_say_en(self) -> str:
        return one_line(self.cleaned_data["say_en"])


class CodeForm(forms.Form):
    """The code from the second person's app."""

    code = forms.CharField(
        label=gettext_lazy("The code from your app"),
        max_length=12,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "one-time-code"}),
    )


class CancellationView(AddressesByPublicId, PermissionCheckedMixin, WagtailAdminTemplateMixin, View):
    """What the desk's pages share: the user's own events alone, for those who keep events or books."""

    model = Event
    any_permission_required = ["view"]
    actions_needed = ("view",)
    header_icon = "cross"

    def get_page_title(self) -> str:
        return _("Cancel an event")

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": reverse("cancellation_desk:index"), "label": _("Cancel an event")}]


class IndexView(CancellationView):
    """The events that can be cancelled, and those that are."""

    template_name = "ticketing/admin/cancellations.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        standing = Cancellation.objects.filter(event=OuterRef("pk"), state__in=STANDING)
        events = (
            rows_for(request.user, Event, "view")
            .filter(Q(ends_at__gt=clock.now()) | Exists(standing))
            .select_related("organisation")
            .order_by("starts_at", "pk")
        )
        states = {row.event_id: row for row in Cancellation.objects.filter(event__in=events, state__in=STANDING)}
        rows = [(event, states.get(event.pk)) for event in events]
        return self.render_to_response(self.get_context_data(rows=rows))


class EventView(CancellationView):
    """One event: propose, withdraw, confirm, and look how far it has come."""

    template_name = "ticketing/admin/cancellation.html"

    @cached_property
    def event(self) -> Event:
        return self.get_object()

    def get_page_subtitle(self) -> str:
        return str(self.event)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*super().get_breadcrumbs_items(), {"url": "", "label": str(self.event)}]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._show()

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        do = request.POST.get("do", "")
        form: forms.Form | None = None
        try:
            if do == "propose":
                form = ProposalForm(request.POST)
                if not form.is_valid():
                    return self._show(form, status=400)
                cancellations.propose(self.event, by=request.user, **form.cleaned_data)
                messages.success(
                    request, _("Proposed. Nothing has happened to the event yet: another person confirms it.")
                )
            elif do in ("withdraw", "confirm"):
                self._decide(do)
        except cancellations.WrongCode as refusal:
            form = CodeForm(request.POST)
            form.add_error("code", refusal.sentence)
            return self._show(form, status=400)
        except cancellations.CannotCancel as refusal:
            messages.error(request, refusal.sentence)
        return HttpResponseRedirect(request.path)

    def _decide(self, do: str) -> None:
        """On the very proposal that the page showed: a later one has another number."""
        shown = self.event.cancellations.select_related("event__organisation")
        cancellation = next((row for row in shown if str(row.public_id) == self.request.POST.get("proposal")), None)
        if cancellation is None:
            raise cancellations.CannotCancel(_("The proposal is not there any more. Nothing was changed."))
        if do == "withdraw":
            cancellations.withdraw(cancellation, by=self.request.user)
            messages.success(self.request, _("Withdrawn. The event goes on as before."))
            return
        code, passkey = (self.request.POST.get(name, "") for name in ("code", "passkey"))
        cancellations.confirm(cancellation, by=self.request.user, code=code, passkey=passkey)
        messages.success(
            self.request, _("The event is cancelled. Nothing is sold, nobody is let in, and paying back has begun.")
        )

    def _show(self, form: forms.Form | None = None, *, status: int = 200) -> HttpResponse:
        cancellation = cancellations.of(self.event)
        is_proposed = cancellation is not None and cancellation.state == CancellationState.PROPOSED
        context: dict[str, Any] = {"event": self.event, "cancellation": cancellation, "is_proposed": is_proposed}
        user = self.request.user
        if cancellation is None or is_proposed:
            context |= {"plan": cancellation_sums.plan(self.event), "is_over": self.event.ends_at <= clock.now()}
        else:
            context |= self._progress(cancellation)
        if cancellation is None:
            context["form"] = form or ProposalForm(
                initial={
                    "say_sv": "Vi måste tyvärr ställa in. Alla pengar går tillbaka.",
                    "say_en": "We are sorry to have to cancel. All money goes back.",
                }
            )
        elif is_proposed:
            context |= {
                "form": form if isinstance(form, CodeForm) else CodeForm(),
                "is_own": cancellation.proposed_by_id == user.pk,
                "may_confirm": cancellations.may_confirm(user, self.event),
                "has_second_step": second_step.is_set_up(user),
                "passkey": second_step.ask_passkey(user),
            }
        context["payouts"] = cancellation_sums.payouts(self.event) if self._sees_books else []
        response = self.render_to_response(self.get_context_data(**context))
        response.status_code = status
        if cancellation is not None and cancellation.state == CancellationState.RUNNING:
            response["Refresh"] = str(LOOK_AGAIN_SECONDS)
        return response

    @property
    def _sees_books(self) -> bool:
        return tenancy.has_role(self.request.user, self.event.organisation, Role.TREASURER)

    def _progress(self, cancellation: Cancellation) -> dict[str, Any]:
        progress = cancellation_sums.progress(cancellation)
        return {
            "progress": progress,
            "sums": [
                (RefundState(state).label, *progress.sums[state]) for state in RefundState if state in progress.sums
            ],
            "short_at": cancellation_sums.label_of(cancellation.short_provider),
            "in_line": Order.objects.filter(
                event=self.event, state__in=[state for state in cancellation_sums.LIVE if state != OrderState.PAID]
            ).count(),
        }


class PayoutsView(CancellationView):
    """What a treasurer pays back by hand, as a file for a spreadsheet."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        event: Event = self.get_object()
        if not tenancy.has_role(request.user, event.organisation, Role.TREASURER):
            raise Http404
        response = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")  # the mark makes Excel read UTF-8
        response["Content-Disposition"] = f'attachment; filename="payouts-{event.public_id}.csv"'
        file = csv.writer(response, delimiter=";")
        names = [_("Order"), _("Name"), _("E-mail"), _("Amount"), _("Currency"), _("Paid with"), _("State")]
        file.writerow(names)
        for row in cancellation_sums.payouts(event):
            amount = number_format(Decimal(row.amount_minor).scaleb(-EXPONENT), decimal_pos=EXPONENT)
            cells = [row.reference, row.name, row.email, amount, row.currency, row.paid_as, row.state]
            file.writerow([_harmless(cell) for cell in cells])
        return response


def _harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP: CSV injection)."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


class CancellationDesk(ViewSet):
    """The addresses of the desk, and its place in the menu."""

    name = "cancellation_desk"
    url_prefix = "cancel"
    icon = "cross"
    menu_label = gettext_lazy("Cancel an event")
    menu_name = "cancel-event"
    menu_order = 170
    add_to_admin_menu = True

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", self.construct_view(IndexView), name="index"),
            path("<uuid:pk>/", self.construct_view(EventView), name="event"),
            path("<uuid:pk>/payouts.csv", self.construct_view(PayoutsView), name="payouts"),
        ]


class ProposedPanel(Component):
    """The dashboard tells a treasurer that somebody waits for their confirmation."""

    name = "cancellations"
    template_name = "ticketing/admin/cancellation_panel.html"
    order = 40

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def get_context_data(self, parent_context: Any) -> dict[str, Any]:
        waiting = Cancellation.objects.filter(state=CancellationState.PROPOSED).select_related("event", "proposed_by")
        return {"proposed": list(tenancy.scope(waiting, self.request.user, Role.TREASURER)[:8])}
