"""The panel "Memberships" of My pages: what is known, who said so and when, and the way to have it asked again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.discounts.extensions import Verdict, membership_sources
from apps.discounts.models import Membership
from apps.ticketing import clock

WORDS = {
    Verdict.YES: (_("Member"), "success"),
    Verdict.NO: (_("Not a member"), ""),
    Verdict.UNKNOWN: (_("Not known yet"), "warning"),
}


@dataclass(frozen=True)
class Shown:
    """One membership in the panel. `is_over`: it was known, and has to be asked for again."""

    name: str
    organisation: str
    source: str | Promise
    word: str | Promise
    level: str
    told_at: datetime
    is_over: bool


class MembershipsPanel:
    """Discounts' answer to `accounts.extensions.my_page_panels`. Two queries."""

    slug = "memberships"
    heading = _("Memberships")

    def render(self, request: HttpRequest, user: User) -> str:
        rows = Membership.objects.filter(user=user).select_related("body__organisation").order_by("pk")
        found = list(rows)
        if not found:
            return ""
        at = clock.now()
        shown = [_shown(row, at) for row in found]
        certain = [one for one in shown if one.level == "success"]
        context = {"members": certain, "others": [one for one in shown if one not in certain]}
        return render_to_string("discounts/my_memberships.html", context, request)


def _shown(row: Membership, at: datetime) -> Shown:
    is_over = at >= row.good_until
    word, level = WORDS[Verdict.UNKNOWN if is_over else Verdict(row.verdict)]
    source = membership_sources.get(row.body.source).label if row.body.source in membership_sources else row.body.source
    is_over = is_over and row.verdict != Verdict.UNKNOWN
    return Shown(row.body.name, row.body.organisation.name, source, word, level, row.told_at, is_over)
