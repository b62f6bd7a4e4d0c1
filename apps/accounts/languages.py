"""A person's language: kept on the account for mails, kept in a cookie for pages.

Whoever chose a language on this device keeps it; else the account's language applies from the moment one signs in.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_language

from apps.accounts.models import User

CODES = frozenset(code for code, _ in settings.LANGUAGES)


def spoken_now() -> str:
    """The active language as one of ours."""
    language = (get_language() or settings.LANGUAGE_CODE)[:2]
    return language if language in CODES else settings.LANGUAGE_CODE


def show_in(response: HttpResponse, language: str) -> None:
    """Let this device be served in `language` from the next page on, as Django's own chooser does."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        path=settings.LANGUAGE_COOKIE_PATH,
        domain=settings.LANGUAGE_COOKIE_DOMAIN,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,
    )


def remember(user: User, language: str) -> None:
    """Write `language` on the account, if it is one of ours and new."""
    if language in CODES and user.locale != language:
        user.locale = language
        user.save(update_fields=["locale"])


def greet(request: HttpRequest, user: User, response: HttpResponse) -> None:
    """At sign-in: a language chosen on this device is remembered, else the account's is used from here on."""
    chosen_here = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    if chosen_here in CODES or not user.locale:
        remember(user, chosen_here if chosen_here in CODES else spoken_now())
    else:
        show_in(response, user.locale)


class LanguageMiddleware(LocaleMiddleware):
    """Django's, but an address that exists keeps its own "not found": only unknown ones are tried below `/sv/`, `/en/`.

    Wagtail's pages catch every address below a language, so that Django would redirect every 404 of the house there.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.status_code != 404 or request.resolver_match is None:
            return super().process_response(request, response)
        patch_vary_headers(response, ("Accept-Language",))
        response.headers.setdefault("Content-Language", get_language() or settings.LANGUAGE_CODE)
        return response
