"""Test cards and methods, by the numbers and names that Stripe documents: https://docs.stripe.com/testing"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tests.fake_stripe.forms import ApiError


@dataclass(frozen=True)
class Method:
    """A way to pay and how its bank answers."""

    type: str = "card"
    last4: str = "4242"
    brand: str = "visa"
    declines: str = ""  # the code of the error
    decline_code: str = ""
    asks: bool = False  # 3-D Secure
    disputes: bool = False
    refund: str = "succeeded"  # how a refund to it begins
    refund_ends: str = ""  # and how it ends when told without a word
    wallet: str = ""


CARDS = {
    "4242424242424242": Method(),
    "5555555555554444": Method(last4="4444", brand="mastercard"),
    "4000000000000077": Method(last4="0077"),
    "4000000000000002": Method(last4="0002", declines="card_declined", decline_code="generic_decline"),
    "4000000000009995": Method(last4="9995", declines="card_declined", decline_code="insufficient_funds"),
    "4000000000000069": Method(last4="0069", declines="expired_card", decline_code="expired_card"),
    "4000000000000127": Method(last4="0127", declines="incorrect_cvc", decline_code="incorrect_cvc"),
    "4000000000000119": Method(last4="0119", declines="processing_error", decline_code="processing_error"),
    "4000002760003184": Method(last4="3184", asks=True),
    "4000008400001629": Method(last4="1629", asks=True, declines="card_declined", decline_code="generic_decline"),
    "4000000000000259": Method(last4="0259", disputes=True),
    "4000000000005126": Method(last4="5126", refund_ends="failed"),
    "4000000000007726": Method(last4="7726", refund="pending", refund_ends="succeeded"),
}
BY_NAME = {
    "pm_card_visa": "4242424242424242",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_bypassPending": "4000000000000077",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_chargeDeclinedExpiredCard": "4000000000000069",
    "pm_card_chargeDeclinedIncorrectCvc": "4000000000000127",
    "pm_card_chargeDeclinedProcessingError": "4000000000000119",
    "pm_card_authenticationRequired": "4000002760003184",
    "pm_card_threeDSecureRequired": "4000002760003184",
    "pm_card_threeDSecureRequiredChargeDeclined": "4000008400001629",
    "pm_card_createDispute": "4000000000000259",
    "pm_card_refundFail": "4000000000005126",
    "pm_card_pendingRefund": "4000000000007726",
}
# Methods that lead to a page or an app of their own, and the currencies they take.
ELSEWHERE = {"swish": ("sek",), "klarna": ("sek", "eur")}
WORDS = {
    "card_declined": "Your card was declined.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
}


def types_for(currency: str) -> list[str]:
    """What automatic_payment_methods offers."""
    return ["card", *(type for type, currencies in ELSEWHERE.items() if currency in currencies)]


def by_number(number: str, wallet: str = "") -> Method:
    digits = re.sub(r"\D", "", number)
    if digits not in CARDS:
        raise ApiError(402, "Your card number is incorrect.", type="card_error", code="incorrect_number")
    return Method(**{**CARDS[digits].__dict__, "wallet": wallet})


def chosen(params: dict[str, Any]) -> Method | None:
    """The method that a request names, by `payment_method` or `payment_method_data`; or None."""
    data = params.get("payment_method_data")
    if isinstance(data, dict):
        if data.get("type") == "card":
            card = data.get("card") or {}
            return by_number(card.get("number", "4242424242424242"), card.get("wallet", ""))
        if data.get("type") in ELSEWHERE:
            return Method(type=data["type"], last4="", brand="")
        raise ApiError(400, f"Invalid payment_method_data[type]: {data.get('type')}", param="payment_method_data[type]")
    name = params.get("payment_method")
    return named(name) if name else None


def named(name: str) -> Method:
    if name in BY_NAME:
        return CARDS[BY_NAME[name]]
    if name in ELSEWHERE:
        return Method(type=name, last4="", brand="")
    raise ApiError(400, f"No such PaymentMethod: '{name}'", code="resource_missing", param="payment_method")


def details(method: Method) -> dict[str, Any]:
    """As a charge shows it."""
    if method.type != "card":
        return {"type": method.type, method.type: {}}
    wallet = {"type": method.wallet, method.wallet: {}} if method.wallet else None
    card = {"brand": method.brand, "last4": method.last4, "country": "SE", "exp_month": 12, "exp_year": 2034}
    return {"type": "card", "card": {**card, "funding": "credit", "network": method.brand, "wallet": wallet}}
