"""What is known of people's memberships: read here by prices and gates, in one query for a whole batch.

How it comes to be known: `asking`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from apps.discounts.extensions import Verdict
from apps.discounts.models import Membership

Verdicts = Mapping[int, Verdict]  # {MemberBody id: verdict}; a body that is missing was never asked: unknown


def verdicts_of(user_ids: Iterable[int], at: datetime) -> dict[int, dict[int, Verdict]]:
    """{user id: {MemberBody id: verdict}} as it stood to be used at `at`, in one query. A verdict that no longer counts
    is *unknown*. Reads stored rows only; never asks a source."""
    known: dict[int, dict[int, Verdict]] = defaultdict(dict)
    rows = Membership.objects.filter(user_id__in=set(user_ids)).order_by()
    for user_id, body_id, verdict, good_until in rows.values_list("user_id", "body_id", "verdict", "good_until"):
        known[user_id][body_id] = Verdict(verdict) if at < good_until else Verdict.UNKNOWN
    return known
