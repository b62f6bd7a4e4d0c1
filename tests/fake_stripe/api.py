"""Which call does what. Each is answered with the books' lock held."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.fake_stripe import accounts, disputes, payments, refunds
from tests.fake_stripe.books import PLATFORM, Books, Row
from tests.fake_stripe.delivery import Post
from tests.fake_stripe.forms import (
    LIVE_PUBLISHABLE_KEY,
    LIVE_SECRET_KEY,
    PUBLISHABLE_KEY,
    SECRET_KEY,
    ApiError,
    missing,
)


@dataclass
class Call:
    """One request to the API, read."""

    method: str
    path: str
    params: Row
    key: str
    account: str  # whose books
    is_public: bool = False  # from a browser, by a publishable key

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Api:
    books: Books
    post: Post

    def caller(self, key: str, named: str | None) -> tuple[str, bool]:
        """Whose books the call means and whether it comes from a browser. Raises ApiError 401 or 403."""
        if key not in (SECRET_KEY, PUBLISHABLE_KEY, LIVE_SECRET_KEY, LIVE_PUBLISHABLE_KEY):
            words = f"Invalid API Key provided: {key[:8]}***" if key else "You did not provide an API key."
            raise ApiError(401, words)
        self.books.livemode = "_live_" in key
        return self.books.account_for(named, key), key.startswith("pk_")

    def answer(self, call: Call) -> Row:
        """What the call is answered. Raises ApiError."""
        for method, pattern, act in ROUTES:
            if method == call.method and (match := re.fullmatch(pattern, call.path)):
                if call.is_public:
                    self._check_public(call, match.groups())
                payments.expire_overdue_sessions(self.books)
                row = act(self, call, *match.groups())
                if row.get("object") in ("list", "search_result", "balance"):
                    return row
                return self.books.shown(row, call.params.get("expand"))
        raise ApiError(404, f"Unrecognized request URL ({call.method}: {call.path}).")

    def _check_public(self, call: Call, ids: tuple[str, ...]) -> None:
        """A browser may read and confirm the one intent whose client_secret it has."""
        intent = self.books.rows.get(ids[0]) if ids else None
        allowed = re.fullmatch(r"/v1/payment_intents/[^/]+(/confirm)?", call.path)
        if not allowed or intent is None or intent.get("client_secret") != call.params.get("client_secret"):
            raise ApiError(401, "This API call cannot be made with a publishable API key.", code="secret_key_required")

    def get(self, call: Call, kind: str, id: str) -> Row:
        return self.books.get(call.account, kind, id)

    def listed(self, call: Call, kind: str, *names: str) -> Row:
        """The account's rows of a kind, filtered by those parameters."""
        wanted = {name: call.params[name] for name in names if name in call.params}
        return self.books.page(
            call.account, kind, call.params, lambda row: all(row.get(name) == value for name, value in wanted.items())
        )

    def events(self, call: Call) -> Row:
        types = call.params.get("types") or ([call.params["type"]] if "type" in call.params else [])
        success = call.params.get("delivery_success")
        oldest = self.books.now() - 30 * 86400  # as far back as Stripe goes

        def keep(row: Row) -> bool:
            named = not types or any(
                re.fullmatch(type.replace(".", r"\.").replace("*", ".*"), row["type"]) for type in types
            )
            delivered = success is None or (row["pending_webhooks"] == 0) == (str(success).lower() == "true")
            return bool(named and delivered and row["created"] >= oldest)

        return self.books.page(call.account, "event", call.params, keep)


def _account(api: Api, call: Call, id: str) -> Row:
    if call.account not in (PLATFORM, id):
        raise missing("account", id)
    return accounts.retrieve(api.books, id, call.key)


def _balance_transactions(api: Api, call: Call) -> Row:
    return api.listed(call, "balance_transaction", "type", "source", "currency")


Act = Callable[..., Row]
ID = r"([A-Za-z0-9_]+)"
ROUTES: list[tuple[str, str, Act]] = [
    ("POST", "/v1/payment_intents", lambda a, c: payments.create(a.books, c.account, c.params)),
    ("GET", "/v1/payment_intents", lambda a, c: a.listed(c, "payment_intent")),
    ("GET", "/v1/payment_intents/search", lambda a, c: payments.search(a.books, c.account, c.params)),
    ("GET", f"/v1/payment_intents/{ID}", lambda a, c, id: a.get(c, "payment_intent", id)),
    (
        "POST",
        f"/v1/payment_intents/{ID}",
        lambda a, c, id: payments.update(a.books, c.account, a.get(c, "payment_intent", id), c.params),
    ),
    (
        "POST",
        f"/v1/payment_intents/{ID}/confirm",
        lambda a, c, id: payments.confirm(a.books, c.account, a.get(c, "payment_intent", id), c.params),
    ),
    (
        "POST",
        f"/v1/payment_intents/{ID}/cancel",
        lambda a, c, id: payments.cancel(a.books, c.account, a.get(c, "payment_intent", id), c.params),
    ),
    ("GET", "/v1/charges", lambda a, c: a.listed(c, "charge", "payment_intent")),
    ("GET", f"/v1/charges/{ID}", lambda a, c, id: a.get(c, "charge", id)),
    ("POST", "/v1/refunds", lambda a, c: refunds.create(a.books, c.account, c.params)),
    ("GET", "/v1/refunds", lambda a, c: a.listed(c, "refund", "payment_intent", "charge")),
    ("GET", f"/v1/refunds/{ID}", lambda a, c, id: a.get(c, "refund", id)),
    (
        "POST",
        f"/v1/refunds/{ID}/cancel",
        lambda a, c, id: refunds.end(a.books, a.get(c, "refund", id), "canceled"),
    ),
    ("GET", "/v1/disputes", lambda a, c: a.listed(c, "dispute", "payment_intent", "charge")),
    ("GET", f"/v1/disputes/{ID}", lambda a, c, id: a.get(c, "dispute", id)),
    ("POST", f"/v1/disputes/{ID}/close", lambda a, c, id: disputes.close(a.books, a.get(c, "dispute", id), "lost")),
    ("GET", "/v1/balance", lambda a, c: a.books.balance(c.account)),
    ("GET", "/v1/balance_transactions", _balance_transactions),
    ("GET", f"/v1/balance_transactions/{ID}", lambda a, c, id: a.get(c, "balance_transaction", id)),
    ("GET", "/v1/application_fees", lambda a, c: a.listed(c, "application_fee", "charge")),
    ("GET", f"/v1/application_fees/{ID}", lambda a, c, id: a.get(c, "application_fee", id)),
    ("POST", "/v1/checkout/sessions", lambda a, c: payments.create_session(a.books, c.account, c.params)),
    ("GET", "/v1/checkout/sessions", lambda a, c: a.listed(c, "checkout.session", "payment_intent", "status")),
    ("GET", f"/v1/checkout/sessions/{ID}", lambda a, c, id: a.get(c, "checkout.session", id)),
    (
        "POST",
        f"/v1/checkout/sessions/{ID}/expire",
        lambda a, c, id: payments.expire_session(a.books, c.account, a.get(c, "checkout.session", id)),
    ),
    ("GET", "/v1/payment_method_configurations", lambda a, c: accounts.ways(a.books)),
    ("GET", "/v1/payment_method_domains", lambda a, c: accounts.domains(a.books, c.params)),
    ("POST", "/v1/accounts", lambda a, c: accounts.create(a.books, c.params)),
    ("GET", "/v1/accounts", lambda a, c: a.listed(c, "account")),
    ("GET", "/v1/account", lambda a, c: a.books.rows[c.account]),
    ("GET", f"/v1/accounts/{ID}", _account),
    ("POST", f"/v1/accounts/{ID}", lambda a, c, id: accounts.update(a.books, id, c.params, c.key)),
    ("POST", "/v1/account_links", lambda a, c: accounts.link(a.books, c.params, c.key)),
    ("GET", "/v1/events", lambda a, c: a.events(c)),
    ("GET", f"/v1/events/{ID}", lambda a, c, id: a.get(c, "event", id)),
    ("POST", "/v1/webhook_endpoints", lambda a, c: a.post.create_endpoint(c.params)),
    ("GET", "/v1/webhook_endpoints", lambda a, c: a.listed(c, "webhook_endpoint")),
    ("DELETE", f"/v1/webhook_endpoints/{ID}", lambda a, c, id: a.post.delete_endpoint(id)),
    ("POST", "/oauth/(token|deauthorize)", lambda a, c, step: accounts.oauth(a.books, step, c.params)),
]


class Control:
    """What a test commands: see the package. Each method is `POST <control>/<name>`."""

    def __init__(self, api: Api, server: Any) -> None:
        self._api, self._books, self._post, self._server = api, api.books, api.post, server

    def run(self, name: str, arguments: Row) -> Any:
        if name in ("endpoint", "deliver", "release", "redeliver", "held", "deliveries", "quiet"):
            return getattr(self._post, name)(**arguments)
        if name in ("fault", "no_faults", "away", "calls"):
            return getattr(self._server, name)(**arguments)
        with self._books.lock:
            return getattr(self, f"on_{name}")(**arguments)

    def _intent(self, id: str) -> Row:
        return self._books.get(None, "payment_intent", id)

    def on_payment(self, intent: str, outcome: str) -> Row:
        return self._books.shown(payments.answer(self._books, self._intent(intent), outcome))

    def on_pay(self, intent: str, method: str) -> Row:
        if intent.startswith("cs_"):
            session = self._books.get(None, "checkout.session", intent)
            return self._books.shown(payments.pay_session(self._books, session, {"payment_method": method}))
        row = self._intent(intent)
        params: Row = {"payment_method": method, "return_url": "http://localhost/", "use_stripe_sdk": "true"}
        if method in ("swish", "klarna"):
            params = {"payment_method_data": {"type": method}, "return_url": "http://localhost/"}
        try:
            payments.confirm(self._books, self._books.owners[intent], row, params)
        except ApiError as error:
            if error.status != 402:
                raise
        return self._books.shown(row)

    def on_act(self, intent: str, approves: bool, later: bool) -> Row:
        return self._books.shown(payments.act(self._books, self._intent(intent), approves=approves, later=later))

    def on_refund(self, refund: str, outcome: str) -> Row:
        return self._books.shown(refunds.end(self._books, self._books.get(None, "refund", refund), outcome))

    def on_dispute(self, charge: str, reason: str, amount: int | None) -> Row:
        row = self._books.rows[charge]
        if row["object"] == "payment_intent":
            row = self._books.rows[row["latest_charge"]]
        return self._books.shown(disputes.open_dispute(self._books, row, reason, amount))

    def on_close_dispute(self, dispute: str, outcome: str) -> Row:
        return self._books.shown(disputes.close(self._books, self._books.get(None, "dispute", dispute), outcome))

    def on_account(self, account: str, facts: Row) -> Row:
        return self._books.shown(accounts.change(self._books, account, facts))

    def on_onboard(self, account: str) -> Row:
        return self._books.shown(accounts.onboard(self._books, account))

    def on_deauthorise(self, account: str) -> None:
        accounts.deauthorise(self._books, account)

    def on_payout(self, account: str | None) -> None:
        """Everything available leaves for the bank."""
        owner = account or PLATFORM
        for amount in self._books.balance(owner)["available"]:
            if amount["amount"] > 0:
                row = self._books.add(owner, "po", "payout", amount=amount["amount"], currency=amount["currency"])
                row |= {"status": "paid", "arrival_date": self._books.now()}
                self._books.balance_transaction(owner, "payout", -row["amount"], row["currency"], row["id"])
                self._books.happened(owner, "payout.paid", row)

    def on_top_up(self, amount: int, currency: str, account: str | None) -> None:
        owner = account or PLATFORM
        row = self._books.add(owner, "tu", "topup", amount=amount, currency=currency, status="succeeded")
        self._books.balance_transaction(owner, "topup", amount, currency, row["id"])
        self._books.happened(owner, "topup.succeeded", row)
        refunds.end_waiting(self._books, owner)

    def on_move_clock(self, seconds: float) -> None:
        self._books.clock_offset += seconds
        payments.expire_overdue_sessions(self._books)

    def on_set(self, **settings: Any) -> None:
        self._books.settings |= settings
        if settings.get("charges_available"):
            for row in self._books.all(None, "balance_transaction"):
                row["status"] = "available"

    def on_objects(self, kind: str, account: str | None) -> list[Row]:
        return [self._books.shown(row) for row in self._books.all(account, kind)]

    def on_object(self, id: str) -> Row:
        return self._books.shown(self._books.rows[id])

    def on_empty(self) -> None:
        self._books.empty()
        self._books.settings["url"] = self._server.url
        self._post.empty()
        self._server.empty()
