"""How an organiser says that a ticket's price has parts with another VAT: how much of it, and at which rate."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminModelForm

from apps.ticketing import vat
from apps.ticketing.models import TicketType
from apps.ticketing.price_field import PriceField

PARTS = (1, 2)
RATE_WORDS = {
    Decimal(25): _("25 %: entrance, party, merchandise"),
    Decimal(12): _("12 %: food and drink without alcohol"),
    Decimal(6): _("6 %: concert, theatre, other culture"),
    Decimal(0): _("0 %: free of VAT"),
}


def _rate(text: str) -> Decimal:
    return Decimal(text)


def _amount_field() -> PriceField:
    return PriceField(
        label=_("Of the price, taxed otherwise"),
        required=False,
        help_text=_("Such as 100, when 100 kr of a dinner's price are a concert. Empty: none."),
    )


def _rate_field() -> forms.TypedChoiceField:
    return forms.TypedChoiceField(
        label=_("VAT of that part"),
        required=False,
        coerce=_rate,
        empty_value=None,
        choices=[("", "–"), *((str(rate), words) for rate, words in RATE_WORDS.items())],
    )


class SplitsVat(WagtailAdminModelForm):
    """The part of a ticket type's form that splits its price. Puts the split on the instance when the form is clean."""

    instance: Any
    vat_amount_1 = _amount_field()
    vat_rate_1 = _rate_field()
    vat_amount_2 = _amount_field()
    vat_rate_2 = _rate_field()

    def show_split(self) -> None:
        """Fill the fields in from the ticket type; leave them out, its own rate too, where no VAT is paid."""
        if self.instance.event.organisation.is_outside_vat:
            for name in ("vat_percent", *(f"vat_{what}_{part}" for part in PARTS for what in ("amount", "rate"))):
                del self.fields[name]
            return
        for part, (rate, of_price) in zip(PARTS, vat.split_of(self.instance.vat_split), strict=False):
            self.initial[f"vat_amount_{part}"] = of_price
            self.initial[f"vat_rate_{part}"] = str(rate.normalize() + 0 if rate else 0)

    def say_split(self) -> list[str]:
        """Each part that is stored, in figures."""
        kind = TicketType.objects.get(pk=self.instance.pk)
        price = PriceField()
        return [
            f"{price.prepare_value(of_price)}, {rate.normalize():f} %"
            for rate, of_price in vat.split_of(kind.vat_split)
        ]

    def clean_split(self, cleaned: dict[str, Any]) -> None:
        """Judge the parts together and keep them on the instance."""
        if f"vat_amount_{PARTS[0]}" not in self.fields:
            return
        split: list[list[Any]] = []
        rates = [cleaned.get("vat_percent")]
        for part in PARTS:
            amount, rate = cleaned.get(f"vat_amount_{part}"), cleaned.get(f"vat_rate_{part}")
            if (not amount and rate is None) or f"vat_amount_{part}" in self.errors:
                continue
            if not amount:
                self.add_error(
                    f"vat_amount_{part}", _("Write how much of the price is taxed so, or choose no VAT here.")
                )
            elif rate is None:
                self.add_error(f"vat_rate_{part}", _("Choose the VAT of this part, or leave its amount empty."))
            elif rate in rates:
                self.add_error(f"vat_rate_{part}", _("This rate is there already: add the amounts up instead."))
            else:
                rates.append(rate)
                split.append([f"{rate:.2f}", amount])
        price = cleaned.get("price_minor")
        if price is not None and sum(of_price for _rate, of_price in split) > price:
            self.add_error(f"vat_amount_{PARTS[0]}", _("The parts are more than the whole price."))
        self.instance.vat_split = split
