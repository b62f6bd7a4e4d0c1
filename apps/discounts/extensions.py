"""Every question discounts asks of others. Plugins answer by registering an object here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.registry import Registry


class Verdict(models.TextChoices):
    """What a membership source says of one person. *Unknown* is never "no": the source could not be asked."""

    YES = "yes", _("member")
    NO = "no", _("not a member")
    UNKNOWN = "unknown", _("not known")


@dataclass(frozen=True)
class Person:
    """Somebody with an account, as a source may know them: addresses they have verified, in lower case, and what their
    logins say of them: {provider id: claims}."""

    user_id: int
    emails: tuple[str, ...] = ()
    claims: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class MembershipSource(Protocol):
    """Knows who is a member of what: a registry of a student union, a list, a login's claims.

    Asked at sign-in and by a worker after an order was placed; what it says is kept for `good_for_minutes`. May speak
    to the network, and is then given up after a short time-out. Not called in a visitor's request, by the queue, or for
    guests without an account.
    """

    slug: str
    label: str | Promise
    good_for_minutes: int

    def memberships(self, person: Person, keys: Iterable[str]) -> Mapping[str, Verdict]:
        """{key: verdict} for each of `keys`, the `MemberBody.source_key`s that are asked for."""


membership_sources: Registry[MembershipSource] = Registry("discounts.membership_sources")
