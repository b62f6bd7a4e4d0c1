"""Who may buy what is not for everybody: tickets for members only.

Reads stored verdicts, never a source, for a whole batch in two queries. *Unknown* is never "no": whoever is not known
to be a member yet is told so, and not that they are none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from apps.discounts.extensions import Verdict
from apps.discounts.memberships import Verdicts, verdicts_of
from apps.discounts.models import Audience
from apps.ticketing import reasons
from apps.ticketing.context import ContextLine, PurchaseContext
from apps.ticketing.extensions import ALLOW, NO_OPINION, Opinion, deny
from apps.ticketing.models import TicketType

MEMBERS_ONLY = reasons.register(
    "members_only",
    _("This ticket is for members, and your account is not known as one. No money was taken. Choose another one."),
)
MEMBERSHIP_UNKNOWN = reasons.register(
    "membership_unknown",
    _("This ticket is for members, and we could not find out yet whether you are one. No money was taken. Try again in "
      "a few minutes."),
)  # fmt: skip


@dataclass(frozen=True)
class _Answers:
    """{ticket type: bodies it is for}, and what is known of the people who ask."""

    bodies: dict[int, set[int]] = field(default_factory=dict)
    verdicts: dict[int, Verdicts] = field(default_factory=dict)


class MembersOnly:
    """The gate of tickets for members; registered when the app is ready."""

    slug = "members_only"

    def prepare(self, contexts: Sequence[PurchaseContext], at: datetime) -> _Answers:
        types = {line.ticket_type_id for context in contexts for line in context.lines}
        bodies: dict[int, set[int]] = defaultdict(set)
        for_members = Audience.objects.filter(
            ticket_type__in=types, ticket_type__visibility=TicketType.Visibility.MEMBERS
        )
        for type_id, body_id in for_members.values_list("ticket_type_id", "body_id"):
            bodies[type_id].add(body_id)
        if not bodies:
            return _Answers()
        people = {context.user_id for context in contexts if context.user_id is not None}
        # As it stood when the first of them queued: waiting in line costs nobody a membership that was known.
        asked_at = min((context.at for context in contexts), default=at)
        known: dict[int, Verdicts] = {**verdicts_of(people, asked_at)} if people else {}
        return _Answers(dict(bodies), known)

    def opinion(self, context: PurchaseContext, line: ContextLine, answers: _Answers) -> Opinion:
        bodies = answers.bodies.get(line.ticket_type_id)
        if not bodies:
            return NO_OPINION
        known = answers.verdicts.get(context.user_id, {}) if context.user_id is not None else {}
        verdicts = {known.get(body, Verdict.UNKNOWN) for body in bodies}
        if Verdict.YES in verdicts:
            return ALLOW
        if context.user_id is not None and Verdict.UNKNOWN in verdicts:
            return deny(MEMBERSHIP_UNKNOWN)
        return deny(MEMBERS_ONLY)
