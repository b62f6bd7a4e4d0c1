"""The treasurer's desk for money that buyers send themselves: what is waited for, and what has come.

Whoever may see an organisation's payments may approve them: that is its treasurers alone. The other pages of it: a
bank's file (`bank_file_desk`), what to pay back (`pay_back_desk`), and where money goes (`transfer_account_desk`).
"""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.db.models import Case, IntegerField, When
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_filters import ChoiceFilter, ModelChoiceFilter
from wagtail.admin import messages
from wagtail.admin.ui.tables import Column, TitleColumn
from wagtail.admin.widgets.button import HeaderButton

from apps.accounts.second_step_demand import demands_second_step
from apps.events import wording
from apps.events.desk import (
    DeskIndexView,
    DeskInspectView,
    MomentColumn,
    OrganisationFilterSet,
    OrganisationViewSet,
)
from apps.events.models import Event
from apps.ticketing import bank_parts, instructions, reasons, transfers
from apps.ticketing.admin_views import AmountColumn
from apps.ticketing.bank_file_desk import BankFileConfirmView, BankFileView
from apps.ticketing.extensions import payment_providers
from apps.ticketing.models import Payment
from apps.ticketing.price_field import HIGHEST_SUM_MINOR, PriceField
from apps.ticketing.states import PAYMENT_LIVE, OrderState, PaymentState

GROUPED_DIGITS = re.compile(r"(?<=[0-9])[\s-]+(?=[0-9])")


def way_of(payment: Payment) -> str:
    """How the buyer chose to send the money, in words."""
    slug = payment.provider
    return str(payment_providers.get(slug).label) if slug in payment_providers else slug


def state_of(payment: Payment) -> str:
    """What the desk calls the state of a manual payment."""
    if payment.state in PAYMENT_LIVE:
        return _("Waits for money")
    if payment.state == PaymentState.CAPTURED:
        return _("Came, is paid back") if payment.reason else _("Approved")
    return _("Not paid in time, or given up")


def buyer_of(payment: Payment) -> str:
    return payment.order.name or payment.order.email


def told_by(refusal: transfers.Done, zone: Any) -> str:
    """Who was faster, in a sentence."""
    if refusal.at is None:
        return _("This was done already. Nothing was done again.")
    words = {"who": refusal.who or _("the system"), "when": wording.write_moment(refusal.at, zone)}
    return _("%(who)s did this already, %(when)s. Nothing was done again.") % words


class TransferFilterSet(OrganisationFilterSet):
    event = ModelChoiceFilter(field_name="order__event", queryset=Event.objects.all(), label=gettext_lazy("Event"))
    state = ChoiceFilter(
        choices=[
            (PaymentState.ACTION_NEEDED, gettext_lazy("Waits for money")),
            (PaymentState.CAPTURED, gettext_lazy("Approved")),
            (PaymentState.CANCELLED, gettext_lazy("Not paid in time, or given up")),
        ],
        label=gettext_lazy("State"),
    )

    class Meta:
        model = Payment
        fields = ["event", "state"]


def _transfer_url(payment: Payment) -> str:
    return reverse("transfer_desk:inspect", args=[payment.public_id])


class TransferIndexView(DeskIndexView):
    """Those that wait first. A reference is found however it is grouped."""

    page_title = gettext_lazy("Transfers")
    default_ordering = ("-waits", "-pk")

    def get_base_queryset(self) -> Any:
        waits = Case(When(state__in=PAYMENT_LIVE, then=1), default=0, output_field=IntegerField())
        agreed = transfers.seen_by(self.request.user).exclude(provider_reference__contains="+")  # what was too much
        return agreed.annotate(waits=waits)

    @cached_property
    def search_query(self) -> str:
        return GROUPED_DIGITS.sub("", super().search_query)

    @cached_property
    def header_buttons(self) -> list[Any]:
        return [
            HeaderButton(_("Read a bank file"), url=reverse("transfer_desk:bank_file"), icon_name="table"),
            HeaderButton(_("Where money goes"), url=reverse("transfer_account_desk:index"), icon_name="cog"),
        ]


class ReceivedForm(forms.Form):
    """How much has come."""

    received_minor = PriceField(label=gettext_lazy("Amount received"), highest_minor=HIGHEST_SUM_MINOR)

    def clean_received_minor(self) -> int:
        received = self.cleaned_data["received_minor"]
        if not received:
            raise forms.ValidationError(_("Write how much has come. Nothing was done."))
        return received


@demands_second_step
class TransferView(DeskInspectView):
    """One payment that a treasurer approves: the amount stands there, one button confirms it."""

    template_name = "ticketing/admin/transfer.html"
    page_title = gettext_lazy("Transfer")

    def get_object(self, queryset: Any = None) -> Payment:
        return get_object_or_404(transfers.seen_by(self.request.user), public_id=self.kwargs["pk"])

    def get_page_subtitle(self) -> str:
        return f"{self.object.order.reference} · {buyer_of(self.object)}"

    def get_fields(self) -> list[str]:
        return []

    def get_context_data(self, form: Any = None, short: Any = None, **kwargs: Any) -> dict[str, Any]:
        payment: Payment = self.object
        order = payment.order
        is_open = payment.state != PaymentState.CAPTURED
        parts = list(payment.bank_rows.filter(is_part=True).order_by("pk"))
        rest_minor = max(order.total_minor - sum(part.amount_minor for part in parts), 0)
        return super().get_context_data(
            payment=payment,
            order=order,
            event=order.event,
            way=way_of(payment),
            state=state_of(payment),
            reason=reasons.sentence(payment.reason) if payment.reason else "",
            told=instructions.of(order, payment),
            is_open=is_open,
            is_late=is_open and order.state == OrderState.EXPIRED,
            buys_nothing=is_open and order.state not in transfers.PAYABLE,
            last_word=transfers.last_word(payment),
            rows=list(payment.bank_rows.filter(is_part=False).order_by("pk")),
            parts=parts,
            form=form or ReceivedForm(initial={"received_minor": rest_minor}),
            short=short,
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = ReceivedForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form), status=422)
        received = form.cleaned_data["received_minor"]
        action = request.POST.get("do", "approve")
        if action == "ask":
            return self._ask(received)
        try:
            approved = bank_parts.approve(
                self.object, received_minor=received, actor=request.user, returns_short=action == "return"
            )
        except transfers.Done as refusal:
            messages.warning(request, told_by(refusal, self.object.order.event.zone))
            return HttpResponseRedirect(_transfer_url(self.object))
        except transfers.TooLittle as short:
            return self.render_to_response(self.get_context_data(form=form, short=self._short(short)), status=409)
        _tell(request, approved)
        return HttpResponseRedirect(_transfer_url(self.object))

    def _short(self, short: transfers.TooLittle) -> str:
        currency = self.object.currency
        words = {
            "came": wording.write_money(short.received_minor, currency),
            "price": wording.write_money(short.received_minor + short.missing_minor, currency),
            "missing": wording.write_money(short.missing_minor, currency),
        }
        return _(
            "%(came)s of %(price)s has come: %(missing)s is missing. Nothing was booked, and the order is unpaid."
        ) % (words)

    def _ask(self, received: int) -> HttpResponse:
        came_minor = received + bank_parts.minor_of(self.object)
        try:
            transfers.ask_for_the_rest(self.object, received_minor=came_minor)
        except transfers.NotWaiting:
            messages.warning(self.request, _("This order does not wait for money any more. Nobody was written to."))
        else:
            messages.success(
                self.request,
                _("%(email)s is asked for the rest. When that has come, approve it with what you wrote and the rest.")
                % {"email": self.object.order.email},
            )
        return HttpResponseRedirect(_transfer_url(self.object))


def _tell(request: HttpRequest, approved: transfers.Approved) -> None:
    """What came of an approval, in a sentence each."""
    owed = wording.write_money(approved.owed_minor, approved.payment.currency)
    words = {"order": approved.order.reference, "owed": owed}
    if approved.is_paid:
        messages.success(request, _("%(order)s is paid, and its tickets are on their way.") % words)
    if not approved.owed_minor:
        return
    buttons = [messages.button(reverse("pay_back_desk:index"), _("What to pay back"))]
    if approved.is_paid:
        sentence = _("%(owed)s was too much: it stands on the list to pay back.")
    elif approved.payment.reason == reasons.LATE_PAYMENT:
        sentence = _("It came too late, and the places are gone: %(owed)s stands on the list to pay back.")
    else:
        sentence = _("It pays for nothing: %(owed)s stands on the list to pay back.")
    messages.warning(request, sentence % words, buttons=buttons)


class TransferDesk(OrganisationViewSet):
    model = Payment
    name = "transfer_desk"
    url_prefix = "transfers"
    icon = "download"
    menu_label = gettext_lazy("Transfers")
    views = ("index", "index_results", "inspect")
    index_view_class = TransferIndexView
    inspect_view_class = TransferView
    inspect_view_enabled = True
    inspect_template_name = TransferView.template_name
    list_display = [
        TitleColumn("provider_reference", label=gettext_lazy("Reference"), get_url=_transfer_url),
        Column("order", label=gettext_lazy("Order"), accessor="order.reference"),
        Column("buyer", label=gettext_lazy("Buyer"), accessor=buyer_of),
        Column("event", label=gettext_lazy("Event"), accessor="order.event"),
        Column("way", label=gettext_lazy("How"), accessor=way_of),
        AmountColumn("amount_minor", label=gettext_lazy("Amount"), sort_key="amount_minor"),
        Column("state", label=gettext_lazy("State"), accessor=state_of, sort_key="state"),
        MomentColumn("until", label=gettext_lazy("Held until"), accessor="order.reserved_until"),
    ]
    search_fields = ["provider_reference", "order__reference", "order__email", "order__name"]
    search_backend_name = None
    filterset_class = TransferFilterSet

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            *super().get_urlpatterns(),
            path("bank-file/", BankFileView.as_view(), name="bank_file"),
            path("bank-file/confirm/", BankFileConfirmView.as_view(), name="bank_file_confirm"),
        ]
