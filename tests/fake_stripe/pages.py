"""What a browser sees of the fake: the stand-in for Stripe.js, the frames it puts into a page, and Stripe's own pages.

Plain forms that work without JavaScript, except inside the frames of Stripe.js.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.fake_stripe import accounts, methods, payments
from tests.fake_stripe.books import Row
from tests.fake_stripe.forms import ApiError

if TYPE_CHECKING:
    from tests.fake_stripe.server import Front

STATIC = Path(__file__).parent / "static"
Answer = tuple[int, dict[str, str], bytes]
NAMES = {"card": "Card", "swish": "Swish", "klarna": "Klarna"}
STYLE = """<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>
body{font:16px/1.4 system-ui,sans-serif;margin:1rem;max-width:30rem;color:#1a1a1a;background:#fff}
button,input[type=text]{font:inherit;min-height:44px;width:100%;box-sizing:border-box;margin:.25rem 0 .75rem}
.error{color:#b00020}</style>"""


def answer(front: Front, method: str, path: str, query: Row, fields: Row) -> Answer:
    """A page, a script, or where to go next."""
    for pattern, page in PAGES:
        if match := re.fullmatch(pattern, path):
            try:
                with front.books.lock:
                    return page(front, method, query, fields, *match.groups())
            except (ApiError, KeyError) as error:
                return _html("Not found", f"<p>{escape(str(error))}</p>", status=404)
    return _html("Not found", "<p>There is no such page.</p>", status=404)


def _html(title: str, body: str, *, status: int = 200) -> Answer:
    top = f"<!doctype html><html lang=en><head><title>{escape(title)}</title>{STYLE}</head>"
    text = f"{top}<body>{body}</body></html>"
    return status, {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}, text.encode()


def _go(url: str) -> Answer:
    return 303, {"Location": url}, b""


def _script(name: str) -> Callable[..., Answer]:
    def page(front: Front, method: str, query: Row, fields: Row) -> Answer:
        headers = {"Content-Type": "text/javascript; charset=utf-8", "Access-Control-Allow-Origin": "*"}
        return 200, headers, (STATIC / name).read_bytes()

    return page


def _money(row: Row, name: str) -> str:
    return f"{row[name] / 100:.2f} {row['currency'].upper()}"


# --- The frames of Stripe.js ----------------------------------------------------------------------------------


def payment_frame(front: Front, method: str, query: Row, fields: Row) -> Answer:
    """The Payment Element: a choice of methods and the card's fields."""
    types = [type for type in query.get("types", "card").split(",") if type in NAMES]
    radios = _radios(types)
    card = _card_fields() if "card" in types else ""
    body = f"<form><fieldset><legend>Payment method</legend>{radios}</fieldset><div id=card>{card}</div>"
    body += '<p class=error role=alert id=error></p></form><script src="/v3/frame.js"></script>'
    return _html("Secure payment input frame", body)


def _radios(types: list[str]) -> str:
    marks = [" checked", *[""] * len(types)]
    return "".join(
        f'<label><input type=radio name=method value="{type}"{mark}> {NAMES[type]}</label><br>'
        for type, mark in zip(types, marks, strict=False)
    )


def _card_fields() -> str:
    return (
        "<label>Card number<input type=text name=number inputmode=numeric autocomplete=cc-number></label>"
        "<label>Expiry<input type=text name=expiry placeholder='MM / YY' autocomplete=cc-exp></label>"
        "<label>CVC<input type=text name=cvc inputmode=numeric autocomplete=cc-csc></label>"
    )


def express_frame(front: Front, method: str, query: Row, fields: Row) -> Answer:
    """The Express Checkout Element: a button for each wallet."""
    types = query.get("types", "card").split(",")
    buttons = "<button type=button data-wallet=google_pay>Google Pay</button>" if "card" in types else ""
    if "klarna" in types:
        buttons += "<button type=button data-wallet=klarna>Klarna</button>"
    return _html("Secure express checkout frame", f'{buttons}<script src="/v3/frame.js"></script>')


def elements_session(front: Front, method: str, query: Row, fields: Row) -> Answer:
    """Which methods an element offers: those of the intent, or of the currency before there is one."""
    types = methods.types_for(query.get("currency", "sek").lower())
    if secret := query.get("client_secret"):
        types = _intent_of(front, secret)["payment_method_types"]
    headers = {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"}
    return 200, headers, json.dumps({"types": types}).encode()


def _intent_of(front: Front, secret: str) -> Row:
    intent = front.books.rows[secret.partition("_secret_")[0]]
    if intent["object"] != "payment_intent" or intent["client_secret"] != secret:
        raise KeyError(secret)
    return intent


# --- The bank's page: 3-D Secure in a frame or by itself, Swish, Klarna --------------------------------------


def authenticate(front: Front, method: str, query: Row, fields: Row, secret: str) -> Answer:
    intent = _intent_of(front, secret)
    kind = NAMES.get(intent["_method"].type, "Card") if "_method" in intent else "Card"
    framed = "framed" in query
    if method == "POST":
        choice = fields.get("choice", "")
        payments.act(front.books, intent, approves=choice in ("approve", "later"), later=choice == "later")
    if method == "POST" or intent["status"] != "requires_action":
        if framed:
            return _html("3-D Secure", '<p>Done.</p><script src="/v3/frame.js" data-done></script>')
        return _go(returned(intent))
    yes, no = ("Complete", "Fail") if kind == "Card" else ("Approve", "Refuse")
    later = "<button name=choice value=later>Approve later</button>" if kind != "Card" else ""
    title = "3-D Secure" if kind == "Card" else f"{kind} test page"
    body = f"<h1>{title}</h1><p>{_money(intent, 'amount')}</p><form method=post>"
    body += (
        f"<button name=choice value=approve>{yes}</button>{later}<button name=choice value=refuse>{no}</button></form>"
    )
    return _html(title, body)


def returned(intent: Row) -> str:
    """The return_url with what Stripe hangs on it. A hosted session has an address of its own, without."""
    if "_session" in intent:
        return intent["_return_url"]
    failed = intent["status"] == "requires_payment_method"
    told = {"payment_intent": intent["id"], "payment_intent_client_secret": intent["client_secret"]}
    told["redirect_status"] = "failed" if failed else "pending" if intent["status"] == "processing" else "succeeded"
    return intent["_return_url"] + ("&" if "?" in intent["_return_url"] else "?") + urlencode(told)


# --- The hosted checkout --------------------------------------------------------------------------------------


def checkout(front: Front, method: str, query: Row, fields: Row, id: str) -> Answer:
    session = front.books.get(None, "checkout.session", id)
    payments.expire_overdue_sessions(front.books)
    if session["status"] != "open":
        return _html("Checkout", "<h1>You're all done here</h1><p>This checkout session is over.</p>")
    error = ""
    if method == "POST":
        wanted: Row = {"payment_method_data": {"type": fields.get("method", "card")}}
        if wanted["payment_method_data"]["type"] == "card":
            wanted["payment_method_data"]["card"] = {"number": fields.get("number", "")}
        try:
            intent = payments.pay_session(front.books, session, wanted)
        except ApiError as refused:
            error = f"<p class=error role=alert>{escape(str(refused))}</p>"
        else:
            action = intent["next_action"]
            return _go(action["redirect_to_url"]["url"] if action else payments.session_url(session))
    elif session["payment_intent"]:
        problem = front.books.rows[session["payment_intent"]]["last_payment_error"]
        error = f"<p class=error role=alert>{escape(problem['message'])}</p>" if problem else ""
    items = "".join(f"<li>{escape(name)} × {escape(str(quantity))}</li>" for name, quantity in session["_items"])
    radios = _radios(session["payment_method_types"])
    back = f'<p><a href="{escape(session["cancel_url"])}">Back</a></p>' if session["cancel_url"] else ""
    body = f"<h1>Pay {_money(session, 'amount_total')}</h1><ul>{items}</ul>{error}<form method=post>{radios}"
    return _html("Checkout", f"{body}{_card_fields()}<button>Pay</button></form>{back}")


# --- Connect's onboarding -------------------------------------------------------------------------------------


def setup(front: Front, method: str, query: Row, fields: Row, account: str, token: str) -> Answer:
    link = accounts.link_of(front.books, account, token)
    if method == "GET":
        if link["_opened"] or link["expires_at"] <= front.books.now():
            return _go(link["_refresh_url"])
        link["_opened"] = True  # good once: whoever comes again is sent for a new one
        row = front.books.rows[account]
        body = f"<h1>Onboarding of {escape(account)}</h1><p>{escape(row.get('email') or '')}</p><form method=post>"
        body += "<button name=do value=finish>Agree and submit</button>"
        body += "<button name=do value=restricted>Submit without a bank account</button>"
        return _html("Stripe onboarding", body + "<button name=do value=leave>Save for later</button></form>")
    if fields.get("do") == "finish":
        accounts.onboard(front.books, account)
    elif fields.get("do") == "restricted":
        facts: dict[str, Any] = {"details_submitted": True, "currently_due": ["external_account"]}
        accounts.change(front.books, account, {**facts, "disabled_reason": "requirements.past_due"})
    return _go(link["_return_url"])


PAGES: list[tuple[str, Callable[..., Answer]]] = [
    (r"/v3/?|/[a-z0-9.]+/stripe\.js", _script("stripe.js")),
    (r"/v3/frame\.js", _script("frame.js")),
    (r"/v3/payment", payment_frame),
    (r"/v3/express", express_frame),
    (r"/v3/session", elements_session),
    (r"/authenticate/([A-Za-z0-9_]+)", authenticate),
    (r"/c/pay/([A-Za-z0-9_]+)", checkout),
    (r"/setup/s/([A-Za-z0-9_]+)/([A-Za-z0-9_-]+)", setup),
]
