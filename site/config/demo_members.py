"""Whom the demo's association counts as members: a list with two of the demo's people, a domain of addresses, and the
union that the stand-in of LiU's login tells of. Every source is a real one."""

from __future__ import annotations

from datetime import datetime, timedelta

from apps.accounts.models import User
from apps.discounts import member_lists
from apps.discounts.extensions import Verdict
from apps.discounts.models import MemberBody, MemberList, Membership
from apps.discounts.sources.claims import OidcClaim
from apps.discounts.sources.near import EmailDomain, UploadedList
from apps.events.models import Organisation

LIST = b"Name;E-mail\nKim Karlsson;buyer@example.org\nSam Sandberg;sam@example.org\n"
LISTED, DOMAIN = ("Lyktans medlemmar", "Members of Lyktan"), ("Studenter vid LiU", "Students at LiU")
LINTEK = ("LinTek", "LinTek")


def make_bodies(organisation: Organisation) -> None:
    """All of them, if they are missing. Whoever signs in is asked for; the demo's buyer stands on the list."""
    listed_body(organisation)
    lintek(organisation)
    _body(organisation, DOMAIN, EmailDomain.slug, "student.liu.se")


def lintek(organisation: Organisation) -> MemberBody:
    """LinTek's members, as the stand-in's LiU login tells them."""
    return _body(organisation, LINTEK, OidcClaim.slug, "liu: studentUnion = LinTek")


def listed_body(organisation: Organisation) -> MemberBody:
    """The members on the association's own list."""
    listed = _body(organisation, LISTED, UploadedList.slug, "")
    if listed.source_key != listed.public_id.hex:
        MemberBody.objects.filter(pk=listed.pk).update(source_key=listed.public_id.hex)
    if not MemberList.objects.filter(body=listed).exists():
        member_lists.confirm(member_lists.draft(listed, member_lists.read(LIST), by=None), by=None)
    return listed


def make_member(body: MemberBody, user: User, at: datetime) -> None:
    """Let the demo's `user` be known as a member for a year, and again when that is run once more."""
    told = {"verdict": Verdict.YES, "told_at": at, "good_until": at + timedelta(days=365)}
    Membership.objects.update_or_create(body=body, user=user, defaults=told)


def _body(organisation: Organisation, name: tuple[str, str], source: str, key: str) -> MemberBody:
    made, _is_new = MemberBody.objects.get_or_create(
        organisation=organisation,
        source=source,
        name_sv=name[0],
        name_en=name[1],
        defaults={"source_key": key},
    )
    return made
