"""Who knows who is a member: one module for each source, and what is asked of all of them.

A source that lacks something optional has the default given here; see `extensions.MembershipSource`.
"""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts import ways_in
from apps.discounts.extensions import MembershipSource, membership_sources

ONE_DAY = 24 * 60
A_WEEK = 7 * ONE_DAY


def is_near(source: MembershipSource) -> bool:
    """Whether the source answers without the network."""
    return bool(getattr(source, "is_near", False))


def is_set_up(source: MembershipSource) -> bool:
    """Whether this installation can ask the source at all."""
    ask = getattr(source, "is_set_up", None)
    return bool(ask()) if ask else True


def key_help(source: MembershipSource) -> str | Promise:
    """What an organiser writes as the key."""
    return getattr(source, "key_help", "")


def provider_of(slug: str, key: str) -> str:
    """The id of the provider by whose login the source knows people; empty where any account will do."""
    ask = getattr(membership_sources.get(slug), "login", None) if slug in membership_sources else None
    return str(ask(key)) if ask else ""


def login_of(slug: str, key: str) -> str:
    """What the login is called by which the source knows people, such as “LiU”; empty where there is none, or where it
    is not set up."""
    provider = provider_of(slug, key)
    return ways_in.set_up().get(provider, "") if provider else ""


def is_at_door(slug: str) -> bool:
    """Whether nobody is ever known before the door: what waits for an answer of this source waits for good."""
    return slug in membership_sources and bool(getattr(membership_sources.get(slug), "is_at_door", False))


def repeats_login(source: MembershipSource) -> bool:
    """Whether all that the source says is what a login said when it was last signed in with."""
    return bool(getattr(source, "repeats_login", False))


def read_key(slug: str, text: str) -> str:
    """The key as it is kept. Raises ValidationError for one that the source cannot ask for."""
    if slug not in membership_sources:
        raise ValidationError(_("Choose who knows the members."))
    read = getattr(membership_sources.get(slug), "read_key", None)
    key = read(text) if read else text.strip()
    if not key:
        raise ValidationError(_("Write what is asked for."))
    return key
