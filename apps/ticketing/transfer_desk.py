"""The treasurer's desk for money that buyers send themselves: what is waited for, a bank's file, and what to pay back.

Whoever may see an organisation's payments may approve them: that is its treasurers alone. The accounts that buyers are
told to send money to are theirs, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any
from urllib.parse import quote

from django import forms
from django.core import signing
from django.db import IntegrityError, transaction
from django.db.models import Case, IntegerField, QuerySet, When
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.generic import View
from django_filters import ChoiceFilter, ModelChoiceFilter
from wagtail.admin import messages
from wagtail.admin.panels import FieldPanel, FieldRowPanel, MultiFieldPanel, ObjectList
from wagtail.admin.ui.tables import Column, TitleColumn
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.widgets.button import HeaderButton

from apps.accounts.request_ids import current_request_id
from apps.events import tenancy, wording
from apps.events.desk import (
    AddressesByPublicId,
    DeskCreateView,
    DeskEditView,
    DeskIndexView,
    DeskInspectView,
    MomentColumn,
    OrganisationFilterSet,
    OrganisationForm,
    OrganisationViewSet,
    rows_for,
)
from apps.events.models import Event, Organisation
from apps.ticketing import bank_files, bank_matching, clock, instructions, mails, reasons, transfers
from apps.ticketing.admin_views import AmountColumn
from apps.ticketing.bank_matching import Confirmed, Found
from apps.ticketing.extensions import payment_providers
from apps.ticketing.models import BY_HAND, AuditEntry, Payment, Refund, TransferAccount
from apps.ticketing.payments import manual
from apps.ticketing.price_field import PriceField
from apps.ticketing.states import PAYMENT_LIVE, OrderState, PaymentState, RefundState

PREVIEW_SALT, PREVIEW_SECONDS = "bank file", 3600
# Each is a payment with its tickets; more would keep the treasurer waiting for longer than a proxy does.
MOST_AT_ONCE = 200
ACCOUNT_CHANGED = "transfer_account_changed"
NUMBERS = ("bankgiro", "iban", "bic", "swish_number")
GROUPED_DIGITS = re.compile(r"(?<=[0-9])[\s-]+(?=[0-9])")


def manual_payments(user: Any) -> QuerySet[Payment]:
    """The manual payments of the organisations whose books `user` keeps."""
    rows: QuerySet[Payment] = rows_for(user, Payment, "view").filter(manual.IS_MANUAL)
    return rows.select_related("order__event", "order__organisation")


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


def _by(refusal: transfers.Done, zone: Any) -> str:
    """Who was faster, in a sentence."""
    if refusal.at is None:
        return _("This was done already. Nothing was done again.")
    words = {"who": refusal.who or _("the system"), "when": wording.write_moment(refusal.at, zone)}
    return _("%(who)s did this already, %(when)s. Nothing was done again.") % words


# --- Waiting for money ---------------------------------------------------------------------------------------------


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
        agreed = manual_payments(self.request.user).exclude(provider_reference__contains="+")  # what was too much
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

    received_minor = PriceField(label=gettext_lazy("Amount received"))

    def clean_received_minor(self) -> int:
        received = self.cleaned_data["received_minor"]
        if not received:
            raise forms.ValidationError(_("Write how much has come. Nothing was done."))
        return received


class TransferView(DeskInspectView):
    """One payment that a treasurer approves: the amount stands there, one button confirms it."""

    template_name = "ticketing/admin/transfer.html"
    page_title = gettext_lazy("Transfer")

    def get_object(self, queryset: Any = None) -> Payment:
        return get_object_or_404(manual_payments(self.request.user), public_id=self.kwargs["pk"])

    def get_page_subtitle(self) -> str:
        return f"{self.object.order.reference} · {buyer_of(self.object)}"

    def get_fields(self) -> list[str]:
        return []

    def get_context_data(self, form: Any = None, short: Any = None, **kwargs: Any) -> dict[str, Any]:
        payment: Payment = self.object
        order = payment.order
        is_open = payment.state != PaymentState.CAPTURED
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
            rows=list(payment.bank_rows.order_by("pk")),
            form=form or ReceivedForm(initial={"received_minor": order.total_minor}),
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
            approved = transfers.approve(
                self.object, received_minor=received, actor=request.user, returns_short=action == "return"
            )
        except transfers.Done as refusal:
            messages.warning(request, _by(refusal, self.object.order.event.zone))
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
        try:
            transfers.ask_for_the_rest(self.object, received_minor=received)
        except transfers.NotWaiting:
            messages.warning(self.request, _("This order does not wait for money any more. Nobody was written to."))
        else:
            messages.success(
                self.request,
                _("%(email)s is asked for the rest. Approve it with the whole sum when that has come.")
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


# --- A bank's file -------------------------------------------------------------------------------------------------


class BankFileForm(forms.Form):
    """A file as the bank exports it."""

    file = forms.FileField(
        label=gettext_lazy("The bank's file"),
        help_text=gettext_lazy("CSV with the columns date, amount and text, as any Swedish bank exports it."),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv,text/plain"}),
        allow_empty_file=True,
        error_messages={"required": gettext_lazy("Choose a file. Nothing was done.")},
    )


class BankFileBase(AddressesByPublicId, PermissionCheckedMixin, WagtailAdminTemplateMixin, View):
    """Both steps see the manual payments of the treasurer's own organisations alone."""

    model = Payment
    any_permission_required = ["view"]
    template_name = "ticketing/admin/bank_file.html"
    header_icon = "table"
    page_title = gettext_lazy("Read a bank file")

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("transfer_desk:index"), "label": _("Transfers")},
            {"url": "", "label": self.get_page_title()},
        ]

    def show(self, form: BankFileForm, status: int = 200, **context: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form, **context), status=status)


class BankFileView(BankFileBase):
    """Takes the file and shows what each row means. Nothing is done before the treasurer confirms."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.show(BankFileForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = BankFileForm(request.POST, request.FILES)
        if not form.is_valid():
            return self.show(form, 422)
        sent = form.cleaned_data["file"]
        try:
            read = bank_files.read(sent.read(bank_files.MOST_BYTES + 1))
        except bank_files.Unreadable as problem:
            form.add_error("file", str(problem))
            return self.show(form, 422)
        found = bank_matching.match(read.rows, among=manual_payments(request.user))
        all_of_them = [one for one in found if one.does_something]
        doing = all_of_them[:MOST_AT_ONCE]
        return self.show(
            BankFileForm(),
            name=sent.name,
            found=sorted(found, key=_in_what_order),
            doing=len(doing),
            sums=_sums(doing),
            looks=sum(one.needs_a_look for one in found),
            later=len(all_of_them) - len(doing),
            outgoing=read.outgoing,
            token=_sign(doing, request.user) if doing else "",
        )


def _in_what_order(one: Found) -> tuple[int, int]:
    """What is done first, then what needs somebody's eyes, then the rest."""
    return (0 if one.does_something else 1 if one.needs_a_look else 2, one.row.number)


def _sums(found: Sequence[Found]) -> str:
    sums: dict[str, int] = {}
    for one in found:
        if one.payment is not None:
            currency = one.payment.currency
            sums[currency] = sums.get(currency, 0) + one.row.amount_minor
    return ", ".join(wording.write_money(total, currency) for currency, total in sums.items())


def _sign(found: Sequence[Found], user: Any) -> str:
    """What was shown, so that exactly this is confirmed. Nobody's name is in it; it is good for this person alone."""
    rows = [
        [str(one.payment.public_id), one.row.amount_minor, one.row.on.isoformat(), one.row.fingerprint, one.meaning]
        for one in found
        if one.payment is not None and one.row.on is not None
    ]
    return signing.dumps({"user": user.pk, "rows": rows}, salt=PREVIEW_SALT, compress=True)


def _unsign(token: str, user: Any) -> list[Confirmed] | None:
    try:
        told = signing.loads(token, salt=PREVIEW_SALT, max_age=PREVIEW_SECONDS)
    except signing.BadSignature:
        return None
    if told["user"] != user.pk:
        return None
    return [
        Confirmed(payment, amount, date.fromisoformat(on), fingerprint, meaning)
        for payment, amount, on, fingerprint, meaning in told["rows"]
    ]


class BankFileConfirmView(BankFileBase):
    """Carries out what was shown, and says what came of it."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        confirmed = _unsign(request.POST.get("token", ""), request.user)
        if confirmed is None:
            messages.warning(request, _("That list is too old. Nothing was done. Send the file again."))
            return HttpResponseRedirect(reverse("transfer_desk:bank_file"))
        done = bank_matching.carry_out(confirmed, among=manual_payments(request.user), actor=request.user)
        if done.paid:
            n = len(done.paid)
            sentence = ngettext("%(n)s order is paid, and its tickets are on their way.",
                                "%(n)s orders are paid, and their tickets are on their way.", n)  # fmt: skip
            messages.success(request, sentence % {"n": n})
        if done.owed:
            owed = ", ".join(wording.write_money(minor, currency) for currency, minor in done.owed.items())
            buttons = [messages.button(reverse("pay_back_desk:index"), _("What to pay back"))]
            messages.warning(request, _("%(owed)s stands on the list to pay back.") % {"owed": owed}, buttons=buttons)
        if done.skipped:
            sentence = _("Done meanwhile, or changed since it was shown, so left alone: %(orders)s.")
            messages.warning(request, sentence % {"orders": ", ".join(sorted(set(done.skipped)))})
        return HttpResponseRedirect(reverse("transfer_desk:index"))


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


# --- To pay back ---------------------------------------------------------------------------------------------------


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
            messages.warning(request, _by(refusal, refund.payment.order.event.zone))
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


# --- Where money goes ----------------------------------------------------------------------------------------------


class TransferAccountForm(OrganisationForm):
    """Which ways are offered, and where money goes. One row for each organisation."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        organisation = cleaned.get("organisation") or getattr(self.instance, "organisation", None)
        others = TransferAccount.objects.filter(organisation=organisation).exclude(pk=self.instance.pk)
        if organisation is not None and others.exists():
            raise forms.ValidationError(_("%(organisation)s has an account already. Change that one.") % {
                "organisation": organisation
            })  # fmt: skip
        return cleaned


class SavesAccount:
    """Notes who changed where buyers send their money, and has the treasurers written to: whoever could do it unseen
    could take it."""

    request: HttpRequest

    def save_instance(self) -> Any:
        person: Any = self.request.user
        with transaction.atomic():
            was = TransferAccount.objects.filter(pk=self.form.instance.pk).values(*NUMBERS).first() or {}  # type: ignore[attr-defined]
            saved = super().save_instance()  # type: ignore[misc]
            changed = [name for name in NUMBERS if getattr(saved, name) != was.get(name, "")]
            entry = AuditEntry.objects.create(
                model=TransferAccount._meta.label_lower,
                row_id=saved.pk,
                old="",
                new="",
                reason=ACCOUNT_CHANGED,
                actor=person,
                request_id=current_request_id(),
                at=clock.now(),
            )
            if changed:
                mails.account_changed(saved, fact=entry.pk, names=changed, actor=person)
        return saved


class AccountCreateView(SavesAccount, DeskCreateView):
    """For whoever keeps the books of one organisation that has an account, on to that one."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        own = list(tenancy.scope(Organisation.objects.all(), request.user, tenancy.Role.TREASURER)[:2])
        there = TransferAccount.objects.filter(organisation=own[0]).first() if len(own) == 1 else None
        if there is not None:
            return HttpResponseRedirect(reverse("transfer_account_desk:edit", args=[there.public_id]))
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            with transaction.atomic():
                return super().form_valid(form)
        except IntegrityError:  # a second click, or a second treasurer
            messages.warning(self.request, _("The account was saved a moment ago. Look whether it is as you want it."))
            return HttpResponseRedirect(reverse("transfer_account_desk:index"))

    def get_success_message(self, instance: TransferAccount) -> str:
        return _("Saved. Buyers of %(organisation)s can choose it from now on.") % {"organisation": instance}


class AccountEditView(SavesAccount, DeskEditView):
    def get_success_message(self) -> str:
        return _("Saved. Whoever waits to pay is shown the new numbers; mails that went out show the old ones.")


def _offered(account: TransferAccount) -> str:
    return ", ".join(str(way.label) for way in manual.WAYS if getattr(account, way.offers)) or _("Nothing")


class TransferAccountDesk(OrganisationViewSet):
    model = TransferAccount
    name = "transfer_account_desk"
    url_prefix = "transfer-accounts"
    icon = "cog"
    menu_label = gettext_lazy("Where money goes")
    views = ("index", "index_results", "add", "edit")
    add_view_class = AccountCreateView
    edit_view_class = AccountEditView
    list_display = [
        "organisation",
        Column("offered", label=gettext_lazy("Offered"), accessor=_offered),
        Column("days", label=gettext_lazy("Days to pay"), accessor="days"),
    ]
    edit_handler = ObjectList(
        [
            FieldPanel("organisation"),
            MultiFieldPanel(
                [FieldPanel("offers_transfer"), FieldRowPanel([FieldPanel("bankgiro"), FieldPanel("iban")]),
                 FieldPanel("bic")],
                heading=gettext_lazy("Bank transfer"),
            ),
            MultiFieldPanel(
                [FieldPanel("offers_swish"), FieldPanel("swish_number")], heading=gettext_lazy("Swish to a number")
            ),
            MultiFieldPanel([FieldPanel("offers_invoice")], heading=gettext_lazy("Invoice")),
            FieldPanel("days"),
        ],
        base_form_class=TransferAccountForm,
    )  # fmt: skip
