"""Stand-ins for what other parts bring: a members' price, and a membership source that says what a test wants."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.db import connection

from apps.accounts.models import User
from apps.discounts import memberships
from apps.discounts.extensions import Person, Silent, Verdict
from apps.discounts.models import MemberBody
from apps.events.models import Organisation
from apps.ticketing.context import ContextLine, PurchaseContext
from apps.ticketing.extensions import NamedAdjustment
from apps.ticketing.models import Adjustment
from tests import factories

LIN = "5f6c1f8e-64a5-4a7c-9d0b-6b1a4f7f0001"


def _run(sql: str, *values: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.rowcount


@dataclass
class MemberPrice:
    """Members of `body` pay `less_minor` less. `when_unknown` is the organiser's policy: "full" or "member". `limit` is
    how many tickets in all may have it; `claimed` counts them as a real rule's row would."""

    body: MemberBody
    less_minor: int = 5_000
    when_unknown: str = "full"
    bearer: str = "organiser"
    limit: int | None = None
    slug: str = "member_price"

    def __post_init__(self) -> None:
        _run("CREATE TABLE IF NOT EXISTS test_claim (line_id bigint PRIMARY KEY)")
        _run("DELETE FROM test_claim")

    @property
    def claimed(self) -> int:
        return _run("SELECT line_id FROM test_claim")

    def prepare(self, contexts: Sequence[PurchaseContext], at: datetime) -> Any:
        return memberships.verdicts_of([one.user_id for one in contexts if one.user_id], at)

    def adjustments(self, context: PurchaseContext, line: ContextLine, answers: Any) -> Sequence[NamedAdjustment]:
        verdict = answers.get(context.user_id, {}).get(self.body.pk, Verdict.UNKNOWN)
        is_guess = verdict == Verdict.UNKNOWN and self.when_unknown == "member" and context.user_id is not None
        if self.limit is not None and self.claimed >= self.limit:
            return ()
        if verdict != Verdict.YES and not is_guess:
            return ()
        return (NamedAdjustment(self.slug, "Medlem", "Member", -self.less_minor, self.bearer, is_provisional=is_guess),)

    def claim(self, order_lines: Mapping[int, Sequence[NamedAdjustment]]) -> None:
        _run("INSERT INTO test_claim SELECT unnest(%s::bigint[])", list(order_lines))

    def release(self, order_line_ids: Sequence[int]) -> None:
        assert _run("DELETE FROM test_claim WHERE line_id = ANY(%s)", list(order_line_ids)) == len(order_line_ids)

    def reprice(self, ticket: Any, context: PurchaseContext, answers: Any) -> Sequence[NamedAdjustment]:
        return ()

    def rests_on(self, event_id: int, rows: Sequence[Adjustment], words: Collection[str]) -> Sequence[Adjustment]:
        return rows if f"member:{self.body.public_id.hex}" in words else ()


@dataclass
class Oracle:
    """A register far away that says `verdict` of everybody, or nothing (None)."""

    verdict: Verdict | None = Verdict.YES
    slug: str = "oracle"
    label: str = "The oracle"
    good_for_minutes: int = 60
    asked: list[int] = field(default_factory=list)

    def memberships(self, person: Person, keys: Iterable[str]) -> Mapping[str, Verdict]:
        self.asked.append(person.user_id)
        if self.verdict is None:
            raise Silent("it sleeps")
        return dict.fromkeys(keys, self.verdict)


def body(organisation: Organisation | None = None, source: str = "oracle", key: str = "members") -> MemberBody:
    organisation = organisation or factories.organisation()
    return MemberBody.objects.create(
        organisation=organisation, name_sv="Medlemmar", name_en="Members", source=source, source_key=key
    )


def person(*emails: str, liu: Mapping[str, Any] | None = None, **values: Any) -> User:
    """Somebody with verified addresses, and with a LiU login where its claims are given."""
    user = factories.user(**values)
    for email in emails:
        EmailAddress.objects.create(user=user, email=email, verified=True)
    if liu is not None:
        SocialAccount.objects.create(user=user, provider="liu", uid=str(user.pk), extra_data=dict(liu))
    return user
