"""Who may buy what is not for everybody: tickets for members only.

Reads stored verdicts, never a source, for a whole batch in three queries. *Unknown* is never "no": whoever is not
known to be a member yet is told so, and not that they are none.

A presale link whose maker said so is as good as a membership. It takes the objection away and gives no consent: that
the ticket can be had at all the link's own tickets say, so that one that is used up opens nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from apps.discounts.allotment import indexes_of
from apps.discounts.extensions import Verdict
from apps.discounts.granting import MEMBER
from apps.discounts.memberships import Verdicts, verdicts_of
from apps.discounts.models import Audience, PresaleLink
from apps.discounts.sources import is_at_door
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
    """{ticket type: bodies it is for, by id and public id}, those whom the door alone knows, what is known of the
    people who ask, and {keyed hash of a link: {ticket type of its: whether it opens it to others than members}}."""

    bodies: dict[int, dict[int, str]] = field(default_factory=dict)
    at_door: frozenset[int] = frozenset()
    verdicts: dict[int, Verdicts] = field(default_factory=dict)
    opened: dict[str, dict[int, bool]] = field(default_factory=dict)


class MembersOnly:
    """The gate of tickets for members; registered when the app is ready."""

    slug = "members_only"

    def prepare(self, contexts: Sequence[PurchaseContext], at: datetime) -> _Answers:
        types = {line.ticket_type_id for context in contexts for line in context.lines}
        bodies: dict[int, dict[int, str]] = defaultdict(dict)
        for_members = Audience.objects.filter(
            ticket_type__in=types, ticket_type__visibility=TicketType.Visibility.MEMBERS
        )
        at_door: set[int] = set()
        for type_id, body_id, public_id, source in for_members.values_list(
            "ticket_type_id", "body_id", "body__public_id", "body__source"
        ):
            bodies[type_id][body_id] = public_id.hex
            if is_at_door(source):
                at_door.add(body_id)
        if not bodies:
            return _Answers()
        people = {context.user_id for context in contexts if context.user_id is not None}
        # As it stood when the first of them queued: waiting in line costs nobody a membership that was known.
        asked_at = min((context.at for context in contexts), default=at)
        known: dict[int, Verdicts] = {**verdicts_of(people, asked_at)} if people else {}
        opened = _opened_by({index for each in contexts for index in indexes_of(each)})
        return _Answers(dict(bodies), frozenset(at_door), known, opened)

    def opinion(self, context: PurchaseContext, line: ContextLine, answers: _Answers) -> Opinion:
        bodies = answers.bodies.get(line.ticket_type_id)
        if not bodies:
            return NO_OPINION
        if any(f"{MEMBER}{public_hex}" in context.pretends for public_hex in bodies.values()):
            return ALLOW  # somebody made up, in an editor's preview
        known = answers.verdicts.get(context.user_id, {}) if context.user_id is not None else {}
        verdicts = {known.get(body, Verdict.UNKNOWN) for body in bodies if body not in answers.at_door}
        if Verdict.YES in verdicts:
            return ALLOW
        if _is_waived(context, line, answers):
            return NO_OPINION
        if context.user_id is not None and Verdict.UNKNOWN in verdicts:
            return deny(MEMBERSHIP_UNKNOWN)
        return deny(MEMBERS_ONLY)


def _is_waived(context: PurchaseContext, line: ContextLine, answers: _Answers) -> bool:
    """Whether every link of the buyer's to this ticket is enough for it. With one among them that only shows it, the
    ticket might be taken from that one."""
    if not answers.opened:
        return False
    own = [answers.opened.get(index, {}).get(line.ticket_type_id) for index in indexes_of(context)]
    admits = [each for each in own if each is not None]
    return bool(admits) and all(admits)


def _opened_by(indexes: set[str]) -> dict[str, dict[int, bool]]:
    """{keyed hash of a link: {ticket type: whether it opens it to others than members}}. One query, and none where
    nobody brings a link."""
    if not indexes:
        return {}
    found: dict[str, dict[int, bool]] = defaultdict(dict)
    rows = PresaleLink.ticket_types.through.objects.filter(presalelink__secret_index__in=indexes)
    for index, type_id, admits in rows.values_list(
        "presalelink__secret_index", "tickettype_id", "presalelink__admits_non_members"
    ):
        found[index][type_id] = admits
    return found
