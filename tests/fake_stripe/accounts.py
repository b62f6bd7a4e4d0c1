"""Connected accounts: made by the platform, filled in by their owner on a page of Stripe's, restricted, left.

https://docs.stripe.com/connect/hosted-onboarding
"""

from __future__ import annotations

import secrets
from typing import Any

from tests.fake_stripe.books import PLATFORM, Books, Row
from tests.fake_stripe.forms import ApiError, missing, needed

LINK_SECONDS = 300
ASKED = ["business_profile.url", "external_account", "representative.first_name", "tos_acceptance.date"]


def create(books: Books, params: Row) -> Row:
    controller = params.get("controller")
    if params.get("type") and controller:
        raise ApiError(400, "You may not provide the `type` parameter together with `controller`.", param="type")
    row = books.add(
        PLATFORM,
        "acct",
        "account",
        business_profile=params.get("business_profile") or {},
        business_type=params.get("business_type"),
        capabilities={},
        charges_enabled=False,
        company=None,
        controller={"type": "application", "is_controller": True, **(controller or {})},
        country=params.get("country", "SE"),
        default_currency=params.get("default_currency", "sek"),
        details_submitted=False,
        email=params.get("email"),
        metadata=params.get("metadata") or {},
        payouts_enabled=False,
        requirements=_requirements(ASKED, "requirements.past_due"),
        settings={"dashboard": {"display_name": None}},
        type=params.get("type") or ("none" if controller else "standard"),
    )
    row["id"], old = row["id"].replace("_", "_1", 1), row["id"]
    books.rows[row["id"]] = books.rows.pop(old)
    books.owners[row["id"]] = books.owners.pop(old)
    return row


def _requirements(due: list[str], disabled_reason: str | None) -> Row:
    return {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": due,
        "disabled_reason": disabled_reason,
        "errors": [],
        "eventually_due": due,
        "past_due": due if disabled_reason else [],
        "pending_verification": [],
    }


def retrieve(books: Books, id: str, key: str) -> Row:
    if books.account_for(id, key) != PLATFORM:
        return books.rows[id]
    return books.rows[PLATFORM]


def update(books: Books, id: str, params: Row, key: str) -> Row:
    row = retrieve(books, id, key)
    for name in ("email", "business_type", "business_profile"):
        if name in params:
            row[name] = params[name]
    if isinstance(params.get("metadata"), dict):
        row["metadata"] = {**row["metadata"], **params["metadata"]}
    return row


def link(books: Books, params: Row, key: str) -> Row:
    """A link to the onboarding page: good once, for five minutes."""
    account = books.account_for(needed(params, "account"), key)
    if needed(params, "type") != "account_onboarding":
        raise ApiError(400, "You cannot create `account_update` type Account Links for this account.", param="type")
    return_url, refresh_url = needed(params, "return_url"), needed(params, "refresh_url")
    if books.livemode and not (return_url.startswith("https://") and refresh_url.startswith("https://")):
        raise ApiError(400, "Livemode requests must always be redirected via HTTPS.", code="url_invalid")
    token = secrets.token_urlsafe(12)
    row = books.add(
        PLATFORM,
        "link",
        "account_link",
        expires_at=books.now() + LINK_SECONDS,
        _account=account,
        _return_url=return_url,
        _refresh_url=refresh_url,
        _token=token,
        _opened=False,
    )
    row["url"] = f"{books.settings['url']}/setup/s/{account}/{token}"
    del row["livemode"]
    shown = dict(row)
    shown.pop("id")
    return shown


def link_of(books: Books, account: str, token: str) -> Row:
    for row in books.rows.values():
        if row["object"] == "account_link" and row["_token"] == token and row["_account"] == account:
            return row
    raise missing("account_link", token)


def change(books: Books, id: str, facts: Row) -> Row:
    """Set facts of the account, and tell. `disabled_reason` and `currently_due` are of its requirements."""
    row = books.get(PLATFORM, "account", id)
    due = facts.pop("currently_due", None)
    reason = facts.pop("disabled_reason", row["requirements"]["disabled_reason"])
    row["requirements"] = _requirements(row["requirements"]["currently_due"] if due is None else due, reason)
    row |= facts
    books.happened(id, "account.updated", row)
    return row


def onboard(books: Books, id: str) -> Row:
    """Its owner fills in everything, and Stripe is content."""
    facts: Row = {"details_submitted": True, "charges_enabled": True, "payouts_enabled": True}
    facts |= {"currently_due": [], "disabled_reason": None}
    facts["capabilities"] = {"card_payments": "active", "swish_payments": "active", "klarna_payments": "active"}
    return change(books, id, facts)


def deauthorise(books: Books, id: str) -> None:
    """The owner disconnects it from the platform: from now on the platform's calls are 403."""
    books.get(PLATFORM, "account", id)
    books.happened(id, "account.application.deauthorized", {"id": "ca_foyer", "object": "application", "name": "Foyer"})
    books.gone.add(id)


def oauth(books: Books, step: str, params: Row) -> Any:
    if step == "deauthorize":
        id = needed(params, "stripe_user_id")
        if id not in books.rows or id in books.gone:
            raise ApiError(401, "This application is not connected to that account.", code="invalid_client")
        deauthorise(books, id)
        return {"stripe_user_id": id}
    raise ApiError(400, "Authorization code does not exist.", code="invalid_grant")


def ways(books: Books) -> Row:
    """The ways to pay that the platform has switched on: `fake.set(ways=[...])`."""
    on = books.settings.get("ways", ["card", "swish", "klarna"])
    return _listed("payment_method_configurations", [{"object": "payment_method_configuration", **_available(on)}])


def domains(books: Books, params: Row) -> Row:
    """The domains registered for wallets: `fake.set(domains=[...])`."""
    found = [name for name in books.settings.get("domains", ()) if name == params.get("domain_name", name)]
    active = {"apple_pay": {"status": "active"}, "google_pay": {"status": "active"}, "link": {"status": "inactive"}}
    rows = [{"object": "payment_method_domain", "domain_name": name, "enabled": True, **active} for name in found]
    return _listed("payment_method_domains", rows)


def _available(ways: list[str]) -> Row:
    return {way: {"available": True, "display_preference": {"value": "on"}} for way in ways}


def _listed(name: str, rows: list[Row]) -> Row:
    return {"object": "list", "url": f"/v1/{name}", "has_more": False, "data": rows}
