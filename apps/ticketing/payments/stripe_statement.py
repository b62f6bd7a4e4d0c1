"""What lies at Stripe for an organisation, and every movement there: to compare our books with (`reconcile`), and to
see before an event is cancelled whether there is enough to send back.

Asked on each account that the organisation's payments were made on. Where the house's own account sells for several,
Stripe knows one balance and one statement for all of them; the statement is then only told as far as it is theirs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from apps.events.models import Organisation
from apps.ticketing import reasons
from apps.ticketing.extensions import (
    AccountRefused,
    AccountsRefused,
    NothingToUs,
    Notice,
    ProviderRefused,
    Transaction,
    UnknownOutcome,
)
from apps.ticketing.models import Payment, Refund
from apps.ticketing.payments.stripe_notices import OUR_PAYMENT, OUR_REFUND, SLUG, Object, id_of, of_dispute, our_id
from apps.ticketing.payments.stripe_provider import _look, _options, _read

log = logging.getLogger(__name__)

PAGE = 100
PAID_BEFORE = timedelta(days=120)  # a dispute
# docs.stripe.com/reports/balance-transaction-types; those of cards, and of all other ways to pay.
KINDS = {
    "charge": "payment",
    "payment": "payment",
    "refund": "refund",
    "payment_refund": "refund",
    "adjustment": "dispute",
    "payout": "payout",
}


def accounts_of(organisation: Organisation) -> list[str]:
    """Every account at Stripe that the organisation was ever paid on; empty text is the house's own."""
    paid = Payment.objects.filter(provider=SLUG, order__organisation=organisation)
    return sorted(set(paid.order_by().values_list("account", flat=True)))


def balance(account: str, currency: str) -> int:
    """What can be sent back now from an account, in minor units. Raises AccountRefused when it was taken away from us,
    and UnknownOutcome."""
    told = _look(lambda client: client.v1.balance.retrieve(None, _options(account)))
    return _read(lambda: sum(one["amount"] for one in told["available"] if one["currency"] == currency.lower()))


def transactions(organisation: Organisation, since: datetime) -> Iterator[Transaction]:
    """Every movement since that moment on the organisation's accounts. Raises UnknownOutcome, and in the end
    AccountsRefused when some of them were taken away from us."""
    refused = []
    for account in accounts_of(organisation):
        try:
            for row in _all(partial(_page, account), since):
                movement = _read(partial(_movement, row))
                if movement is not None and _is_of(organisation, account, movement, row["source"]):
                    yield movement
        except AccountRefused:
            refused.append(account)
    if refused:
        raise AccountsRefused(reasons.REFUSED, refused)


def disputes(since: datetime) -> Iterator[Notice]:
    """Every dispute opened since that moment on an account that payments were made on; an account that does not answer,
    or that was taken away from us, keeps no other from being asked."""
    paid = Payment.objects.filter(provider=SLUG, captured_at__gte=since - PAID_BEFORE)
    for account in sorted(set(paid.order_by().values_list("account", flat=True))):
        try:
            yield from _disputes_of(account, since)
        except (UnknownOutcome, ProviderRefused) as error:
            log.warning("Stripe did not tell the disputes of an account (%s): %r", account[-6:] or "the house's", error)


def _disputes_of(account: str, since: datetime) -> Iterator[Notice]:
    for row in _all(partial(_disputes_page, account), since):
        try:
            notice, own = _read(partial(of_dispute, row))
        except NothingToUs:
            continue
        if own == account:
            yield notice


def _disputes_page(account: str, wanted: dict[str, Any]) -> Object:
    parameters: Any = {"limit": PAGE, **wanted}
    return _look(lambda client: client.v1.disputes.list(parameters, _options(account)))


def _all(page: Callable[[dict[str, Any]], Object], since: datetime) -> Iterator[Object]:
    """What is on all pages of a list of Stripe's, from that moment on."""
    after: dict[str, Any] = {}
    while True:
        told = page({"created": {"gte": int(since.timestamp())}, **after})
        rows = _read(lambda: told["data"])  # noqa: B023 - called at once
        yield from rows
        if not rows or not told.get("has_more"):
            return
        after = {"starting_after": rows[-1]["id"]}


def _page(account: str, wanted: dict[str, Any]) -> Object:
    parameters: Any = {"limit": PAGE, "expand": ["data.source"], **wanted}
    return _look(lambda client: client.v1.balance_transactions.list(parameters, _options(account)))


def _movement(row: Object) -> Transaction | None:
    """One row of the statement in our words; None for what is neither a buyer's money nor a payout."""
    kind, source = KINDS.get(row["type"]), row["source"] if isinstance(row["source"], dict) else {}
    if kind == "dispute" and source.get("object") != "dispute":
        return None
    if kind is None or (kind == "refund" and source.get("status") not in (None, "succeeded")):
        # One on its way is on the statement before the bank has taken it, and is in our books only then; one that
        # failed has come back, by a row that is left out as well.
        return None
    if kind == "dispute" and row["amount"] > 0:
        kind = "dispute_won"
    amount_minor, currency, fee_minor = _in_own_currency(row, source)
    return Transaction(
        reference=row["id"],
        kind=kind,
        object_reference=id_of(source.get("payment_intent") if kind == "payment" else source.get("id")),
        amount_minor=amount_minor,
        currency=currency.upper(),
        at=datetime.fromtimestamp(row["created"], UTC),
        fee_minor=fee_minor,
        our_id=our_id(source, OUR_REFUND if kind == "refund" else OUR_PAYMENT),
    )


def _in_own_currency(row: Object, source: Object) -> tuple[int, str, int]:
    """What moved, in which currency, and the fee. An account that settles in another currency has both converted on its
    statement; our books stay in the currency of the sale (docs.stripe.com/api/balance_transactions/object)."""
    currency = source.get("currency") or row["currency"]
    if currency == row["currency"]:
        return row["amount"], currency, row["fee"]
    amount = source["amount"] if row["amount"] > 0 else -source["amount"]
    return amount, currency, round(Decimal(row["fee"]) / Decimal(str(row["exchange_rate"])))


def _is_of(organisation: Organisation, account: str, movement: Transaction, source: Any) -> bool:
    """Whether a movement is of what we sold for this organisation: others sell by the house's own account too, and an
    organisation may sell elsewhere by its own. What carries our name on its own account is ours, known or not."""
    if movement.kind == "payout":
        return bool(account)
    if account and movement.our_id:
        return True
    payments = Payment.objects.filter(provider=SLUG, order__organisation=organisation)
    if movement.kind == "payment":
        return bool(movement.our_id) and payments.filter(public_id=movement.our_id).exists()
    if movement.kind == "refund" and movement.our_id:
        return Refund.objects.filter(payment__in=payments, public_id=movement.our_id).exists()
    intent = id_of(source.get("payment_intent")) if isinstance(source, dict) else ""
    return bool(intent) and payments.filter(provider_reference=intent).exists()
