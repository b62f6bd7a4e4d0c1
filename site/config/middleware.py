"""What every request passes: an id to be followed by, the content security policy of its area, no NUL in its values."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase

from apps.accounts.request_ids import new_request_id, request_id
from config.policies import area_of, header_of, permissions_for, policy_of

ID_FROM_PROXY = re.compile(r"^[A-Za-z0-9_-]{8,40}$")
NO_NUL_POSTED_TO = ("/admin/", "/accounts/")  # forms that are not ours; our own clean what they are sent
GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Gives each request an id (or keeps a well-formed one from the proxy) and returns it as `X-Request-ID`."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        value = given if ID_FROM_PROXY.match(given) else new_request_id()
        with request_id(value):
            response = self.get_response(request)
        response["X-Request-ID"] = value
        return response


class PolicyMiddleware(CSPMiddleware):
    """django-csp with the policy of the area that the address lies in (a view's own decorator wins), and what a page
    may ask of the device."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        # Wagtail makes a preview by sending a dummy request through the middleware; the answer keeps that policy.
        response.setdefault("Permissions-Policy", permissions_for(request.path))
        area = area_of(request.path, is_preview=getattr(request, "is_dummy", False))
        area = getattr(response, "policy_area", area)  # a page in one of its states: the checkout
        # All but a view's own policy, and the debugger's pages, which django-csp leaves alone, is put together once.
        if not settings.DEBUG and not any(name.startswith("_csp_") for name in vars(response)):
            response.setdefault(HEADER, header_of(area))
            return response
        if not hasattr(response, "_csp_replace"):
            response._csp_replace = policy_of(area)  # type: ignore[attr-defined]
        return super().process_response(request, response)


class NoNulMiddleware:
    """Answers 400 to a NUL in the query, and in what is posted to Wagtail and allauth: the database takes none.

    What is posted is looked at after the check of its CSRF token, which has read it: nothing is read for this alone.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        _refuse_nul(request.GET)
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: dict[str, Any]) -> None:
        if request.method == "POST" and request.path.startswith(NO_NUL_POSTED_TO):
            _refuse_nul(request.POST)


def _refuse_nul(data: QueryDict) -> None:
    if any("\0" in text for name, values in data.lists() for text in (name, *values)):
        raise BadRequest("NUL in a value")
