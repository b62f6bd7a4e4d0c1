"""The organiser's desk for what is sold: ticket types and quotas below their event, orders and tickets for treasurers.

A quota's size is changed by `reservations.resize` alone, because `taken` beside it moves while people buy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models, transaction
from django.db.models import Count, F, Prefetch, Q, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise, cached_property
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_filters import BooleanFilter, ChoiceFilter, ModelChoiceFilter
from wagtail.admin import messages
from wagtail.admin.panels import FieldPanel, FieldRowPanel, MultiFieldPanel, ObjectList
from wagtail.admin.ui.tables import Column

from apps.events import tenancy, wording
from apps.events.desk import (
    BelowEvent,
    BelowEventDeleteView,
    DeskCreateView,
    DeskEditView,
    DeskIndexView,
    DeskInspectView,
    MomentColumn,
    OrganisationFilterSet,
    OrganisationReportView,
    OrganisationViewSet,
)
from apps.events.extensions import Gap
from apps.events.models import Event
from apps.events.stale import OneAtATime
from apps.events.translated import lacking
from apps.ticketing import (
    addresses,
    checkout,
    corrections,
    giving,
    giving_desk,
    mail_desk,
    reasons,
    refund_desk,
    refund_rule_desk,
    reservations,
    sale_desk,
    vat_form,
)
from apps.ticketing.admin_forms import (
    HELD_QUOTAS,
    QuestionInlines,
    QuotaForm,
    TicketTypeForm,
    VariationInlines,
    is_held,
)
from apps.ticketing.extensions import audit_words
from apps.ticketing.fulfilment import NO_TICKETS
from apps.ticketing.giving_desk import CancelGiftView
from apps.ticketing.models import (
    AuditEntry,
    Choice,
    Dispute,
    Draw,
    LineChoice,
    Order,
    OrderLine,
    Payment,
    Quota,
    Refund,
    SaleChange,
    Ticket,
    TicketType,
    Variation,
)
from apps.ticketing.order_repair import RepairView
from apps.ticketing.states import OrderState, TicketState

# A line that pays more for a ticket sold before is no ticket more.
SELLS_A_TICKET = ~Q(lines__fulfilment__in=NO_TICKETS)

# --- Below an event ------------------------------------------------------------------------------------------------


class TicketsSection:
    """The EventSection of ticketing: an event's places and ticket types, with the ways to add and change them."""

    slug = "tickets"
    heading = gettext_lazy("Places and tickets")

    def render(self, request: HttpRequest, event: Event) -> SafeString:
        types = (
            TicketType.objects.filter(event=event)
            .prefetch_related(
                "quotas", "questions", Prefetch("variations", Variation.objects.prefetch_related("choices"))
            )
            .annotate(sold=Count("lines", filter=Q(lines__is_held=True) & SELLS_A_TICKET))
        )
        draw = Draw.objects.filter(event=event).first()
        return render_to_string(
            "ticketing/admin/event_tickets.html",
            {
                "event": event,
                "draw": draw,
                "entered": draw.orders.filter(draw_rank__isnull=True).count() if draw else 0,
                "quotas": list(Quota.objects.filter(event=event)),
                "types": list(types),
                "sale": sale_desk.section_context(event),
                "refund_rule": refund_rule_desk.section_context(event),
                "giving_rule": giving_desk.section_context(event),
                "may_change": tenancy.has_role(request.user, event.organisation, tenancy.Role.EDITOR),
            },
            request,
        )


class CatalogueTexts:
    """The TranslatedTexts of ticketing: names and descriptions of tickets, their questions and answers."""

    slug = "catalogue"

    def gaps(self, event: Event) -> list[Gap]:
        found: list[Gap] = []
        types = TicketType.objects.filter(event=event)
        choices = Prefetch("variations", Variation.objects.prefetch_related("choices"))
        for kind in types.prefetch_related(choices, "questions"):
            where = reverse("ticket_type_desk:edit", args=[kind.public_id])
            rows: list[Any] = [kind]
            for variation in kind.variations.all():
                rows += [variation, *variation.choices.all()]
            for row in rows:
                names = ("name", "description") if row is kind else ("name",)
                said = str(kind) if row is kind else f"{kind}, {row.name}"
                found += [Gap(language, f"{said}: {what}", where) for language, what in lacking(row, *names)]
            for question in kind.questions.all():
                said = f"{kind}, {question.text}"
                found += [Gap(language, f"{said}: {what}", where) for language, what in lacking(question, "text")]
        return found


# --- Ticket types --------------------------------------------------------------------------------------------------


class QuotasInUse(Exception):
    """Tickets were sold while the form was open: the quotas they count against cannot be changed any more."""


class WithVariations(BelowEvent):
    """A ticket type's form together with its questions and their answers."""

    template_name = "ticketing/admin/ticket_type_form.html"
    form: Any

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "pk" not in kwargs and not Quota.objects.filter(event=self.event).exists():
            messages.warning(request, _("First say how many places there are; tickets take from them."))
            return HttpResponseRedirect(f"{reverse('quota_desk:add')}?event={self.event.public_id}")
        return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]

    @cached_property
    def variations(self) -> Any:
        return VariationInlines(
            self.request.POST or None,
            instance=self.form_instance,
            prefix="variations",
            quotas=Quota.objects.filter(event=self.event),
        )

    @cached_property
    def questions(self) -> Any:
        # A form that does not speak of questions, such as one opened before there were any, leaves them alone.
        sent = self.request.POST if "questions-TOTAL_FORMS" in self.request.POST else None
        return QuestionInlines(sent, instance=self.form_instance, prefix="questions")

    @property
    def form_instance(self) -> TicketType:
        return self.object if getattr(self, "object", None) is not None else TicketType(event=self.event)

    def is_valid(self, form: Any) -> bool:
        variations_fit = all([self.variations.is_valid(), not self.questions.is_bound or self.questions.is_valid()])
        return super().is_valid(form) and self._agreed(form, variations_fit)  # type: ignore[misc]

    def _agreed(self, form: Any, variations_fit: bool) -> bool:
        if not variations_fit:
            self.produced_error_code = "validation_error"
            self.produced_error_message = self.get_error_message()  # type: ignore[attr-defined]
        return variations_fit

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            return super().form_valid(form)  # type: ignore[misc]
        except QuotasInUse:
            form.add_error("quotas", HELD_QUOTAS)
            self.produced_error_message = self.get_error_message()  # type: ignore[attr-defined]
            return self.form_invalid(form)  # type: ignore[attr-defined]

    def save_instance(self) -> TicketType:
        # The queue decides under these locks: whoever is sold a ticket now counts before or after this change.
        reservations.lock_quotas(self.event.pk)
        kind = self.form.instance
        is_moved = kind.pk and "quotas" in self.form.changed_data
        if is_moved and is_held(kind):
            raise QuotasInUse
        moved = [
            choice.instance.pk
            for variation in self.variations.forms
            for choice in variation.choices.forms
            if choice.instance.pk and "quotas" in choice.changed_data
        ]
        if LineChoice.objects.filter(choice__in=moved, line__is_held=True).exists():
            raise QuotasInUse
        saved = super().save_instance()  # type: ignore[misc]
        self.variations.instance = self.questions.instance = saved
        self.variations.save()
        if self.questions.is_bound:
            self.questions.save()
        if is_moved or moved:
            reservations.look_again(self.event.pk)
        return saved

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)  # type: ignore[misc]
        context["variations"] = self.variations
        context["questions"] = self.questions
        context["currency"] = self.event.currency
        return context


class TicketTypeCreateView(WithVariations, DeskCreateView):
    def get_success_message(self, instance: TicketType) -> str:
        return _("“%(name)s” is created.") % {"name": instance}


class TicketTypeEditView(OneAtATime, WithVariations, DeskEditView):
    def lock(self, row: TicketType) -> None:
        reservations.lock_quotas(row.event_id)  # before the type, as the queue does that marks one as come up
        super().lock(row)

    def get_success_message(self) -> str:
        return _("“%(name)s” is saved.") % {"name": self.object}


class TicketTypeDesk(OrganisationViewSet):
    model = TicketType
    name = "ticket_type_desk"
    url_prefix = "ticket-types"
    icon = "tag"
    views = ("add", "edit", "delete")
    add_view_class = TicketTypeCreateView
    edit_view_class = TicketTypeEditView
    delete_view_class = BelowEventDeleteView
    create_template_name = edit_template_name = WithVariations.template_name
    protected_sentence = gettext_lazy(
        "This ticket type cannot be deleted: somebody has ordered it, it asks questions, or a discount is for it."
        " Untick “published” to stop selling it."
    )
    edit_handler = ObjectList(
        [
            MultiFieldPanel(
                [
                    FieldRowPanel([FieldPanel("name_sv"), FieldPanel("name_en")]),
                    FieldRowPanel([FieldPanel("description_sv"), FieldPanel("description_en")]),
                    FieldRowPanel([FieldPanel("price_minor"), FieldPanel("vat_percent")]),
                    *(
                        FieldRowPanel([FieldPanel(f"vat_amount_{part}"), FieldPanel(f"vat_rate_{part}")])
                        for part in vat_form.PARTS
                    ),
                    FieldPanel("quotas"),
                ],
                heading=gettext_lazy("The ticket"),
            ),
            MultiFieldPanel(
                [
                    FieldRowPanel([FieldPanel("sale_opens_at"), FieldPanel("sale_closes_at")]),
                    FieldRowPanel([FieldPanel("max_per_order"), FieldPanel("max_per_person")]),
                    FieldPanel("is_published"),
                ],
                heading=gettext_lazy("The sale"),
            ),
            MultiFieldPanel(
                [
                    FieldRowPanel([FieldPanel("visibility"), FieldPanel("after_type")]),
                    FieldRowPanel([FieldPanel("min_per_order"), FieldPanel("minimum_age")]),
                    FieldPanel("conflicts_with"),
                    FieldRowPanel([FieldPanel("needs_name"), FieldPanel("needs_id")]),
                    FieldRowPanel([FieldPanel("is_transferable"), FieldPanel("is_resellable")]),
                    FieldRowPanel([FieldPanel("guests_of"), FieldPanel("guests_per_ticket")]),
                    FieldPanel("change_hours"),
                    FieldPanel("position"),
                ],
                heading=gettext_lazy("More"),
                classname="collapsed",
            ),
        ],
        base_form_class=TicketTypeForm,
    )


# --- Quotas --------------------------------------------------------------------------------------------------------


class QuotaCreateView(BelowEvent, DeskCreateView):
    def get_success_message(self, instance: Quota) -> str:
        return _("%(size)s places are ready: “%(name)s”. Next: add the tickets that take from them.") % {
            "size": instance.size,
            "name": instance.name,
        }


class QuotaEditView(BelowEvent, DeskEditView):
    """Renames by an update of the name alone, and resizes through `reservations.resize`: `taken` is never written."""

    def form_valid(self, form: Any) -> HttpResponse:
        quota, size = self.object, form.cleaned_data["size"]
        try:
            with transaction.atomic():
                Quota.objects.filter(pk=quota.pk).update(name=form.cleaned_data["name"])
                if "size" in form.changed_data:
                    reservations.resize(quota, size)
        except reservations.BelowTaken as refusal:
            least = refusal.quota.taken + refusal.quota.set_aside
            form.add_error(
                "size",
                _("%(least)s places are sold or held, so the quota cannot be smaller. Refund tickets first.")
                % {"least": least},
            )
            self.produced_error_message = self.get_error_message()
            return self.form_invalid(form)
        messages.success(self.request, _("“%(name)s” now has %(size)s places.") % {"name": quota.name, "size": size})
        return HttpResponseRedirect(self.get_success_url())


class QuotaDeleteView(BelowEventDeleteView):
    """Deletes places that nothing draws on; the database would let go of the link to a ticket type silently."""

    def form_valid(self, form: Any) -> HttpResponse:
        quota: Quota = self.object
        if quota.taken or quota.set_aside or quota.ticket_types.exists() or quota.choices.exists():
            messages.error(self.request, self.protected_sentence)
            return HttpResponseRedirect(self.get_event_url())
        return super().form_valid(form)


class QuotaDesk(OrganisationViewSet):
    model = Quota
    name = "quota_desk"
    url_prefix = "quotas"
    icon = "group"
    views = ("add", "edit", "delete")
    add_view_class = QuotaCreateView
    edit_view_class = QuotaEditView
    delete_view_class = QuotaDeleteView
    protected_sentence = gettext_lazy("This quota cannot be deleted: tickets take their places from it.")
    edit_handler = ObjectList([FieldRowPanel([FieldPanel("name"), FieldPanel("size")])], base_form_class=QuotaForm)


# --- Orders --------------------------------------------------------------------------------------------------------


class AmountColumn(Column):
    """An amount of the row, written as everywhere."""

    def get_value(self, instance: Any) -> str:
        return wording.write_money(super().get_value(instance) or 0, instance.currency)


class OrderFilterSet(OrganisationFilterSet):
    event = ModelChoiceFilter(queryset=Event.objects.all(), label=gettext_lazy("Event"))
    state = ChoiceFilter(choices=OrderState.choices, label=gettext_lazy("State"))

    class Meta:
        model = Order
        fields = ["event", "state"]


class OrderIndexView(DeskIndexView):
    def get_base_queryset(self) -> Any:
        return super().get_base_queryset().select_related("event")


class OrderInspectView(DeskInspectView):
    """One order with all that hangs on it, read from its rows."""

    template_name = "ticketing/admin/order_inspect.html"
    page_title = gettext_lazy("Order")

    def get_fields(self) -> list[str]:
        return []

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        order: Order = self.object
        lines = (
            OrderLine.objects.filter(order=order)
            .select_related("ticket_type")
            .prefetch_related("choices__choice__variation", "adjustments", "tickets")
        )
        payments = list(Payment.objects.filter(order=order))
        refunds = list(Refund.objects.filter(payment__order=order).select_related("payment", "retry", "retry_of"))
        disputes = list(Dispute.objects.filter(payment__order=order))
        tickets = [ticket for line in lines for ticket in line.tickets.all()]
        gifts = giving.history(order)
        context.update(
            {
                "order": order,
                "lines": lines,
                "payments": payments,
                "refunds": refunds,
                "disputes": disputes,
                "tickets": tickets,
                "mails": mail_desk.of(order),
                "accepted_terms": checkout.accepted_terms(order),
                "is_confirmed": addresses.is_confirmed(order),
                "may_repair": order.state in corrections.STILL_WRITTEN_TO,
                "gifts": gifts,
                "of_order": Order.objects.filter(lines__choice_changes__line__order=order).first(),
                "happened": _what_happened([order], payments, refunds, disputes, tickets, gifts),
            }
        )
        return context


@dataclass(frozen=True)
class Happened:
    """One entry of the audit in words."""

    at: datetime
    what: str
    old: str
    new: str
    why: str
    who: str


def _what_happened(*groups: Sequence[models.Model]) -> list[Happened]:
    """Every move of these rows (groups of one model each), the first first."""
    kinds = {group[0]._meta.label_lower: type(group[0]) for group in groups if group}
    which = Q(pk__in=[])
    for group in groups:
        if group:
            which |= Q(model=group[0]._meta.label_lower, row_id__in=[row.pk for row in group])
    known = {**reasons.codes(), **mail_desk.WORDS, **corrections.WORDS, **refund_desk.WORDS}
    for other in audit_words:
        known |= other.words()
    return [
        _in_words(entry, kinds[entry.model], known)
        for entry in AuditEntry.objects.filter(which).select_related("actor").order_by("pk")
    ]


def _in_words(entry: AuditEntry, kind: type[models.Model], known: Mapping[str, Promise]) -> Happened:
    states = dict(getattr(kind._meta.get_field("state"), "flatchoices", ()))
    return Happened(
        at=entry.at,
        what=str(capfirst(kind._meta.verbose_name)),
        old=str(states.get(entry.old, entry.old)),
        new=str(states.get(entry.new, entry.new)),
        why=str(known.get(entry.reason, entry.reason)),  # a volunteer's own words stand as they are
        who=str(entry.actor or entry.actor_name or _("the system")),
    )


class OrderDesk(OrganisationViewSet):
    model = Order
    name = "order_desk"
    url_prefix = "orders"
    icon = "doc-full"
    menu_label = gettext_lazy("Orders")
    views = ("index", "index_results", "inspect")
    index_view_class = OrderIndexView
    inspect_view_class = OrderInspectView
    inspect_view_enabled = True
    inspect_template_name = OrderInspectView.template_name
    list_display = [
        "reference",
        Column("buyer", label=gettext_lazy("Buyer"), accessor=lambda order: order.name or order.email),
        Column("event", label=gettext_lazy("Event"), accessor="event"),
        Column("state", label=gettext_lazy("State"), accessor="get_state_display", sort_key="state"),
        AmountColumn("total_minor", label=gettext_lazy("Total"), sort_key="total_minor"),
        MomentColumn("queued_at", label=gettext_lazy("Ordered"), sort_key="queued_at"),
    ]
    list_export = ["reference", "email", "name", "state", "total_minor", "currency", "queued_at", "paid_at"]
    search_fields = ["reference", "email", "name"]
    search_backend_name = None
    filterset_class = OrderFilterSet

    def get_urlpatterns(self) -> list[URLPattern]:
        again = path("inspect/<uuid:pk>/mails/<uuid:mail>/again/", mail_desk.SendAgainView.as_view(), name="mail_again")
        repair = path("inspect/<uuid:pk>/repair/", RepairView.as_view(), name="repair")
        refund = path("inspect/<uuid:pk>/refund/", refund_desk.RefundView.as_view(), name="refund")
        gift = path("inspect/<uuid:pk>/gifts/<uuid:gift>/cancel/", CancelGiftView.as_view(), name="gift_cancel")
        return [*super().get_urlpatterns(), again, repair, refund, gift]


# --- Tickets -------------------------------------------------------------------------------------------------------


class TicketFilterSet(OrganisationFilterSet):
    event = ModelChoiceFilter(queryset=Event.objects.all(), label=gettext_lazy("Event"))
    state = ChoiceFilter(choices=TicketState.choices, label=gettext_lazy("State"))
    check_membership = BooleanFilter(label=gettext_lazy("Check membership"))

    class Meta:
        model = Ticket
        fields = ["event", "state", "check_membership"]


class TicketIndexView(DeskIndexView):
    def get_base_queryset(self) -> Any:
        return super().get_base_queryset().select_related("event", "ticket_type", "line__order")

    def get_inspect_url(self, instance: Any = None) -> str | None:
        """A ticket is seen with its order."""
        return reverse("order_desk:inspect", args=[instance.line.order.public_id])


def _ticket_state(ticket: Ticket) -> str:
    state = str(ticket.get_state_display())
    return f"{state}, {_('check membership')}" if ticket.check_membership else state


class TicketDesk(OrganisationViewSet):
    model = Ticket
    name = "ticket_desk"
    url_prefix = "issued-tickets"
    icon = "tag"
    menu_label = gettext_lazy("Tickets")
    views = ("index", "index_results")
    index_view_class = TicketIndexView
    list_display = [
        "short_code",
        Column(
            "holder", label=gettext_lazy("Holder"), accessor=lambda ticket: ticket.holder_name or ticket.holder_email
        ),
        Column("ticket_type", label=gettext_lazy("Ticket"), accessor="ticket_type"),
        Column("event", label=gettext_lazy("Event"), accessor="event"),
        Column("state", label=gettext_lazy("State"), accessor=_ticket_state, sort_key="state"),
        Column("order", label=gettext_lazy("Order"), accessor="line.order.reference"),
    ]
    list_export = [
        *("short_code", "holder_name", "holder_email", "ticket_type", "event", "state", "check_membership"),
        "issued_at",
    ]
    search_fields = ["short_code", "holder_name", "holder_email", "line__order__reference"]
    search_backend_name = None
    filterset_class = TicketFilterSet


# --- Sales ---------------------------------------------------------------------------------------------------------


class SalesReport(OrganisationReportView):
    """How many of each ticket type are sold and held, and what the sold ones came to."""

    model = TicketType
    page_title = gettext_lazy("Sales")
    header_icon = "order"
    index_url_name = "sales_report"
    index_results_url_name = "sales_report_results"
    columns = [
        Column("event", label=gettext_lazy("Event"), accessor="event"),
        Column("name", label=gettext_lazy("Ticket"), accessor="name"),
        Column("sold", label=gettext_lazy("Sold"), accessor="sold"),
        Column("held", label=gettext_lazy("Held for payment"), accessor="held"),
        Column(
            "income",
            label=gettext_lazy("Income"),
            accessor=lambda kind: wording.write_money(kind.income or 0, kind.event.currency),
        ),
    ]
    list_export = ["event", "name", "sold", "held", "income"]

    def get_base_queryset(self) -> Any:
        live = Q(lines__is_held=True)
        paid = live & Q(lines__order__state=OrderState.PAID)
        return (
            super()
            .get_base_queryset()
            .select_related("event")
            .annotate(
                sold=Count("lines", filter=paid & SELLS_A_TICKET),
                held=Count("lines", filter=live & SELLS_A_TICKET & ~Q(lines__order__state=OrderState.PAID)),
                income=Sum(F("lines__price_minor") - F("lines__given_back_minor"), filter=paid),
            )
            .order_by("-event__starts_at", "position", "pk")
        )


CATALOGUE = (TicketType, Quota, Variation, Choice, Draw, SaleChange)
BOOKS = (Order, Payment, Refund, Dispute, Ticket)
