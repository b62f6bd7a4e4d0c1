"""Payments: intents, the charges they make, the buyer's answer, and the hosted checkout's sessions.

The life of an intent: https://docs.stripe.com/payments/paymentintents/lifecycle
"""

from __future__ import annotations

import re
from typing import Any

from tests.fake_stripe import disputes, methods
from tests.fake_stripe.books import PLATFORM, Books, Row
from tests.fake_stripe.forms import ApiError, needed, whole
from tests.fake_stripe.methods import Method

LEAST = {"sek": 300, "eur": 50, "usd": 50}
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
# Per mille and a fixed part in minor units; EU cards and Swedish methods about as the price list has them.
FEES = {"card": (15, 180), "swish": (10, 300), "klarna": (29, 300)}
SESSION_SECONDS = 24 * 3600


def create(books: Books, account: str, params: Row) -> Row:
    amount, currency = whole(params, "amount"), needed(params, "currency").lower()
    if amount < LEAST.get(currency, 1):
        message = f"Amount must be at least {LEAST.get(currency, 1)} {currency}"
        raise ApiError(400, message, code="amount_too_small", param="amount")
    if amount > 99_999_999:
        raise ApiError(400, "Amount must be no more than 999,999.99", code="amount_too_large", param="amount")
    if account != PLATFORM and not books.rows[account]["charges_enabled"]:
        message = "Your account cannot currently make live charges."
        raise ApiError(400, message, code="account_invalid" if books.livemode else None)
    fee = params.get("application_fee_amount")
    if fee is not None:
        if account == PLATFORM:
            raise ApiError(400, "Can only apply an application_fee_amount when acting as a connected account.")
        if not 0 < int(fee) <= amount:
            raise ApiError(
                400, "The application fee cannot be greater than the amount.", param="application_fee_amount"
            )
    types = params.get("payment_method_types") or methods.types_for(currency)
    for type in types:
        if type in methods.ELSEWHERE and currency not in methods.ELSEWHERE[type]:
            raise ApiError(400, f"The currency provided ({currency}) is invalid for {type}.", param="currency")
    intent = books.add(
        account,
        "pi",
        "payment_intent",
        amount=amount,
        amount_capturable=0,
        amount_received=0,
        application_fee_amount=int(fee) if fee is not None else None,
        automatic_payment_methods=None if params.get("payment_method_types") else {"enabled": True},
        canceled_at=None,
        cancellation_reason=None,
        capture_method="automatic_async",
        confirmation_method="automatic",
        currency=currency,
        customer=None,
        description=params.get("description"),
        last_payment_error=None,
        latest_charge=None,
        metadata=params.get("metadata") or {},
        next_action=None,
        payment_method=None,
        payment_method_types=list(types),
        processing=None,
        receipt_email=params.get("receipt_email"),
        statement_descriptor=None,
        statement_descriptor_suffix=params.get("statement_descriptor_suffix"),
        status="requires_payment_method",
    )
    intent["client_secret"] = f"{intent['id']}_secret_{books.new_id('x')[8:]}"
    books.happened(account, "payment_intent.created", intent)
    if str(params.get("confirm", "")).lower() == "true":
        return confirm(books, account, intent, params)
    if params.get("payment_method") or params.get("payment_method_data"):
        intent["_method"] = methods.chosen(params)
        intent["status"] = "requires_confirmation"
    return intent


def update(books: Books, account: str, intent: Row, params: Row) -> Row:
    if intent["status"] not in OPEN:
        raise _unexpected(books, intent, "update")
    if "amount" in params:
        intent["amount"] = whole(params, "amount")
    for name in ("description", "receipt_email", "statement_descriptor_suffix"):
        if name in params:
            intent[name] = params[name] or None
    if isinstance(params.get("metadata"), dict):
        merged = {**intent["metadata"], **params["metadata"]}
        intent["metadata"] = {name: value for name, value in merged.items() if value != ""}
    return intent


def cancel(books: Books, account: str, intent: Row, params: Row) -> Row:
    """Close it. Raises ApiError 400 payment_intent_unexpected_state when it is paid, processing or closed before."""
    if intent["status"] not in OPEN:
        raise _unexpected(books, intent, "cancel")
    intent |= {"status": "canceled", "canceled_at": books.now(), "next_action": None}
    intent["cancellation_reason"] = params.get("cancellation_reason")
    books.happened(account, "payment_intent.canceled", intent)
    return intent


def _unexpected(books: Books, intent: Row, verb: str) -> ApiError:
    return ApiError(
        400,
        f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}.",
        code="payment_intent_unexpected_state",
        payment_intent=books.shown(intent),
    )


# --- The buyer -------------------------------------------------------------------------------------------------


def confirm(books: Books, account: str, intent: Row, params: Row) -> Row:
    """The buyer pays by a method. Raises ApiError 402 when the bank declines."""
    if intent["status"] not in OPEN:
        raise _unexpected(books, intent, "confirm")
    method = methods.chosen(params) or intent.get("_method")
    if method is None:
        message = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise ApiError(400, message, code="payment_intent_unexpected_state", payment_intent=books.shown(intent))
    if method.type not in intent["payment_method_types"]:
        raise ApiError(400, f"The PaymentMethod type {method.type} is not allowed for this PaymentIntent.")
    if method.type in methods.ELSEWHERE and not params.get("return_url"):
        raise ApiError(400, "A return_url must be specified.", code="parameter_missing", param="return_url")
    intent["_method"], intent["_return_url"] = method, params.get("return_url", "")
    intent["payment_method"] = books.add(account, "pm", "payment_method", **methods.details(method))["id"]
    intent["last_payment_error"] = None
    if method.asks or method.type in methods.ELSEWHERE:
        url = f"{books.settings['url']}/authenticate/{intent['client_secret']}"
        if method.type == "card":
            action: Row = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
            action["use_stripe_sdk"]["stripe_js"] = url
            if params.get("use_stripe_sdk") != "true" and intent["_return_url"]:
                action = {"type": "redirect_to_url"}
                action["redirect_to_url"] = {"url": url, "return_url": intent["_return_url"]}
        else:
            action = {"type": "redirect_to_url", "redirect_to_url": {"url": url, "return_url": intent["_return_url"]}}
        intent |= {"status": "requires_action", "next_action": action}
        books.happened(account, "payment_intent.requires_action", intent)
        return intent
    if method.declines:
        raise _declined(books, account, intent, method)
    return _succeed(books, account, intent)


def act(books: Books, intent: Row, *, approves: bool, later: bool = False) -> Row:
    """The buyer answers in the bank's app. `later`: approved, but the bank takes its time. Idle when it is over."""
    account = books.owners[intent["id"]]
    if intent["status"] != "requires_action":
        return intent
    method: Method = intent["_method"]
    if not approves or (method.declines and not later):
        _declined(books, account, intent, method, refused=not approves)
        return intent
    if later:
        intent |= {"status": "processing", "next_action": None, "processing": {"type": method.type}}
        books.happened(account, "payment_intent.processing", intent)
        session_waits(books, intent)
        return intent
    return _succeed(books, account, intent)


def answer(books: Books, intent: Row, outcome: str) -> Row:
    """The bank's answer to a payment that is processing or waiting; also one that comes after it was closed."""
    account = books.owners[intent["id"]]
    intent.setdefault("_method", Method())
    if outcome == "succeeded":
        return intent if intent["status"] == "succeeded" else _succeed(books, account, intent)
    if outcome == "processing":
        intent |= {"status": "processing", "next_action": None}
        books.happened(account, "payment_intent.processing", intent)
        return intent
    _declined(books, account, intent, intent["_method"], refused=True)
    return intent


def _succeed(books: Books, account: str, intent: Row) -> Row:
    method: Method = intent["_method"]
    charge = _charge(books, account, intent, method, "succeeded")
    intent |= {"status": "succeeded", "amount_received": intent["amount"], "next_action": None, "processing": None}
    intent |= {"latest_charge": charge["id"], "canceled_at": None}
    per_mille, fixed = FEES[method.type]
    fees = [{"type": "stripe_fee", "amount": (intent["amount"] * per_mille + 500) // 1000 + fixed, "application": None}]
    if intent["application_fee_amount"]:
        fees.append({"type": "application_fee", "amount": intent["application_fee_amount"], "application": "ca_foyer"})
        fee = _application_fee(books, account, charge, intent["application_fee_amount"])
        charge |= {"application_fee": fee["id"], "application_fee_amount": fee["amount"]}
    for each in fees:
        each |= {"currency": intent["currency"], "description": each["type"].replace("_", " ")}
    kind = "charge" if method.type == "card" else "payment"
    txn = books.balance_transaction(account, kind, intent["amount"], intent["currency"], charge["id"], fees=fees)
    charge["balance_transaction"] = txn["id"]
    books.happened(account, "charge.succeeded", charge)
    books.happened(account, "payment_intent.succeeded", intent)
    _session_done(books, account, intent)
    if method.disputes:
        disputes.open_dispute(books, charge, "fraudulent", None)
    return intent


def _application_fee(books: Books, account: str, charge: Row, amount: int) -> Row:
    fee = books.add(
        PLATFORM,
        "fee",
        "application_fee",
        account=account,
        amount=amount,
        amount_refunded=0,
        charge=charge["id"],
        currency=charge["currency"],
        refunded=False,
    )
    txn = books.balance_transaction(PLATFORM, "application_fee", amount, charge["currency"], fee["id"])
    fee["balance_transaction"] = txn["id"]
    books.happened(PLATFORM, "application_fee.created", fee)
    return fee


def _declined(books: Books, account: str, intent: Row, method: Method, *, refused: bool = False) -> ApiError:
    if refused:
        code = "payment_intent_authentication_failure" if method.type == "card" else "payment_method_customer_decline"
        words = "We are unable to authenticate your payment method. Choose a different payment method and try again."
        decline_code = None
    else:
        code, words, decline_code = method.declines, methods.WORDS[method.declines], method.decline_code
    if not refused:
        charge = _charge(books, account, intent, method, "failed")
        charge |= {"failure_code": code, "failure_message": words}
        intent["latest_charge"] = charge["id"]
        books.happened(account, "charge.failed", charge)
    error = {"type": "card_error", "code": code, "message": words}
    if decline_code:
        error["decline_code"] = decline_code
    intent |= {"status": "requires_payment_method", "next_action": None, "processing": None, "payment_method": None}
    intent["last_payment_error"] = error
    books.happened(account, "payment_intent.payment_failed", intent)
    return ApiError(
        402, words, type="card_error", code=code, decline_code=decline_code, payment_intent=books.shown(intent)
    )


def _charge(books: Books, account: str, intent: Row, method: Method, status: str) -> Row:
    return books.add(
        account,
        "ch" if method.type == "card" else "py",
        "charge",
        amount=intent["amount"],
        amount_captured=intent["amount"] if status == "succeeded" else 0,
        amount_refunded=0,
        application_fee=None,
        application_fee_amount=None,
        balance_transaction=None,
        captured=status == "succeeded",
        currency=intent["currency"],
        description=intent["description"],
        disputed=False,
        dispute=None,
        failure_code=None,
        failure_message=None,
        metadata=dict(intent["metadata"]),
        paid=status == "succeeded",
        payment_intent=intent["id"],
        payment_method=intent["payment_method"],
        payment_method_details=methods.details(method),
        receipt_email=intent["receipt_email"],
        refunded=False,
        status=status,
        _method=method,
    )


# --- The hosted page -------------------------------------------------------------------------------------------


def create_session(books: Books, account: str, params: Row) -> Row:
    if params.get("mode") != "payment":
        raise ApiError(400, "This fake knows mode=payment only.", param="mode")
    items = params.get("line_items") or []
    if not items:
        raise ApiError(400, "Missing required param: line_items.", code="parameter_missing", param="line_items")
    total, currency = 0, ""
    for number, item in enumerate(items):
        price = item.get("price_data") or {}
        if not (price.get("product_data") or {}).get("name"):
            name = f"line_items[{number}][price_data][product_data][name]"
            raise ApiError(400, f"Missing required param: {name}.", code="parameter_missing", param=name)
        currency = needed(price, "currency").lower()
        total += whole(price, "unit_amount") * whole(item, "quantity", 1)
    now = books.now()
    expires_at = whole(params, "expires_at", now + SESSION_SECONDS)
    if not now + 1800 <= expires_at + 5 <= now + SESSION_SECONDS + 10:
        message = "The `expires_at` timestamp must be at least 30 minutes and less than 24 hours from now."
        raise ApiError(400, message, param="expires_at")
    needed(params, "success_url")
    if total < LEAST.get(currency, 1):
        raise ApiError(400, "The Checkout Session's total amount is too small.", code="amount_too_small")
    data = params.get("payment_intent_data") or {}
    session = books.add(
        account,
        "cs_live" if books.livemode else "cs_test",
        "checkout.session",
        amount_subtotal=total,
        amount_total=total,
        cancel_url=params.get("cancel_url"),
        client_reference_id=params.get("client_reference_id"),
        currency=currency,
        customer_email=params.get("customer_email"),
        expires_at=expires_at,
        locale=params.get("locale"),
        metadata=params.get("metadata") or {},
        mode="payment",
        payment_intent=None,  # made when the buyer pays, since API version 2022-08-01
        payment_method_types=params.get("payment_method_types") or methods.types_for(currency),
        payment_status="unpaid",
        status="open",
        success_url=params["success_url"],
        ui_mode="hosted",
        _items=[(item["price_data"]["product_data"]["name"], item.get("quantity", "1")) for item in items],
        _data=data,
    )
    session["url"] = f"{books.settings['url']}/c/pay/{session['id']}"
    return session


def expire_session(books: Books, account: str, session: Row) -> Row:
    if session["status"] != "open":
        message = f'Only Checkout Sessions with a status in ["open"] can be expired. This one is {session["status"]}.'
        raise ApiError(400, message)
    session |= {"status": "expired", "url": None}
    intent = books.rows.get(session["payment_intent"] or "")
    if intent is not None and intent["status"] in OPEN:
        cancel(books, account, intent, {"cancellation_reason": "automatic"})
    books.happened(account, "checkout.session.expired", session)
    return session


def expire_overdue_sessions(books: Books) -> None:
    for session in books.all(None, "checkout.session"):
        if session["status"] == "open" and session["expires_at"] <= books.now():
            expire_session(books, books.owners[session["id"]], session)


def pay_session(books: Books, session: Row, params: Row) -> Row:
    """The buyer pays on the hosted page. Returns the intent; raises ApiError as `confirm` does."""
    account = books.owners[session["id"]]
    if session["payment_intent"] is None:
        wanted: Row = {"amount": session["amount_total"], "currency": session["currency"]}
        data = session["_data"]
        wanted |= {name: data[name] for name in ("metadata", "application_fee_amount", "description") if name in data}
        wanted["payment_method_types"] = session["payment_method_types"]
        wanted["receipt_email"] = session["customer_email"]
        session["payment_intent"] = create(books, account, wanted)["id"]
    intent = books.rows[session["payment_intent"]]
    intent["_session"] = session["id"]
    return confirm(books, account, intent, {**params, "return_url": session_url(session)})


def session_url(session: Row) -> str:
    return session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"])


def _session_done(books: Books, account: str, intent: Row) -> None:
    session = books.rows.get(intent.get("_session", ""))
    if session is None:
        return
    was_open = session["status"] == "open"
    session |= {"status": "complete", "payment_status": "paid", "url": None}
    type = "completed" if was_open else "async_payment_succeeded"
    books.happened(account, f"checkout.session.{type}", session)


def session_waits(books: Books, intent: Row) -> None:
    """The buyer approved and the bank takes its time: the session is complete, and unpaid."""
    session = books.rows.get(intent.get("_session", ""))
    if session is not None and session["status"] == "open":
        session |= {"status": "complete", "url": None}
        books.happened(books.owners[session["id"]], "checkout.session.completed", session)


def search(books: Books, account: str, params: Row) -> Row:
    """`metadata['name']:'value'`, joined by AND, as https://docs.stripe.com/search has it."""
    clauses: Any = re.findall(r"metadata\[['\"]([^'\"]+)['\"]\]:['\"]([^'\"]*)['\"]", needed(params, "query"))
    if not clauses:
        raise ApiError(400, "This fake searches by metadata['name']:'value' only.", param="query")
    rows = [
        books.shown(row)
        for row in books.all(account, "payment_intent")
        if all(row["metadata"].get(name) == value for name, value in clauses)
    ]
    return {"object": "search_result", "url": "/v1/payment_intents/search", "has_more": False, "data": rows}
