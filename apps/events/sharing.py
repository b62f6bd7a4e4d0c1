"""How a page introduces itself to those who only see its head: search engines and whatever shows a link as a card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import strip_tags
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from wagtail.images import get_image_model
from wagtail.models import Page

from apps.accounts.plain_text import one_line
from apps.events import photos, social_cards, wording
from apps.events.body import words_of
from apps.events.listing import hero_of
from apps.events.models import EventPage, HomePage, OrganisationPage
from apps.events.translated import active_language

DESCRIBED = 155  # letters of a description that search engines show
PHOTO = f"fill-{social_cards.WIDTH}x{social_cards.HEIGHT}-c60|format-jpeg|jpegquality-75"
LOCALES = {"sv": "sv_SE", "en": "en_GB"}


@dataclass(frozen=True)
class Sharing:
    """What stands in the head. Addresses are whole ones."""

    title: str
    description: str
    url: str
    language: str
    image: str = ""
    alternates: tuple[tuple[str, str], ...] = ()  # (language, address) of the page in each of its languages
    is_indexed: bool = True

    @property
    def locale(self) -> str:
        return LOCALES.get(self.language, self.language)


def whole(address: str) -> str:
    """An address of ours with its beginning."""
    return address if "://" in address else settings.SITE_URL + address


def of_page(page: Page, request: HttpRequest, translations: Iterable[Page] = ()) -> Sharing:
    """How a page introduces itself; `translations` are its public versions in other languages."""
    url = page.get_full_url(request) or settings.SITE_URL
    language = page.locale.language_code
    others = {other.locale.language_code: other.get_full_url(request) or "" for other in translations}
    alternates = sorted({**others, language: url}.items()) if others else []
    return Sharing(
        title=_("What is on") if isinstance(page, HomePage) else page.title,
        description=describe(page),
        url=url,
        language=language,
        image=image_of(page),
        alternates=tuple(alternates),
    )


def of_list(addresses: Mapping[str, str], *, is_past: bool, is_search: bool) -> Sharing:
    """How the list of events introduces itself, at its addresses by language. What somebody searched is no page."""
    language = active_language()
    home = HomePage.objects.filter(locale__language_code=language).select_related("locale").first()
    if is_past:
        title, description = _("Past events"), _("What student associations have arranged.")
    else:
        title, description = _("Events"), _("All that student associations arrange, by date, and the tickets to it.")
    return Sharing(
        title=title,
        description=description,
        url=whole(addresses[language]),
        language=language,
        image=image_of(home) if home else "",
        alternates=tuple((each, whole(address)) for each, address in sorted(addresses.items())),
        is_indexed=not is_search,
    )


def image_of(page: Page) -> str:
    """The photo at the top of an event's page, else the card drawn for the page. A page not yet saved has none."""
    if page.pk is None:
        return ""
    card = social_cards.card_of(page)
    if card is not None:
        return whole(reverse("events:social_card", args=[page.pk, card.digest]))
    if isinstance(page, EventPage):
        photo = get_image_model().objects.filter(pk=hero_of(page)["photo"]).first()
        made = photos.make_one(photo, PHOTO) if photo else None
        return whole(made.url) if made else ""
    return ""


def describe(page: Page) -> str:
    """What its editor wrote for search engines, else how the page begins."""
    if page.search_description:
        return page.search_description
    if isinstance(page, HomePage):
        return _("What student associations arrange: dinners, balls, plays and concerts, and the tickets to them.")
    if isinstance(page, OrganisationPage):
        text = plain(page.introduction)
        return short(text) or _("Events by %(name)s, and the tickets to them.") % {"name": page.organisation.name}
    if isinstance(page, EventPage):
        event = page.event
        facts = [wording.write_moment(event.starts_at, event.time_zone), event.venue, event.organisation.name]
        return short(". ".join([", ".join(fact for fact in facts if fact), *map(plain, words_of(page.body))]))
    return short(plain(getattr(page, "text", "")))


def plain(html: str) -> str:
    return one_line(strip_tags(html.replace("<", " <")))


def short(text: str) -> str:
    return Truncator(text).chars(DESCRIBED)
