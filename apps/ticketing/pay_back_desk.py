"""The treasurer's desk for what was sent by hand and goes back by hand: paid by their own bank, and marked as done."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.db.models import Case, IntegerField, QuerySet, When
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_filters import ChoiceFilter, ModelChoiceFilter
from wagtail.admin import messages
from wagtail.admin.ui.tables import Column, TitleColumn

from apps.accounts.second_step_demand import demands_second_step
from apps.events import wording
from apps.events.desk import (
    DeskIndexView,
    DeskInspectView,
    MomentColumn,
    OrganisationFilterSet,
    OrganisationViewSet,
    rows_for,
)
from apps.events.models import Event
from apps.ticketing import reasons, transfers
from apps.ticketing.models import BY_HAND, Refund
from apps.ticketing.states import RefundState
from apps.ticketing.transfer_desk import buyer_of, told_by, way_of


def _refund_state(refund: Refund) -> str:
    return _("Paid back") if refund.state == RefundState.DONE else _("To pay back")


def _refund_url(refund: Refund) -> str:
    return reverse("pay_back_desk:inspect", args=[refund.public_id])


def manual_refunds(user: Any) -> QuerySet[Refund]:
    """Refunds that the treasurer pays by their own bank."""
    rows: QuerySet[Refund] = rows_for(user, Refund, "view").filter(payment__provider__startswith=BY_HAND)
    return rows.select_related("payment__order__event", "payment__order__organisation")


class PayBackFilterSet(OrganisationFilterSet):
    event = ModelChoiceFilter(
        field_name="payment__order__event", queryset=Event.objects.all(), label=gettext_lazy("Event")
    )
    state = ChoiceFilter(
        choices=[
            (RefundState.PENDING, gettext_lazy("To pay back")),
            (RefundState.DONE, gettext_lazy("Paid back")),
        ],
        label=gettext_lazy("State"),
    )

    class Meta:
        model = Refund
        fields = ["event", "state"]


class PayBackIndexView(DeskIndexView):
    page_title = gettext_lazy("To pay back")
    default_ordering = ("is_done", "pk")
    export_headings = {
        "payment.order.reference": gettext_lazy("Order"),
        "payment.order.name": gettext_lazy("Buyer"),
        "payment.order.email": gettext_lazy("E-mail"),
        "payment.provider_reference": gettext_lazy("Reference"),
        "amount_minor": gettext_lazy("Amount in öre or cents"),
    }

    def get_base_queryset(self) -> Any:
        is_done = Case(When(state=RefundState.DONE, then=1), default=0, output_field=IntegerField())
        return manual_refunds(self.request.user).annotate(is_done=is_done)


@demands_second_step
class PayBackView(DeskInspectView):
    """One sum that the treasurer pays back by their own bank, and then marks as done."""

    template_name = "ticketing/admin/pay_back.html"
    page_title = gettext_lazy("To pay back")

    def get_object(self, queryset: Any = None) -> Refund:
        return get_object_or_404(manual_refunds(self.request.user), public_id=self.kwargs["pk"])

    def get_page_subtitle(self) -> str:
        return (
            f"{wording.write_money(self.object.amount_minor, self.object.currency)} · {buyer_of(self.object.payment)}"
        )

    def get_fields(self) -> list[str]:
        return []

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        refund: Refund = self.object
        payment = refund.payment
        origin = payment.provider_reference.split("+")[0]
        return super().get_context_data(
            refund=refund,
            payment=payment,
            order=payment.order,
            event=payment.order.event,
            way=way_of(payment),
            reference=origin,
            reason=reasons.sentence(refund.reason) if refund.reason in reasons.codes() else refund.reason,
            is_done=refund.state == RefundState.DONE,
            last_word=transfers.last_word(refund),
            mail_url="mailto:" + quote(payment.order.email),
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        refund: Refund = self.object
        try:
            transfers.paid_back(refund, actor=request.user)
        except transfers.Done as refusal:
            messages.warning(request, told_by(refusal, refund.payment.order.event.zone))
        else:
            words = {
                "amount": wording.write_money(refund.amount_minor, refund.currency),
                "buyer": buyer_of(refund.payment),
            }
            messages.success(request, _("%(amount)s is paid back to %(buyer)s.") % words)
        return HttpResponseRedirect(reverse("pay_back_desk:index"))


class PayBackDesk(OrganisationViewSet):
    model = Refund
    name = "pay_back_desk"
    url_prefix = "pay-back"
    icon = "resubmit"
    menu_label = gettext_lazy("To pay back")
    views = ("index", "index_results", "inspect")
    index_view_class = PayBackIndexView
    inspect_view_class = PayBackView
    inspect_view_enabled = True
    inspect_template_name = PayBackView.template_name
    list_display = [
        TitleColumn(
            "amount_minor",
            label=gettext_lazy("Amount"),
            accessor=lambda refund: wording.write_money(refund.amount_minor, refund.currency),
            get_url=_refund_url,
        ),
        Column("buyer", label=gettext_lazy("To"), accessor=lambda refund: buyer_of(refund.payment)),
        Column("order", label=gettext_lazy("Order"), accessor="payment.order.reference"),
        Column("event", label=gettext_lazy("Event"), accessor="payment.order.event"),
        MomentColumn("created_at", label=gettext_lazy("Since"), sort_key="created_at"),
        Column("state", label=gettext_lazy("State"), accessor=_refund_state),
    ]
    list_export = [
        *("payment.order.reference", "payment.order.name", "payment.order.email", "payment.provider_reference"),
        *("amount_minor", "currency", "state"),
    ]
    search_fields = ["payment__provider_reference", "payment__order__reference", "payment__order__email"]
    search_backend_name = None
    filterset_class = PayBackFilterSet
