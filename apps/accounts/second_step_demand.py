"""Pages that move money ask whoever opens them for their second step: a password alone, found out, refunds nothing.

`@demands_second_step` on a view class asks once per session, by what allauth notes of how one signed in. It comes after
the view's own permission checks, so that a page that is not somebody's stays one that they do not see.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from allauth.account.authentication import get_authentication_records
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.views import View

from apps.accounts import second_step

ViewClass = TypeVar("ViewClass", bound=type[View])


def is_shown(request: HttpRequest) -> bool:
    """Whether this person has a second step, and has shown it since they signed in. One query at most."""
    shown = any(record.get("method") == "mfa" for record in get_authentication_records(request, request.user))
    return shown and second_step.is_set_up(request.user)


def demands_second_step(view: ViewClass) -> ViewClass:
    """Have `get` and `post` of a view class serve only those who have shown their second step in this session.

    Others are led to where they set it up or show it, and read that nothing has happened; what they sent is not kept.
    """
    for name in ("get", "post"):
        handler = getattr(view, name, None)
        if handler is not None:
            setattr(view, name, _asked_first(handler))
    return view


def demands(view: type[View]) -> bool:
    """Whether all that a view class serves is served to such people alone."""
    handlers = [getattr(view, name) for name in ("get", "post") if hasattr(view, name)]
    return all(getattr(handler, "demands_second_step", False) for handler in handlers)


def _asked_first(handler: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(handler)
    def asked(view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return handler(view, request, *args, **kwargs) if is_shown(request) else _lead_on(request)

    asked.demands_second_step = True  # type: ignore[attr-defined]
    return asked


def _lead_on(request: HttpRequest) -> HttpResponse:
    if not second_step.is_set_up(request.user):
        messages.warning(
            request,
            _("Money is moved only by people with a second step: a passkey, or a code from an app. Nothing was done."
              " Set one up here, and come back."),
        )  # fmt: skip
        return HttpResponseRedirect(reverse("accounts:profile"))
    messages.warning(
        request, _("Show your second step before you move money. Nothing was done. Afterwards do it once more.")
    )
    has_app = second_step.has_app(request.user)
    page = reverse("mfa_reauthenticate" if has_app else "mfa_reauthenticate_webauthn")
    return HttpResponseRedirect(f"{page}?{urlencode({REDIRECT_FIELD_NAME: _page_of(request)})}")


def _page_of(request: HttpRequest) -> str:
    """Where to go on: this page, or the one that a button was pressed on."""
    came_from = request.headers.get("Referer", "")
    if request.method == "POST" and url_has_allowed_host_and_scheme(came_from, {request.get_host()}):
        return came_from
    return request.get_full_path()
