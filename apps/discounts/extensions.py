"""Every question discounts asks of others. Plugins answer by registering an object here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
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
    logins say of them: {provider id: claims}, and when they last signed in with each."""

    user_id: int
    emails: tuple[str, ...] = ()
    claims: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    signed_in_at: Mapping[str, datetime] = field(default_factory=dict)


class Silent(Exception):
    """A source could not be asked: it does not answer, in time or in a way that makes sense, or refuses our key. The
    message is for the log; it names nobody and quotes nothing that was answered."""


class MembershipSource(Protocol):
    """Knows who is a member of what: a registry of a student union, a list, a login's claims.

    Asked at sign-in and by a worker after an order was placed; what it says is kept for `good_for_minutes`. May speak
    to the network, and is then given up after a short time-out. Not called in a visitor's request unless `is_near`, and
    never by the queue or for guests without an account.

    More may be there. `is_near = True`: it answers from what lies in our database, so that it may be asked within the
    request of a sign-in; without it, a worker asks. `key_help`: a sentence on what `MemberBody.source_key` is.
    `read_key(text) -> str`: the key as it is kept, or ValidationError. `is_set_up() -> bool`: whether the installation
    has what the source needs (its address, a key); without it, it has. `try_out() -> None`: ask the registry for
    nobody, and raise Silent when it does not answer; for the doctor. `login(key) -> str`: the id of the provider whose
    login its verdicts go by, so that buyers are told to sign in with it, and that its verdicts end when that login is
    taken away; without it, any account will do. `repeats_login = True`: all it says is what that login said, so that it
    counts from the last sign-in with it. `is_at_door = True`: it never answers, the door asks for a proof; nothing is
    then sold that waits for its answer.
    """

    slug: str
    good_for_minutes: int

    @property
    def label(self) -> str | Promise:
        """What it is called; a plain attribute will do."""

    def memberships(self, person: Person, keys: Iterable[str]) -> Mapping[str, Verdict]:
        """{key: verdict} for each of `keys`, the `MemberBody.source_key`s that are asked for; a key that is left out is
        *unknown*. May raise Silent."""


membership_sources: Registry[MembershipSource] = Registry("discounts.membership_sources")
