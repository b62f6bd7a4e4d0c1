"""What discounts hold on a person: the verdicts on their memberships. Lists keep keyed hashes, which nobody can read;
whoever has a list uploaded answers for it."""

from __future__ import annotations

from typing import Any

from apps.accounts.models import User
from apps.discounts.models import MemberList, Membership


class DiscountsData:
    """Discounts' answer to `accounts.extensions.personal_data`."""

    slug = "discounts"

    def export(self, user: User) -> dict[str, Any]:
        rows = Membership.objects.filter(user=user).select_related("body__organisation").order_by("pk")
        return {
            "memberships": [
                {
                    "of": row.body.name,
                    "asked_by": row.body.organisation.name,
                    "source": row.body.source,
                    "verdict": row.verdict,
                    "told_at": row.told_at.isoformat(),
                    "counts_until": row.good_until.isoformat(),
                }
                for row in rows
            ]
        }

    def erase(self, user: User) -> None:
        Membership.objects.filter(user=user).delete()
        MemberList.objects.filter(uploaded_by=user).update(uploaded_by=None)
