"""What may be wrong between Foyer and Stripe, asked of Stripe itself: `manage.py doctor --stripe`.

It reads and changes nothing there. What only a person with a phone can see is listed in docs/stripe.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import stripe
from django.conf import settings

from apps.ticketing.payments import stripe_notices, stripe_provider
from config.doctor import FAIL, OK, WARN, Finding

Findings = Iterator[Finding]
WAYS = ("card", "swish", "klarna", "link", "apple_pay", "google_pay")
SCRIPT_SECONDS = 10
CLOCKS_APART_SECONDS = 60  # of the five minutes that a signature holds


def api_keys() -> Findings:
    secret, public = settings.STRIPE_SECRET_KEY, settings.STRIPE_PUBLISHABLE_KEY
    if not secret.startswith(("sk_", "rk_")) or not public.startswith("pk_"):
        yield Finding(
            FAIL,
            "Stripe's keys",
            "STRIPE_SECRET_KEY (sk_… or rk_…) or STRIPE_PUBLISHABLE_KEY (pk_…) is missing: nobody can pay by Stripe.",
            "Copy both from the dashboard: Developers, API keys.",
        )
    elif ("_live_" in secret[:8]) != ("_live_" in public[:8]):
        yield Finding(FAIL, "Stripe's keys", "One is live and one for tests.", "Take both from the same mode.")
    elif settings.IS_PRODUCTION and not stripe_provider.is_live():
        yield Finding(WARN, "Stripe's keys", "They are for tests: no real money moves.", "Set the live keys to sell.")
    else:
        yield Finding(OK, "Stripe's keys", f"Both are of the {_mode()} mode.")


def _mode() -> str:
    return "live" if stripe_provider.is_live() else "test"


def account() -> Findings:
    found = stripe_provider.client().v1.accounts.retrieve_current()
    facts = found.to_dict()
    name = (facts.get("business_profile") or {}).get("name") or facts["id"]
    if facts.get("charges_enabled"):
        yield Finding(OK, "Stripe's account", f"{name} may charge, in {facts.get('country')}.")
    else:
        yield Finding(
            FAIL,
            "Stripe's account",
            f"{name} may not charge yet.",
            "The dashboard's home page says what Stripe still wants to know.",
        )
    response = found.last_response
    date = dict(response.headers).get("Date") if response is not None else None
    apart = abs((datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds()) if date else 0.0
    if apart > CLOCKS_APART_SECONDS:
        yield Finding(
            WARN,
            "Stripe's clock",
            f"This machine and Stripe are {apart:.0f} s apart; at 300 s no notice is believed.",
            "Keep this machine and the database in step by NTP.",
        )


def notices() -> Findings:
    if not settings.STRIPE_WEBHOOK_SECRETS:
        yield Finding(
            FAIL,
            "Stripe's notices",
            "STRIPE_WEBHOOK_SECRETS is empty: no notice is believed; payments are found by asking each minute.",
            "Set the signing secret of the endpoint, whsec_…; two with a comma while one is being replaced.",
        )
    address = f"{settings.SITE_URL}/webhooks/stripe/"
    endpoints = [one.to_dict() for one in stripe_provider.client().v1.webhook_endpoints.list({"limit": 100}).data]
    ours = [one for one in endpoints if one.get("url") == address and one.get("status") == "enabled"]
    if not ours:
        yield Finding(
            FAIL,
            "Stripe's endpoint",
            f"Stripe sends nothing to {address}.",
            "Add it in the dashboard (Developers, Webhooks), with these events: " + ", ".join(stripe_notices.EVENTS),
        )
        return
    told = {event for one in ours for event in one.get("enabled_events", ())}
    missing = [] if "*" in told else [event for event in stripe_notices.EVENTS if event not in told]
    if missing:
        yield Finding(
            WARN,
            "Stripe's endpoint",
            f"{address} is not told of {', '.join(missing)}.",
            "Add them to the endpoint in the dashboard.",
        )
    else:
        yield Finding(OK, "Stripe's endpoint", f"{address} is told of all that matters.")


def ways_to_pay() -> Findings:
    chosen: dict[str, Any] = next(
        (one.to_dict() for one in stripe_provider.client().v1.payment_method_configurations.list().data), {}
    )
    on = [way for way in WAYS if (chosen.get(way) or {}).get("available")]
    if "card" in on:
        yield Finding(OK, "ways to pay", f"Switched on: {', '.join(on)}.")
    else:
        yield Finding(
            WARN, "ways to pay", f"Switched on: {', '.join(on) or 'none'}.", "Choose them: Settings, Payment methods."
        )


def wallets() -> Findings:
    host = urlsplit(settings.SITE_URL).hostname or ""
    domains = stripe_provider.client().v1.payment_method_domains.list({"domain_name": host}).data
    found: dict[str, Any] = next((one.to_dict() for one in domains), {})
    active = [way for way in ("apple_pay", "google_pay", "link") if (found.get(way) or {}).get("status") == "active"]
    if active:
        yield Finding(OK, "wallets", f"{host} is registered: {', '.join(active)}.")
    else:
        yield Finding(
            WARN,
            "wallets",
            f"{host} is not registered: Apple Pay and Google Pay do not show.",
            "Add it: Settings, Payment method domains.",
        )


def script() -> Findings:
    request = Request(settings.STRIPE_JS_URL, headers={"User-Agent": "Foyer (manage.py doctor)"})
    try:
        with urlopen(request, timeout=SCRIPT_SECONDS) as answer:
            size = len(answer.read())
    except (HTTPError, URLError, OSError) as error:
        yield Finding(
            FAIL,
            "Stripe's script",
            f"{settings.STRIPE_JS_URL} is not given out: {error}.",
            "Browsers need it to pay on the order's page; without it they pay on Stripe's.",
        )
        return
    yield Finding(OK, "Stripe's script", f"{settings.STRIPE_JS_URL} is there, {size // 1024} kB.")


def connected_accounts() -> Findings:
    """Only where organisations sell by accounts of their own."""
    if not settings.STRIPE_CONNECT:
        return
    subject, client = "Stripe Connect", stripe_provider.client()
    try:
        client.v1.accounts.list({"limit": 1})
    except stripe.InvalidRequestError as error:
        yield Finding(FAIL, subject, f"Stripe refused: {error.user_message}", "Register for Connect in the dashboard.")
        return
    address = f"{settings.SITE_URL}/webhooks/stripe/"
    endpoints = [one.to_dict() for one in client.v1.webhook_endpoints.list({"limit": 100}).data]
    if any(one.get("url") == address and one.get("application") for one in endpoints):
        yield Finding(OK, subject, "Organisations can connect accounts, and Stripe tells of what is paid there.")
    else:
        yield Finding(
            WARN,
            subject,
            "No endpoint hears of connected accounts: payments there are found by asking each minute.",
            f"Add one for {address} that listens to connected accounts, and its secret to STRIPE_WEBHOOK_SECRETS.",
        )


QUESTIONS: tuple[tuple[str, Callable[[], Findings]], ...] = (
    ("Stripe's keys", api_keys),
    ("Stripe's account", account),
    ("Stripe's endpoint", notices),
    ("Stripe Connect", connected_accounts),
    ("ways to pay", ways_to_pay),
    ("wallets", wallets),
    ("Stripe's script", script),
)


def examine() -> list[Finding]:
    """Ask everything. A question that Stripe refuses, or does not answer, is answered by that."""
    findings: list[Finding] = []
    for subject, question in QUESTIONS:
        try:
            findings += question()
        except stripe.AuthenticationError:
            findings.append(Finding(FAIL, subject, "Stripe does not know the key.", "Correct STRIPE_SECRET_KEY."))
        except stripe.PermissionError:
            findings.append(
                Finding(
                    WARN, subject, "The key may not read this.", "Allow it for the restricted key, or look yourself."
                )
            )
        except stripe.StripeError as error:
            findings.append(
                Finding(
                    FAIL,
                    subject,
                    f"Stripe did not answer: {type(error).__name__} {error.http_status or ''}".strip() + ".",
                    "Try again; see status.stripe.com, and whether this machine may reach api.stripe.com.",
                )
            )
    return findings
