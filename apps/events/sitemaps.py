"""What search engines may find: a list of all public pages in all their languages, and what they need not ask for."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from wagtail.models import Page

from apps.events.models import EventPage, HomePage, OrganisationPage, PlainPage
from apps.events.sharing import whole
from apps.events.translated import LANGUAGES

MOST = 50_000  # addresses in one file, by the protocol
NOT_FOR_ROBOTS = ("/admin/", "/accounts/", "/door/", "/my/", "/i18n/", "/webhooks/")
KINDS = (HomePage, OrganisationPage, EventPage, PlainPage)


def robots(list_urls: dict[str, str]) -> str:
    """robots.txt. Pages that must not be found say so themselves; here is what nobody should fetch in vain."""
    searches = [f"{address}?*q=" for address in list_urls.values()]
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in (*NOT_FOR_ROBOTS, *searches))]
    return "\n".join([*lines, "", f"Sitemap: {whole(reverse('sitemap'))}", ""])


def addresses(request: HttpRequest, list_urls: dict[str, str]) -> list[dict[str, Any]]:
    """Each public address with when it last changed and its versions by language, in a constant number of queries."""
    whole_lists = {language: whole(address) for language, address in list_urls.items()}
    found = [_entry(address, whole_lists, None) for address in whole_lists.values()]
    pages = Page.objects.live().public().type(*KINDS).select_related("locale").order_by("translation_key", "pk")[:MOST]
    for _key, group in groupby(pages, key=lambda page: page.translation_key):
        versions = [(page, page.get_full_url(request)) for page in group]
        shown = {page.locale.language_code: url for page, url in versions if url and _is_ours(url)}
        for page, url in versions:
            if url in shown.values():
                found.append(_entry(url, shown, page.last_published_at))
    return found[:MOST]


def _is_ours(url: str) -> bool:
    return url.startswith(settings.SITE_URL + "/")


def _entry(address: str, versions: dict[str, str], changed_at: Any) -> dict[str, Any]:
    others = [(language, versions[language]) for language in LANGUAGES if language in versions]
    return {"location": address, "versions": others if len(others) > 1 else [], "changed_at": changed_at}
