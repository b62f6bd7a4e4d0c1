"""What every template of the house may use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def house(request: HttpRequest) -> dict[str, Any]:
    """The site's name and addresses, and the theme of the page (a view or page may override `theme`)."""
    return {
        "site_name": settings.WAGTAIL_SITE_NAME,
        "site_url": settings.SITE_URL,
        "live_url": settings.LIVE_URL,
        "theme": "default",
    }
