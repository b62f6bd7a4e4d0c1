"""Whom the demo's association counts as members: a list with two of the demo's people, and a domain of addresses."""

from __future__ import annotations

from apps.discounts import member_lists
from apps.discounts.models import MemberBody, MemberList
from apps.discounts.sources.near import EmailDomain, UploadedList
from apps.events.models import Organisation

LIST = b"Name;E-mail\nKim Karlsson;buyer@example.org\nSam Sandberg;sam@example.org\n"
LISTED, DOMAIN = ("Lyktans medlemmar", "Members of Lyktan"), ("Studenter vid LiU", "Students at LiU")


def make_bodies(organisation: Organisation) -> None:
    """Both, if they are missing. Whoever signs in is asked for; the demo's buyer stands on the list."""
    listed = _body(organisation, LISTED, UploadedList.slug, "")
    if listed.source_key != listed.public_id.hex:
        MemberBody.objects.filter(pk=listed.pk).update(source_key=listed.public_id.hex)
    if not MemberList.objects.filter(body=listed).exists():
        member_lists.confirm(member_lists.draft(listed, member_lists.read(LIST), by=None), by=None)
    _body(organisation, DOMAIN, EmailDomain.slug, "student.liu.se")


def _body(organisation: Organisation, name: tuple[str, str], source: str, key: str) -> MemberBody:
    made, _is_new = MemberBody.objects.get_or_create(
        organisation=organisation,
        source=source,
        name_sv=name[0],
        name_en=name[1],
        defaults={"source_key": key},
    )
    return made
