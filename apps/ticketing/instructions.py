"""What a buyer who sends the money themselves is told: how much, where to, with which reference, and until when.

The same on the order's page, in the mails and at the treasurer's desk.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from apps.events import wording
from apps.ticketing import account_numbers
from apps.ticketing.models import Order, Payment, TransferAccount
from apps.ticketing.payments import manual

# The link that opens Swish on a phone with everything filled in; as a QR code it does the same for another phone's
# camera. Nothing is told to Swish by showing it.
SWISH_LINK = "https://app.swish.nu/1/p/sw/"


@dataclass(frozen=True)
class Fact:
    """One thing to write into the bank's form. `is_copied`: somebody types or copies it sign by sign."""

    label: str
    value: str
    is_copied: bool = False


@dataclass(frozen=True)
class Instructions:
    """`facts` in the order of a bank's form. `swish_url` opens Swish, empty for other ways."""

    way: str
    reference: str
    facts: tuple[Fact, ...]
    swish_url: str = ""

    @property
    def is_invoice(self) -> bool:
        return self.way == manual.INVOICE

    @property
    def is_swish(self) -> bool:
        return self.way == manual.SWISH


def of(order: Order, payment: Payment) -> Instructions:
    """What is told of an open manual payment. One query at most; `order.organisation` is read."""
    account = manual.account_of(order.organisation_id) or TransferAccount()
    reference = payment.provider_reference
    amount = Fact(_("Amount"), wording.write_money(payment.amount_minor, payment.currency))
    said = Fact(_("Message") if payment.provider == manual.SWISH else _("Reference (OCR)"), reference, is_copied=True)
    if payment.provider == manual.SWISH:
        number = account_numbers.write_swish(account.swish_number)
        url = _swish_url(account.swish_number, payment) if account.swish_number and reference else ""
        return Instructions(
            payment.provider,
            reference,
            (Fact(_("Swish number"), number, is_copied=True), amount, said, _payee(order)),
            url,
        )
    numbers = [
        Fact(label, value, is_copied=True)
        for label, value in (
            (_("Bankgiro"), account_numbers.write_bankgiro(account.bankgiro) if payment.currency == "SEK" else ""),
            ("IBAN", account_numbers.write_iban(account.iban)),
            ("BIC", account.bic if account.iban else ""),
        )
        if value
    ]
    if payment.provider == manual.INVOICE:
        numbers = []  # they stand on the invoice
    return Instructions(payment.provider, reference, (*numbers, amount, said, _payee(order)))


def _payee(order: Order) -> Fact:
    return Fact(_("To"), order.organisation.seller_name)


def _swish_url(number: str, payment: Payment) -> str:
    whole, rest = divmod(payment.amount_minor, 100)
    amount = f"{whole}.{rest:02}" if rest else str(whole)
    asked = {"sw": number, "amt": amount, "cur": payment.currency, "msg": payment.provider_reference, "src": "qr"}
    return f"{SWISH_LINK}?{urlencode(asked)}"
