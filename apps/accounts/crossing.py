"""Where our pages meet those of a provider: the way there, and an answer that makes no sense on the way back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

import requests
from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.providers import registry
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

log = logging.getLogger(__name__)

# What allauth's code lets through when a provider does not answer, or its answer lacks a part or has another shape.
NO_ANSWER = (requests.RequestException, OAuth2Error)
NONSENSE = (KeyError, ValueError, TypeError, AttributeError, IndexError, ImproperlyConfigured, ValidationError)


def carefully(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of ours that reads a provider's answer: what makes no sense is an OAuth2Error, which allauth expects."""

    @wraps(method)
    def reads(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except NONSENSE as error:
            raise OAuth2Error(f"The answer cannot be read: {type(error).__name__}: {error}") from error

    return reads


class CrossingMiddleware:
    """Around allauth's addresses.

    A form that is posted is answered by a page which goes on to the provider by itself: were it a redirect, browsers
    would hold it, and wherever the provider redirects in turn, against `form-action`. An answer of a provider's that
    cannot be read, or none, becomes the page that says so.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.method != "POST" or not 300 <= response.status_code < 400:
            return response
        target = urlsplit(response["Location"])
        if not _is_at(request, "_login") or not target.netloc or target.netloc == request.get_host():
            return response
        page = render(request, "socialaccount/onward.html", {"target": target.geturl(), "host": target.hostname})
        page["Refresh"] = f"0; url={target.geturl()}"
        page["Cache-Control"] = "no-store"
        page.cookies = response.cookies
        return page

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, (*NO_ANSWER, *NONSENSE)) or not _is_at(request, "_callback", "_login"):
            return None
        if not isinstance(exception, NO_ANSWER):
            log.warning("A provider's answer cannot be read", exc_info=exception)
        name, kwargs = request.resolver_match.url_name or "", request.resolver_match.kwargs  # type: ignore[union-attr]
        slug = kwargs.get("provider_id") or name.removesuffix("_callback").removesuffix("_login")
        return render_authentication_error(
            request,
            get_adapter().get_provider(request, slug),
            exception=exception,
            extra_context={"state": {"next": get_next_redirect_url(request)}},
        )


def _is_at(request: HttpRequest, *suffixes: str) -> bool:
    """Whether the address is one of a provider's: `liu_login`, `google_callback`."""
    name = (request.resolver_match and request.resolver_match.url_name) or ""
    return any(name.endswith(suffix) and registry.get_class(name.removesuffix(suffix)) for suffix in suffixes)
