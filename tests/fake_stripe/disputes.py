"""Disputes: the bank takes the money back at once, and gives it back if they are won.

https://docs.stripe.com/disputes/how-disputes-work
"""

from __future__ import annotations

from tests.fake_stripe.books import Books, Row
from tests.fake_stripe.forms import ApiError

FEE = {"sek": 15000, "eur": 1500}


def open_dispute(books: Books, charge: Row, reason: str, amount: int | None) -> Row:
    account = books.owners[charge["id"]]
    if charge["status"] != "succeeded" or charge["disputed"]:
        raise ApiError(400, "Only a paid charge can be disputed, and once.")
    dispute = books.add(
        account,
        "dp",
        "dispute",
        amount=amount or charge["amount"] - charge["amount_refunded"],
        balance_transactions=[],
        charge=charge["id"],
        currency=charge["currency"],
        evidence_details={"due_by": books.now() + 14 * 86400, "has_evidence": False, "submission_count": 0},
        is_charge_refundable=False,
        metadata={},
        payment_intent=charge["payment_intent"],
        reason=reason,
        status="needs_response",
    )
    charge |= {"disputed": True, "dispute": dispute["id"]}
    _move(books, account, dispute, -1)
    books.happened(account, "charge.dispute.created", dispute)
    books.happened(account, "charge.dispute.funds_withdrawn", dispute)
    return dispute


def close(books: Books, dispute: Row, outcome: str) -> Row:
    account = books.owners[dispute["id"]]
    if dispute["status"] in ("won", "lost", "warning_closed"):
        raise ApiError(400, "This dispute is already closed")
    dispute["status"] = outcome
    if outcome in ("won", "warning_closed"):
        _move(books, account, dispute, 1)
        books.happened(account, "charge.dispute.funds_reinstated", dispute)
    books.happened(account, "charge.dispute.closed", dispute)
    return dispute


def _move(books: Books, account: str, dispute: Row, sign: int) -> None:
    fee = {"type": "stripe_fee", "amount": -sign * FEE.get(dispute["currency"], 1500), "application": None}
    fee |= {"currency": dispute["currency"], "description": "Dispute fee"}
    txn = books.balance_transaction(
        account, "adjustment", sign * dispute["amount"], dispute["currency"], dispute["id"], fees=[fee]
    )
    dispute["balance_transactions"].append(books.shown(txn))
