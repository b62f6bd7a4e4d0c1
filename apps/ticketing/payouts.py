"""Where to pay what could not go back the way it came: asked of whoever is owed it, and forgotten once it is paid.

A refund whose card is closed stays a debt (`refunds.debts`). Its payer says by the order's link to which account they
want it; a treasurer pays it by their bank and marks it as paid (`refunds.pay_otherwise`).
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from apps.ticketing import account_numbers, clock, refunds
from apps.ticketing.models import Order, PayoutAccount, Refund
from apps.ticketing.states import RefundState

LONGEST_HOLDER = 120
LONGEST_NUMBER = 60


def debt_of(order: Order, public_id: UUID) -> Refund | None:
    """The failed refund of this order that is still owed, if it is."""
    return refunds.debts().filter(payment__order=order, public_id=public_id).first()


def of(owed: Iterable[Refund]) -> dict[int, PayoutAccount]:
    """{refund id: the account given for it}. One query."""
    return {row.refund_id: row for row in PayoutAccount.objects.filter(refund__in=list(owed))}


def give(refund: Refund, *, holder: str, number: str) -> PayoutAccount:
    """Keep where this debt is to be paid; a second time replaces the first. Raises refunds.NoDebt once nothing is owed.
    Locks the order, then the refund, as whoever pays it does. Next: a treasurer's task tells the account."""
    with transaction.atomic():
        refunds.locked_debt(refund)
        account, _is_new = PayoutAccount.objects.update_or_create(
            refund=refund, defaults={"holder": holder, "number": number, "given_at": clock.now()}
        )
    return account


def clean_number(text: str) -> str:
    """An IBAN, a mobile phone with Swish, or a Swedish account with its clearing number, without spaces. Raises
    ValidationError; also for an association's Swish number, which looks like an account and is none."""
    bare = account_numbers.ungrouped(text).upper()
    if bare[:2].isalpha():
        return account_numbers.clean_iban(bare)
    if bare.startswith(("0", "+")):
        return account_numbers.clean_swish(bare)
    # An account at the clearing numbers 1230-1239 has eleven digits with them.
    is_association = len(bare) == 10 and bare.startswith("123")
    if is_association or not (bare.isascii() and bare.isdigit() and 10 <= len(bare) <= 16):
        raise ValidationError(
            _("We cannot pay to this. Write the clearing number and the account, an IBAN, or a mobile phone.")
        )
    return bare


def write_number(number: str) -> str:
    """As people read it."""
    if number[:2].isalpha():
        return account_numbers.write_iban(number)
    return account_numbers.write_swish(number) if number.startswith("0") else f"{number[:4]}-{number[4:]}"


def tail_of(number: str) -> str:
    """The last four signs, by which its owner recognises it."""
    return number[-4:]


def forget_paid() -> int:
    """Delete the accounts of what is owed no more, however that came about; how many. What was sent again and may fail
    once more keeps its account. Safe to repeat."""
    decided = [RefundState.DONE, RefundState.FAILED]
    of_none = PayoutAccount.objects.filter(refund__state__in=decided).exclude(refund__in=refunds.debts())
    deleted, _models = of_none.delete()
    return deleted
