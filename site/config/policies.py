"""Content security policy by area, and which of a device's senses a page may ask for. The public policy in settings
forbids everything inline and everything foreign; here stands what each other area needs on top, and why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.utils import build_policy
from django.conf import settings

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

AREAS: tuple[tuple[str, Directives], ...] = (("/admin/", ADMIN), ("/door/", DOOR))

# Nobody hears and nobody is located; only the door sees.
SENSES = "camera=(), microphone=(), geolocation=()"
SENSES_OF_DOOR = "camera=(self), microphone=(), geolocation=()"


def permissions_for(path: str) -> str:
    """The `Permissions-Policy` of a page."""
    return SENSES_OF_DOOR if path.startswith("/door/") else SENSES


def area_of(path: str, *, is_preview: bool = False) -> str:
    """The area that a page belongs to: a prefix of `AREAS`, "preview", or "" for the public pages."""
    return "preview" if is_preview else next((prefix for prefix, _more in AREAS if path.startswith(prefix)), "")


def policy_of(area: str) -> dict[str, list[str]]:
    """The directives in which `area` differs from the public policy, whole; none on public pages."""
    more = PREVIEW if area == "preview" else dict(AREAS).get(area, {})
    public = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    # 'none' means nothing at all, so it goes where anything is allowed.
    return {name: [source for source in public.get(name, ()) if source != NONE] + list(more[name]) for name in more}


@cache
def header_of(area: str) -> str:
    """The `Content-Security-Policy` of an area, put together once."""
    return build_policy(replace=policy_of(area))
