"""Paying by oneself: a bank transfer, Swish to a number, or an invoice. No bank tells us; a treasurer does.

Choosing such a way holds the places for days instead of minutes (`chosen`), and gives the payment a reference with a
check digit, which the buyer writes beside the money. From there on it is a payment like any other: what the treasurer
approves goes through `settle` (transfers.approve), a deadline that passes closes it, money that comes after that is
late money, and a refund waits until the treasurer has paid it back (transfers.paid_back).
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.kept import Kept
from apps.events.models import Event
from apps.ticketing import clock, mails
from apps.ticketing.account_numbers import check_digit
from apps.ticketing.extensions import BadNotice, Notice, Started, payment_providers
from apps.ticketing.models import BY_HAND, Order, Payment, Refund, TransferAccount
from apps.ticketing.states import PaymentState, RefundState

IS_MANUAL = Q(provider__startswith=BY_HAND)
REFERENCE_DIGITS = 8  # and a check digit
# Money sent by hand takes a bank day; nobody is let to it when it could not come in time.
NOT_BEFORE_START = timedelta(days=1)
KEPT_SECONDS = 0.5


def _read_account(organisation_id: int) -> TransferAccount | None:
    return TransferAccount.objects.filter(organisation=organisation_id).first()


account_of: Kept[int, TransferAccount | None] = Kept(_read_account, seconds=KEPT_SECONDS)


def forget_accounts(**_: object) -> None:
    """An organisation has changed where its money goes to."""
    account_of.forget()


class Manual:
    """One way of sending money oneself. `offers` is the field of TransferAccount that switches it on."""

    starts_per_second: float | None = None
    takes_days = True

    def __init__(self, name: str, label: str | Promise, *, currencies: tuple[str, ...] = ("SEK", "EUR")) -> None:
        self.slug = BY_HAND + name
        self.label = label
        self.offers = f"offers_{name}"
        self.currencies = currencies

    def is_available(self, currency: str) -> bool:
        return currency in self.currencies

    def is_offered_for(self, event: Event) -> bool:
        """Whether the organiser has ticked it, and money sent today comes before the event."""
        account = account_of(event.organisation_id)
        if account is None or not getattr(account, self.offers):
            return False
        if self.slug == TRANSFER and event.currency != "SEK" and not account.iban:
            return False  # a bankgiro takes kronor
        return event.starts_at - clock.now() > NOT_BEFORE_START

    def chosen(self, order: Order, payment: Payment, *, hold_time: datetime) -> None:
        """Hold the places for days, and write to the buyer how to pay. The days count from the first time such a way
        was chosen, so that nobody holds places longer by changing to and fro."""
        first = Payment.objects.filter(IS_MANUAL, order=order).order_by("pk").first() or payment
        _hold(order, max(_deadline(order, first.created_at), hold_time + timedelta(minutes=settings.HOLD_MINUTES)))
        mails.transfer_instructions(order, payment)
        mails.transfer_reminder(order, payment)

    def left(self, order: Order, *, hold_time: datetime) -> None:
        """Minutes again for whoever changes back."""
        if order.reserved_until is not None:
            _hold(order, min(order.reserved_until, hold_time + timedelta(minutes=settings.HOLD_MINUTES)))

    def start(self, payment: Payment, *, key: str, return_url: str) -> Started:
        return Started(reference=payment.provider_reference or _new_reference(payment))

    def read_notice(self, request: HttpRequest) -> Notice:
        raise BadNotice("nobody sends notices of money that people send themselves")

    def fetch(self, payment: Payment) -> Notice:
        return _notice(payment, payment.state)

    def cancel(self, payment: Payment, *, key: str) -> Notice:
        return _notice(payment, PaymentState.CANCELLED)

    def refund(self, refund: Refund, *, key: str) -> Notice:
        """Nothing is sent: it stands on the treasurer's list until they have paid it. Next: transfers.paid_back."""
        return Notice(
            event_id="",
            kind="refund",
            reference=f"{BY_HAND}{refund.public_id}",
            state=RefundState.PENDING,
            amount_minor=refund.amount_minor,
            currency=refund.currency,
            our_id=str(refund.public_id),
        )


TRANSFER, SWISH, INVOICE = (f"{BY_HAND}{name}" for name in ("transfer", "swish", "invoice"))
WAYS = (
    Manual("transfer", _("Bank transfer")),
    Manual("swish", _("Swish to a number"), currencies=("SEK",)),
    Manual("invoice", _("Invoice")),
)


def enable() -> None:
    """Register the ways to pay by oneself; each organisation says for itself which of them it offers."""
    for way in WAYS:
        payment_providers.register(way)


def _notice(payment: Payment, state: str) -> Notice:
    return Notice(
        event_id="",
        kind="payment",
        reference=payment.provider_reference,
        state=state,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        our_id=str(payment.public_id),
    )


def _new_reference(payment: Payment) -> str:
    """Nine digits that no other payment has, the last one checking the others as on any Swedish payment slip."""
    for number in range(100):
        said = f"{payment.public_id}:{number}".encode()
        drawn = hmac.new(settings.SECRET_KEY.encode(), said, hashlib.sha256).digest()
        low = 10 ** (REFERENCE_DIGITS - 1)
        digits = str(low + int.from_bytes(drawn[:8], "big") % (9 * low))
        reference = digits + check_digit(digits)
        if not Payment.objects.filter(IS_MANUAL, provider_reference=reference).exclude(pk=payment.pk).exists():
            return reference
    raise RuntimeError("no reference is free")


def _hold(order: Order, until: datetime) -> None:
    Order.objects.filter(pk=order.pk).update(reserved_until=until)
    order.reserved_until = until


def _deadline(order: Order, since: datetime) -> datetime:
    """The end of the last day, where the event is; never later than the event begins."""
    account = _read_account(order.organisation_id)
    days = account.days if account is not None else 0
    event = Event.objects.get(pk=order.event_id)
    day = timezone.localtime(since, ZoneInfo(event.time_zone)).date() + timedelta(days=days)
    return min(datetime.combine(day, time(23, 59), ZoneInfo(event.time_zone)), event.starts_at)
