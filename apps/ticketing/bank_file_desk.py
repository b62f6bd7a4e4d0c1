"""The treasurer's desk for a bank's file: every row is shown with what it means, then carried out as it was shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django import forms
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.generic import View
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin

from apps.accounts.second_step_demand import demands_second_step
from apps.events import wording
from apps.events.desk import AddressesByPublicId
from apps.ticketing import bank_files, bank_matching, transfers
from apps.ticketing.bank_matching import Confirmed, Found
from apps.ticketing.models import Payment

PREVIEW_SALT, PREVIEW_SECONDS = "bank file", 3600
# Each is a payment with its tickets; more would keep the treasurer waiting for longer than a proxy does.
MOST_AT_ONCE = 200


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


@demands_second_step
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
        found = bank_matching.match(read.rows, among=transfers.seen_by(request.user))
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


@demands_second_step
class BankFileConfirmView(BankFileBase):
    """Carries out what was shown, and says what came of it."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        confirmed = _unsign(request.POST.get("token", ""), request.user)
        if confirmed is None:
            messages.warning(request, _("That list is too old. Nothing was done. Send the file again."))
            return HttpResponseRedirect(reverse("transfer_desk:bank_file"))
        done = bank_matching.carry_out(confirmed, among=transfers.seen_by(request.user), actor=request.user)
        if done.paid:
            n = len(done.paid)
            sentence = ngettext("%(n)s order is paid, and its tickets are on their way.",
                                "%(n)s orders are paid, and their tickets are on their way.", n)  # fmt: skip
            messages.success(request, sentence % {"n": n})
        if done.owed:
            owed = ", ".join(wording.write_money(minor, currency) for currency, minor in done.owed.items())
            buttons = [messages.button(reverse("pay_back_desk:index"), _("What to pay back"))]
            messages.warning(request, _("%(owed)s stands on the list to pay back.") % {"owed": owed}, buttons=buttons)
        if done.kept:
            sentence = ngettext("%(n)s row is remembered as a part: it counts with the rest once that has come.",
                                "%(n)s rows are remembered as parts: they count with the rest once that has come.",
                                done.kept)  # fmt: skip
            messages.success(request, sentence % {"n": done.kept})
        if done.skipped:
            sentence = _("Done meanwhile, or changed since it was shown, so left alone: %(orders)s.")
            messages.warning(request, sentence % {"orders": ", ".join(sorted(set(done.skipped)))})
        return HttpResponseRedirect(reverse("transfer_desk:index"))
