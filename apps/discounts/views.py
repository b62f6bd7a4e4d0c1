"""Having one's memberships asked for again."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from apps.discounts import asking

TIMES, WITHIN_SECONDS = 3, 300


@require_POST
@login_required
@never_cache
def ask_again(request: HttpRequest) -> HttpResponse:
    """Ask every source about oneself once more; a few times in five minutes. Answers of registries come by a worker."""
    user: Any = request.user
    times, _left = cache.tally(f"memberships.asked:{user.pk}", WITHIN_SECONDS)  # type: ignore[attr-defined]
    if times > TIMES:
        messages.warning(request, _("Your memberships were asked for a moment ago. Try again in five minutes."))
    else:
        with transaction.atomic():
            asking.ask_near_now_and_others_soon(user.pk, again=True)
        messages.success(request, _("We have asked again. What a register answers is shown here within a minute."))
    return redirect("accounts:my_pages")
