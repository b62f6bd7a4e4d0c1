"""Refunds: to the method that paid, out of the available balance, and not always done when they are ordered.

https://docs.stripe.com/refunds
"""

from __future__ import annotations

from tests.fake_stripe.books import PLATFORM, Books, Row
from tests.fake_stripe.forms import ApiError, whole, yes


def create(books: Books, account: str, params: Row) -> Row:
    charge = _charge(books, account, params)
    if charge["refunded"]:
        raise ApiError(
            400,
            f"Charge {charge['id']} has already been refunded.",
            code="charge_already_refunded",
            charge=charge["id"],
        )
    if charge["disputed"] and books.rows[charge["dispute"]]["status"] not in ("won", "warning_closed"):
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise ApiError(400, message, code="charge_disputed", charge=charge["id"])
    left = charge["amount"] - charge["amount_refunded"]
    amount = whole(params, "amount", left)
    if amount <= 0:
        raise ApiError(400, "This value must be greater than or equal to 1.", code="parameter_invalid_integer")
    if amount > left:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
        raise ApiError(400, message, code="amount_too_large", param="amount")
    refund = books.add(
        account,
        "re" if charge["id"].startswith("ch_") else "pyr",
        "refund",
        amount=amount,
        balance_transaction=None,
        charge=charge["id"],
        currency=charge["currency"],
        destination_details={"type": charge["payment_method_details"]["type"]},
        failure_reason=None,
        failure_balance_transaction=None,
        metadata=params.get("metadata") or {},
        payment_intent=charge["payment_intent"],
        pending_reason=None,
        reason=params.get("reason"),
        status=charge["_method"].refund,
        _ends=charge["_method"].refund_ends,
    )
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    if yes(params.get("refund_application_fee")) and charge["application_fee"]:
        _refund_application_fee(books, charge, amount)
    taken, settled, _rate = books.settled(amount, refund["currency"])
    if books.balance_of(account, settled) < taken:
        refund |= {"status": "pending", "pending_reason": "insufficient_funds", "_ends": refund["_ends"] or "succeeded"}
    else:
        _take(books, account, refund)
    books.happened(account, "refund.created", refund)
    books.happened(account, "charge.refunded", charge)
    return refund


def _charge(books: Books, account: str, params: Row) -> Row:
    if params.get("charge"):
        charge = books.get(account, "charge", params["charge"])
    elif params.get("payment_intent"):
        intent = books.get(account, "payment_intent", params["payment_intent"])
        if intent["status"] != "succeeded":
            message = f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
            raise ApiError(400, message, code="payment_intent_unexpected_state")
        charge = books.rows[intent["latest_charge"]]
    else:
        raise ApiError(400, "One of the following params should be provided: payment_intent or charge.")
    if charge["status"] != "succeeded":
        raise ApiError(400, f"Charge {charge['id']} was not paid.", code="charge_not_refundable")
    return charge


def _take(books: Books, account: str, refund: Row) -> None:
    kind = "refund" if refund["id"].startswith("re_") else "payment_refund"
    txn = books.balance_transaction(account, kind, -refund["amount"], refund["currency"], refund["id"])
    refund["balance_transaction"] = txn["id"]


def _refund_application_fee(books: Books, charge: Row, amount: int) -> None:
    fee = books.rows[charge["application_fee"]]
    part = min(fee["amount"] * amount // charge["amount"], fee["amount"] - fee["amount_refunded"])
    fee["amount_refunded"] += part
    fee["refunded"] = fee["amount_refunded"] == fee["amount"]
    books.balance_transaction(PLATFORM, "application_fee_refund", -part, fee["currency"], fee["id"])
    books.balance_transaction(books.owners[charge["id"]], "adjustment", part, fee["currency"], fee["id"])
    books.happened(PLATFORM, "application_fee.refunded", fee)


def end(books: Books, refund: Row, outcome: str) -> Row:
    """What became of it in the end: `succeeded`, `failed` (the money is back in the balance) or `canceled`."""
    account = books.owners[refund["id"]]
    if refund["status"] in ("failed", "canceled"):
        raise ApiError(400, f"This refund is {refund['status']} already.")
    was, outcome = refund["status"], outcome or refund["_ends"] or "succeeded"
    refund |= {"status": outcome, "pending_reason": None}
    if outcome == "succeeded":
        if refund["balance_transaction"] is None:
            _take(books, account, refund)
        books.happened(account, "refund.updated", refund, status=was)
        return refund
    refund["failure_reason"] = "expired_or_canceled_card" if outcome == "failed" else None
    if refund["balance_transaction"] is not None:
        kind = "refund_failure" if refund["id"].startswith("re_") else "payment_failure_refund"
        txn = books.balance_transaction(account, kind, refund["amount"], refund["currency"], refund["id"])
        refund["failure_balance_transaction"] = txn["id"]
    charge = books.rows[refund["charge"]]
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    books.happened(account, "refund.updated", refund, status=was)
    if outcome == "failed":
        books.happened(account, "refund.failed", refund, status=was)
        books.happened(account, "charge.refund.updated", refund, status=was)
    return refund


def end_waiting(books: Books, account: str) -> None:
    """The balance was topped up: those that waited for it go, the oldest first, as far as it reaches."""
    for refund in books.all(account, "refund")[::-1]:
        waits = refund["status"] == "pending" and refund["pending_reason"] == "insufficient_funds"
        taken, settled, _rate = books.settled(refund["amount"], refund["currency"])
        if waits and books.balance_of(account, settled) >= taken:
            end(books, refund, "succeeded")
