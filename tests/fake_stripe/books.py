"""Everything the fake keeps: objects by id, whose they are, what they are worth, and what happened when."""

from __future__ import annotations

import copy
import itertools
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.fake_stripe.forms import ApiError, missing

API_VERSION = "2026-10-28.endive"
PLATFORM = "acct_foyerplatform"
LISTS = {
    "payment_intent": "payment_intents",
    "charge": "charges",
    "refund": "refunds",
    "dispute": "disputes",
    "balance_transaction": "balance_transactions",
    "checkout.session": "checkout/sessions",
    "account": "accounts",
    "event": "events",
    "application_fee": "application_fees",
    "webhook_endpoint": "webhook_endpoints",
}
Row = dict[str, Any]


class Books:
    """All rows. Whoever reads or writes them holds `lock`; `told` is called with each new event."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.told: Callable[[Row], None] = lambda event: None
        self.empty()

    def empty(self) -> None:
        with self.lock:
            self.rows: dict[str, Row] = {}
            self.owners: dict[str, str] = {}
            self.gone: set[str] = set()  # accounts that took their leave
            self.clock_offset = 0.0
            self.settings: dict[str, Any] = {"charges_available": True, "rate_limit": None}
            self._numbers = itertools.count(1)
            self.rows[PLATFORM] = {"id": PLATFORM, "object": "account", "country": "SE", "default_currency": "sek"}
            self.rows[PLATFORM] |= {"charges_enabled": True, "payouts_enabled": True, "details_submitted": True}
            self.owners[PLATFORM] = PLATFORM
            self.request: Row = {"id": None, "idempotency_key": None}
            self.livemode = False

    def now(self) -> int:
        return int(time.time() + self.clock_offset)

    def new_id(self, prefix: str) -> str:
        # The number keeps rows of one second in order; the rest makes the id as hard to guess as a real one.
        return f"{prefix}_{next(self._numbers):06d}{secrets.token_hex(9)}"

    def add(self, owner: str, prefix: str, kind: str, /, **facts: Any) -> Row:
        row = {"id": self.new_id(prefix), "object": kind, "created": self.now(), "livemode": self.livemode, **facts}
        self.rows[row["id"]] = row
        self.owners[row["id"]] = owner
        return row

    def get(self, account: str | None, kind: str, id: str) -> Row:
        """The row of this kind; of another account's there is none. Raises ApiError 404."""
        row = self.rows.get(id)
        if row is None or row["object"] != kind or account not in (None, self.owners[id]):
            raise missing(kind, id)
        return row

    def all(self, account: str | None, kind: str) -> list[Row]:
        """The newest first, as lists are."""
        found = [row for id, row in self.rows.items() if row["object"] == kind and account in (None, self.owners[id])]
        return found[::-1]

    # --- How they are shown ---------------------------------------------------------------------------------

    def shown(self, row: Row, expand: Any = ()) -> Row:
        """Without what is the fake's own (`_…`), and with the ids that `expand` names replaced by their objects."""
        out = {name: copy.deepcopy(value) for name, value in row.items() if not name.startswith("_")}
        for path in expand or ():
            self._expand(out, path.split("."))
        return out

    def _expand(self, holder: Any, path: list[str]) -> None:
        if isinstance(holder, list):
            for each in holder:
                self._expand(each, path)
            return
        if not isinstance(holder, dict) or not path:
            return
        first, rest = path[0], path[1:]
        value = holder.get(first)
        if isinstance(value, str) and value in self.rows:
            holder[first] = self.shown(self.rows[value])
        self._expand(holder.get(first), rest)

    def page(self, account: str, kind: str, params: Row, keep: Callable[[Row], bool] = lambda row: True) -> Row:
        """A list as the API pages it: limit, starting_after, ending_before, created[gte…]."""
        rows = [row for row in self.all(account, kind) if keep(row) and _is_within(row, params.get("created"))]
        limit = min(int(params.get("limit", 10)), 100)
        ids = [row["id"] for row in rows]
        for name in ("starting_after", "ending_before"):
            if params.get(name) and params[name] not in ids:
                raise missing(kind, params[name])
        if after := params.get("starting_after"):
            rows = rows[ids.index(after) + 1 :]
            more, rows = len(rows) > limit, rows[:limit]
        elif before := params.get("ending_before"):
            rows = rows[: ids.index(before)]
            more, rows = len(rows) > limit, rows[-limit:]
        else:
            more, rows = len(rows) > limit, rows[:limit]
        data = [self.shown(row) for row in rows]
        out = {"object": "list", "url": f"/v1/{LISTS[kind]}", "has_more": more, "data": data}
        for path in params.get("expand", ()):
            self._expand(out, path.split("."))
        return out

    # --- What happened --------------------------------------------------------------------------------------

    def happened(self, account: str, type: str, row: Row, **previous: Any) -> Row:
        """An event of the account's about the row as it is now. It goes to the endpoints that want it."""
        event = self.add(
            account,
            "evt",
            "event",
            api_version=API_VERSION,
            type=type,
            data={"object": self.shown(row), **({"previous_attributes": previous} if previous else {})},
            pending_webhooks=0,
            request=dict(self.request),
        )
        if account != PLATFORM:
            event["account"] = account
        self.told(event)
        return event

    # --- Money ----------------------------------------------------------------------------------------------

    def balance_transaction(
        self, account: str, type: str, amount: int, currency: str, source: str, *, fees: list[Row] | None = None
    ) -> Row:
        fees = fees or []
        amount, settled, rate = self.settled(amount, currency)
        fee = sum(self.settled(each["amount"], currency)[0] for each in fees)
        is_there = type not in ("charge", "payment") or self.settings["charges_available"]
        category = {"payment": "charge", "adjustment": "dispute", "topup": "topup"}.get(type, type)
        return self.add(
            account,
            "txn",
            "balance_transaction",
            amount=amount,
            net=amount - fee,
            fee=fee,
            fee_details=fees,
            currency=settled,
            exchange_rate=rate,
            description=None,
            source=source,
            type=type,
            reporting_category=category,
            status="available" if is_there else "pending",
            available_on=self.now() + (0 if is_there else 7 * 86400),
        )

    def settled(self, amount: int, currency: str) -> tuple[int, str, float | None]:
        """An amount as the account settles it: in kronor where `exchange_rate` has a rate for its currency."""
        rate = self.settings.get("exchange_rate", {}).get(currency)
        return (round(amount * rate), "sek", rate) if rate else (amount, currency, None)

    def balance_of(self, account: str, currency: str, status: str = "available") -> int:
        rows = self.all(account, "balance_transaction")
        return sum(row["net"] for row in rows if row["currency"] == currency and row["status"] == status)

    def balance(self, account: str) -> Row:
        rows = self.all(account, "balance_transaction")
        currencies = sorted({row["currency"] for row in rows}) or ["sek"]
        out: Row = {"object": "balance", "livemode": self.livemode}
        for status in ("available", "pending"):
            out[status] = [
                {"amount": self.balance_of(account, currency, status), "currency": currency, "source_types": {}}
                for currency in currencies
            ]
        return out

    # --- Accounts -------------------------------------------------------------------------------------------

    def account_for(self, named: str | None, key: str) -> str:
        """Whose books a call means: the platform's, or those of an account it is connected with. Raises 403."""
        if not named or named == PLATFORM:
            return PLATFORM
        row = self.rows.get(named)
        if row is None or row["object"] != "account" or named in self.gone:
            raise ApiError(
                403,
                f"The provided key '{key[:8]}***' does not have access to account '{named}' (or that account does not"
                " exist). Application access may have been revoked.",
                code="account_invalid",
            )
        return named


def _is_within(row: Row, created: Any) -> bool:
    if not created:
        return True
    if not isinstance(created, dict):
        return row["created"] == int(created)
    tests = {"gt": int.__gt__, "gte": int.__ge__, "lt": int.__lt__, "lte": int.__le__}
    return all(tests[name](row["created"], int(value)) for name, value in created.items())
