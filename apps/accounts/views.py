"""My pages, the profile, and the choice of language."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.i18n import set_language as django_set_language

from apps.accounts import languages, second_step, ways_in
from apps.accounts.extensions import my_page_panels
from apps.accounts.forms import ProfileForm

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ShownPanel:
    """One section of My pages, rendered; `failed` when it could not be."""

    slug: str
    heading: str | Promise
    html: str
    failed: bool = False


@require_safe
@login_required
@never_cache
def my_pages(request: HttpRequest) -> HttpResponse:
    """Every panel in the order of registration. One that raises is logged and a sentence stands in its place."""
    panels = []
    for panel in my_page_panels:
        try:
            html = panel.render(request, request.user)  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001  a plugin may raise anything; it must not take the page with it
            log.exception("My pages: the panel %s failed", panel.slug)
            panels.append(ShownPanel(panel.slug, panel.heading, "", failed=True))
        else:
            if html:
                panels.append(ShownPanel(panel.slug, panel.heading, html))
    return render(request, "accounts/my_pages.html", {"panels": panels})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def profile(request: HttpRequest) -> HttpResponse:
    """Name and language; ways to the e-mail, password and two-factor pages."""
    user: Any = request.user
    form = ProfileForm(
        request.POST if request.method == "POST" else None,
        instance=user,
        initial={"locale": user.locale or languages.spoken_now()},
    )
    if request.method == "POST" and form.is_valid():
        form.save()
        with override(user.locale):  # in the language just chosen
            messages.success(request, _("Saved."))
        response = redirect("accounts:profile")
        languages.show_in(response, user.locale)
        return response
    context = {"form": form, "has_second_step": second_step.is_set_up(user), "logins": ways_in.connected(user)}
    return render(request, "accounts/profile.html", context, status=400 if form.is_bound else 200)


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Django's own chooser, which returns to the page one was on; a signed-in person's account remembers the choice."""
    response = django_set_language(request)
    if request.user.is_authenticated:
        languages.remember(request.user, request.POST.get("language", ""))  # type: ignore[arg-type]
    return response
