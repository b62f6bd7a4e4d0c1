"""Content security policy by area, and which of a device's senses a page may ask for. The public policy in settings
forbids everything inline and everything foreign; here stands what each other area needs on top, and why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.utils import build_policy
from django.conf import settings

from config import stripe_addresses

Directives = Mapping[str, Sequence[str]]

# Wagtail's administration uses inline styles and scripts of Wagtail's own (Stimulus values, editors).
ADMIN: Directives = {
    "script-src": [UNSAFE_INLINE],
    "style-src": [UNSAFE_INLINE],
    "img-src": ["blob:"],
    "frame-src": [SELF],
    "media-src": [SELF],
    "worker-src": [SELF, "blob:"],
    "frame-ancestors": [SELF],
}
# A page as its editor sees it before it is published: as strict as the public one, but shown inside the editor.
PREVIEW: Directives = {"frame-ancestors": [SELF]}
# The door decodes camera pictures with WebAssembly in a worker.
DOOR: Directives = {"script-src": ["'wasm-unsafe-eval'"], "worker-src": [SELF]}


def _checkout() -> Directives:
    """Where a buyer pays by Stripe: its script, the frames that it draws and the bank's, and its page for browsers
    without JavaScript (docs.stripe.com/security/guide#content-security-policy). A stand-in is all of that in one."""
    if stripe_addresses.changed(settings.STRIPE_API_BASE, settings.STRIPE_JS_URL):
        places = [stripe_addresses.origin(settings.STRIPE_JS_URL), stripe_addresses.origin(settings.STRIPE_API_BASE)]
        return dict.fromkeys(("script-src", "connect-src", "frame-src", "form-action"), sorted(set(places)))
    script = ["https://js.stripe.com", "https://*.js.stripe.com"]
    return {
        "script-src": script,
        "connect-src": ["https://api.stripe.com"],
        "frame-src": [*script, "https://hooks.stripe.com"],
        "form-action": ["https://checkout.stripe.com"],
    }


def _admin() -> Directives:
    """Wagtail's needs, and where organisations connect accounts of their own at Stripe, its page for that: browsers
    hold the answer to a form, too, against `form-action`."""
    if not settings.STRIPE_CONNECT:
        return ADMIN
    is_real = not stripe_addresses.changed(settings.STRIPE_API_BASE, settings.STRIPE_JS_URL)
    page = stripe_addresses.ONBOARDING if is_real else stripe_addresses.origin(settings.STRIPE_API_BASE)
    return {**ADMIN, "form-action": [page]}


CHECKOUT = "checkout"  # no prefix of an address: only pages on which a payment is open (payments.stripe_page.allow)
AREAS: tuple[tuple[str, Directives], ...] = (("/admin/", ADMIN), ("/door/", DOOR))

# Nobody hears and nobody is located; only the door sees.
SENSES = "camera=(), microphone=(), geolocation=()"
SENSES_OF_DOOR = "camera=(self), microphone=(), geolocation=()"


def permissions_for(path: str) -> str:
    """The `Permissions-Policy` of a page."""
    return SENSES_OF_DOOR if path.startswith("/door/") else SENSES


def area_of(path: str, *, is_preview: bool = False) -> str:
    """The area that a page belongs to: a prefix of `AREAS`, "preview", or "" for the public pages. A page may name
    "checkout" itself."""
    return "preview" if is_preview else next((prefix for prefix, _more in AREAS if path.startswith(prefix)), "")


def policy_of(area: str) -> dict[str, list[str]]:
    """The directives in which `area` differs from the public policy, whole; none on public pages."""
    more = {"preview": PREVIEW, CHECKOUT: _checkout(), "/admin/": _admin()}.get(area) or dict(AREAS).get(area, {})
    public = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    # 'none' means nothing at all, so it goes where anything is allowed.
    return {name: [source for source in public.get(name, ()) if source != NONE] + list(more[name]) for name in more}


@cache
def header_of(area: str) -> str:
    """The `Content-Security-Policy` of an area, put together once."""
    return build_policy(replace=policy_of(area))
