"""Rows of discounts for tests: small builders with sensible values, every one of which a test may override."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

from allauth.account.models import EmailAddress

from apps.accounts.models import User
from apps.discounts import facts, rules
from apps.discounts.models import Allowance, Code, Discount, ListedPerson, MemberBody, Membership, Sponsor
from apps.events.models import Event, Organisation
from apps.ticketing import clock
from tests import factories

_numbers = count(1)


def body(organisation: Organisation, name: str = "LinTek", **values: Any) -> MemberBody:
    values = {"source": "test", "source_key": name.lower(), **values}
    return MemberBody.objects.create(organisation=organisation, name_sv=name, name_en=name, **values)


def member(*bodies: MemberBody, verdict: str = "yes", user: User | None = None) -> User:
    """Somebody with an account and a verified address, of whom every body says `verdict`."""
    user = user or factories.user()
    EmailAddress.objects.get_or_create(user=user, email=user.email, defaults={"verified": True, "primary": True})
    at = clock.now()
    for each in bodies:
        Membership.objects.create(body=each, user=user, verdict=verdict, told_at=at, good_until=at + timedelta(days=1))
    return user


def discount(event: Event, **values: Any) -> Discount:
    """A discount of 50 kr on everything, for everybody; `size` of its tickets in all, `types`, `bodies`, `codes` and
    `listed` addresses as given."""
    number = next(_numbers)
    size = values.pop("size", None)
    types, bodies = values.pop("types", ()), values.pop("bodies", ())
    texts, listed = values.pop("codes", {}), values.pop("listed", ())
    values = {"name_sv": f"Rabatt {number}", "name_en": f"Discount {number}", "position": number, **values}
    values = {"kind": "less", "amount_minor": 5_000, "needs_code": bool(texts), "needs_list": bool(listed), **values}
    row = Discount.objects.create(event=event, **values)
    Allowance.objects.filter(discount=row).update(size=size)
    facts.forget()
    row.ticket_types.set(types)
    row.bodies.set(bodies)
    for text, budget in texts.items():
        Code.objects.create(discount=row, event=event, text=text, size=budget)
    for email in listed:
        ListedPerson.objects.create(discount=row, email_key=rules.person_key(email))
    return row


def sponsor(organisation: Organisation, name: str = "Strömbolaget", **values: Any) -> Sponsor:
    return Sponsor.objects.create(organisation=organisation, name=name, **values)
