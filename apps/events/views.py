"""What events serve beside pages: the list of all, calendars to subscribe to, and the
style sheet of an organisation's accent.
"""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import override
from django.views.decorators.http import require_safe
from wagtail.models import Page

from apps.events import accent, feeds, finding, looks, page_cache, sharing, sitemaps, social_cards
from apps.events.models import Organisation
from apps.events.translated import LANGUAGES, active_language

A_DAY = 24 * 60 * 60
A_YEAR = 365 * A_DAY


def accent_css(request: HttpRequest, colour: str) -> HttpResponse:
    """The colours derived from one brand colour, `0b3d91`, on a theme's grounds, `0b3d91-exchange`. The address says
    all but the theme's own values, which change with a release: kept for a day."""
    brand, _hyphen, theme = colour.partition("-")
    worn = theme if theme in settings.THEMES else "default"
    text = accent.stylesheet(looks.accent_of(brand, worn), settings.THEMES[worn].rules)
    response = HttpResponse(text, content_type="text/css; charset=utf-8")
    kept = f"{A_YEAR}, immutable" if worn == "default" else A_DAY
    response["Cache-Control"] = f"public, max-age={kept}"
    return response


@require_safe
def social_card(request: HttpRequest, page_id: str, digest: str) -> HttpResponse:
    """The picture that a shared link to a page shows. The address names what it shows: a former one leads to it."""
    page = get_object_or_404(Page.objects.live().public(), pk=page_id).specific
    card = social_cards.card_of(page)
    if card is None:
        raise Http404
    if card.digest != digest:
        return redirect("events:social_card", page_id, card.digest)
    response = HttpResponse(social_cards.picture(card), content_type="image/png")
    response["Cache-Control"] = f"public, max-age={A_YEAR}, immutable"
    return response


@require_safe
def event_list(request: HttpRequest) -> HttpResponse:
    """All events, coming or over, by word, organisation and time."""
    asked = finding.read(request)
    if finding.says_nothing(request):
        return redirect(request.path + asked.query())
    context = finding.list_context(request, asked)
    query = asked.query(context["page_of_events"].number)
    addresses = {language: list_url(language) + query for language in LANGUAGES}
    context["language_url"] = addresses[other_language()]
    context["sharing"] = sharing.of_list(addresses, is_past=asked.is_past, is_search=bool(asked.words))
    return page_cache.mark(render(request, "events/events.html", context))


@require_safe
def feed(request: HttpRequest, organisation: str = "") -> HttpResponse:
    """The calendar to subscribe to: the house's, or an organisation's."""
    whose = get_object_or_404(Organisation, slug=organisation) if organisation else None
    response = HttpResponse(feeds.feed(request, whose), content_type=feeds.CONTENT_TYPE)
    return page_cache.mark(response)


@require_safe
def sitemap(request: HttpRequest) -> HttpResponse:
    """Every public page, for search engines."""
    found = sitemaps.addresses(request, {language: list_url(language) for language in LANGUAGES})
    context = {"addresses": found}
    return page_cache.mark(render(request, "events/sitemap.xml", context, content_type="application/xml"))


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """What search engines need not ask for."""
    text = sitemaps.robots({language: list_url(language) for language in LANGUAGES})
    return page_cache.mark(HttpResponse(text, content_type="text/plain; charset=utf-8"))


def other_language() -> str:
    return next(language for language in LANGUAGES if language != active_language())


def list_url(language: str) -> str:
    """The list's address in a language."""
    with override(language):
        return reverse("event_list")
