"""Where Stripe's service and its script for browsers are. Settings may name a stand-in; production refuses it."""

from __future__ import annotations

from urllib.parse import urlsplit

API = "https://api.stripe.com"
# Of the same release as the library's version of the API. Stripe wants it loaded from there, never from a copy.
SCRIPT = "https://js.stripe.com/endive/stripe.js"
# Where an organisation fills in what Stripe asks of its account (docs.stripe.com/api/account_links).
ONBOARDING = "https://connect.stripe.com"


def changed(api: str, script: str) -> list[str]:
    """The settings that lead elsewhere than to Stripe."""
    given = (("STRIPE_API_BASE", api, API), ("STRIPE_JS_URL", script, SCRIPT))
    return [name for name, value, right in given if value != right]


def origin(address: str) -> str:
    """Scheme, host and port of an address, as a content security policy names them."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
