"""The site: every page. Never served through ASGI (measured six to ten times slower)."""

import gc
import os
import re
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.validators import validate_email
from django.core.wsgi import get_wsgi_application
from django.urls import reverse
from django.utils.translation import override

gc.disable()  # while all is loaded that stays
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_wsgi_application()

from apps.events.page_cache import KEYS, PLAIN_KEY, Front  # noqa: E402 - once Django is set up
from config import plugins  # noqa: E402
from config.collector import leave_alone_what_is_loaded  # noqa: E402
from config.lanes import Lane, Lanes  # noqa: E402

# A guest stands before the door, a monitor restarts what does not answer, and the first to order are the first in line.
# A login's provider may be slow: that holds up who signs in by it, and nobody else.
# Whoever reads a page can wait a little, but for the first of those who come by a link that was sent to them: others
# are given that page at once. One who pays has the ticket already, and a bank may be slow.
AT_THE_DOOR = re.compile(r"/(door|livez|readyz)(/|$)")
ORDERING = re.compile(r"/[a-z-]+/events/[^/]+/")
BY_LINK = re.compile(rf"(^|&)({'|'.join(KEYS)})={PLAIN_KEY.pattern}(&|$)")
PAYING = re.compile(r"/[a-z-]+/(orders/[^/]+/[^/]+/pay|sandbox/[^/]+)/|/webhooks/")
AT_A_PROVIDER = re.compile(r"/accounts/(oidc/)?[a-z0-9_-]+/login/(callback/)?$")
THREADS = settings.WEB_THREADS


def _is_ordering(environ: dict[str, Any]) -> bool:
    path = environ["PATH_INFO"]
    if ORDERING.match(path):
        return True
    is_page = environ["REQUEST_METHOD"] == "GET" and not AT_A_PROVIDER.match(path) and not PAYING.match(path)
    return is_page and BY_LINK.search(environ.get("QUERY_STRING", "")) is not None


LANES = (
    Lane("door", lambda environ: AT_THE_DOOR.match(environ["PATH_INFO"]) is not None, THREADS),
    Lane("ordering", _is_ordering, THREADS),
    Lane("signing in", lambda environ: AT_A_PROVIDER.match(environ["PATH_INFO"]) is not None, max(1, THREADS // 2)),
    Lane("pages", lambda environ: PAYING.match(environ["PATH_INFO"]) is None, THREADS),
    Lane("paying", lambda environ: True, max(1, THREADS * 3 // 4)),
)

front = Front(Lanes(django_application, LANES, THREADS))
plugins.insist()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The site. A page that is ready is given as a list: granian sends one at once, and comes back for each part of
    anything else, which takes as long as rendering a small page."""
    answer = front(environ, start_response)
    return answer if getattr(answer, "streaming", True) else [answer.content]  # type: ignore[attr-defined]


# What the first visitors of a process would otherwise wait for: every address, and what an e-mail address looks like.
for language, _name in settings.LANGUAGES:
    with override(language):
        reverse("account_login")
validate_email("robin@example.org")

gc.enable()
leave_alone_what_is_loaded()
