"""The page on which somebody whose refund did not arrive says to which account they want it."""

from __future__ import annotations

import uuid
from contextlib import suppress

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from apps.accounts.plain_text import one_line
from apps.ticketing import event_face, payouts, reading, refunds
from apps.ticketing.visitors import address_of, held_by_link, in_other_language, see_other


class PayoutForm(forms.Form):
    """Whose account, and which."""

    holder = forms.CharField(
        max_length=payouts.LONGEST_HOLDER,
        error_messages={
            "required": _("Write the name of whoever has the account. Nothing was saved."),
            "max_length": _("Write a shorter name. Nothing was saved."),
        },
    )
    number = forms.CharField(
        max_length=payouts.LONGEST_NUMBER,
        error_messages={
            "required": _("Write the number of the account. Nothing was saved."),
            "max_length": _("Write the number of the account alone. Nothing was saved."),
        },
    )

    def clean_holder(self) -> str:
        return one_line(self.cleaned_data["holder"])

    def clean_number(self) -> str:
        return payouts.clean_number(self.cleaned_data["number"])


@held_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def payout(request: HttpRequest, reference: str, secret: str, refund: uuid.UUID) -> HttpResponse:
    """Where a debt of this order is to be paid. Paid meanwhile, it leads to the order, whose page says so."""
    order = reading.order_by_link.first(reference, secret)
    if order is None:
        raise Http404
    owed = payouts.debt_of(order, refund)
    if owed is None:
        return see_other(address_of(order))
    form = PayoutForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with suppress(refunds.NoDebt):  # paid a moment ago
            payouts.give(owed, **form.cleaned_data)
        return see_other(address_of(order))
    given = payouts.of([owed]).get(owed.pk)
    context = {
        "order": order,
        "event": order.event,
        "organisation": order.event.organisation,
        "face": event_face.of(order.event),
        "refund": owed,
        "form": form,
        "given_tail": payouts.tail_of(given.number) if given else "",
        "language_url": in_other_language(request),
    }
    return render(request, "ticketing/order/payout.html", context, status=422 if form.errors else 200)
