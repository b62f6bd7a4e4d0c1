"""The house's filters for amounts and times (`money`, `delta`, `day`, `clock_time`, …), and what frames a page."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django import template
from django.conf import settings
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import get_language
from wagtail.admin.userbar import Userbar
from wagtail.models import Page

from apps.events import feeds, wording
from apps.events.extensions import site_ways
from apps.events.looks import Look, footer_links, look_of
from apps.events.translated import Fallback

register = template.Library()


def _amount(value: Any, currency: str) -> tuple[int, str]:
    if hasattr(value, "minor"):
        return value.minor, value.currency
    return int(value), currency or "SEK"


@register.filter
def money(value: Any, currency: str = "") -> str:
    """`{{ total }}` with `.minor` and `.currency`, or minor units: `{{ order.total_minor|money:order.currency }}`."""
    return "" if value in (None, "") else wording.write_money(*_amount(value, currency))


@register.filter
def delta(value: Any, currency: str = "") -> str:
    """What a choice adds: `included`, `+140 kr`, `−60 kr`."""
    return "" if value in (None, "") else wording.write_delta(*_amount(value, currency))


@register.filter
def day(value: Any, zone: Any = None) -> str:
    return wording.write_day(value, zone) if value else ""


@register.filter
def long_day(value: Any, zone: Any = None) -> str:
    return wording.write_long_day(value, zone) if value else ""


@register.filter
def full_day(value: Any, zone: Any = None) -> str:
    return wording.write_full_day(value, zone) if value else ""


@register.filter
def full_date(value: Any, zone: Any = None) -> str:
    return wording.write_full_date(value, zone) if value else ""


@register.filter
def clock_time(value: Any, zone: Any = None) -> str:
    return wording.write_clock_time(value, zone) if value else ""


@register.filter
def time_of_day(value: Any) -> str:
    return wording.write_time_of_day(value) if value else ""


@register.filter
def clock_seconds(value: Any, zone: Any = None) -> str:
    return wording.write_clock_seconds(value, zone) if value else ""


@register.filter
def moment(value: Any, zone: Any = None) -> str:
    return wording.write_moment(value, zone) if value else ""


@register.filter
def told(value: Any) -> Any:
    """An organiser's words: `{{ event.title|told }}`. What is there in the other language alone is marked with it.
    Inside an element, not in an attribute or a title."""
    if not isinstance(value, Fallback):
        return value
    return format_html('<span lang="{}">{}</span>', value.language, str(value))


@register.simple_tag(takes_context=True)
def look(context: template.Context) -> Look:
    """Theme and accent of the page: its `organisation`'s, else the context's `theme`."""
    return look_of(context.get("organisation"), context.get("theme") or "default")


@register.simple_tag(takes_context=True)
def signed_in(context: template.Context) -> Any:
    """The person who is signed in, or None.

    Touches the session only when the visitor sent its cookie, so that pages for visitors without one stay free of
    `Vary: Cookie` and can be kept for all.
    """
    request = context.get("request")
    if request is None or settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None


@register.simple_tag(takes_context=True)
def editors_bar(context: template.Context, person: Any) -> str:
    """Wagtail's bar for whoever may edit the page that is shown, with its content checker; it is what checks a preview
    in the editor too. Nobody else's pages have it, nor pages that are not Wagtail's."""
    page, request = context.get("page"), context.get("request")
    if person is None or not isinstance(page, Page) or not person.has_perm("wagtailadmin.access_admin"):
        return ""
    if not getattr(request, "is_preview", False) and not page.permissions_for_user(person).can_edit():
        return ""
    return Userbar(object=page, position="bottom-left").render_html(context)


@register.simple_tag(takes_context=True)
def account_way(context: template.Context, person: Any) -> dict[str, Any]:
    """Where "Sign in" leads, or the person's own pages."""
    from django.utils.http import urlencode
    from django.utils.translation import gettext as _

    if person:
        return {"url": settings.LOGIN_REDIRECT_URL, "label": _("My pages")}
    request = context.get("request")
    sign_in = _fixed_address("account_login", get_language())
    if request is None or request.path.startswith(sign_in):
        return {"url": sign_in, "label": _("Sign in")}
    return {"url": f"{sign_in}?{urlencode({'next': request.path})}", "label": _("Sign in")}


@lru_cache(maxsize=64)
def _fixed_address(name: str, language: str | None, *args: str) -> str:
    """An address that stands on every page of this language."""
    return reverse(name, args=args)


@register.simple_tag
def home_address() -> str:
    """The start page in the reader's language."""
    return _fixed_address("wagtail_serve", get_language(), "")


@register.simple_tag(takes_context=True)
def main_ways(context: template.Context) -> list[dict[str, Any]]:
    """The site's own ways, for the header."""
    from django.utils.translation import gettext as _

    language, request = get_language(), context.get("request")
    ways = [(_fixed_address("event_list", language), _("Events"))]
    ways += [(_fixed_address(way.route, language), str(way.label)) for way in site_ways]
    return [{"url": url, "label": label, "current": request is not None and request.path == url} for url, label in ways]


register.simple_tag(feeds.way_to, name="calendar_of")


@register.simple_tag(takes_context=True, name="footer_links")
def footer_links_of(context: template.Context) -> list[dict[str, Any]]:
    """The links at the foot of the page; its `organisation`'s terms and notices where it has one."""
    return footer_links(context.get("organisation"))
