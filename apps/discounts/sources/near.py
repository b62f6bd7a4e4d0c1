"""Sources that need no registry: a domain of e-mail addresses, a list that was uploaded, and the eyes at the door."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from uuid import UUID

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from apps.accounts.keyring import blind_index, normalise_email
from apps.discounts.extensions import Person, Verdict
from apps.discounts.models import ListedMember, MemberList
from apps.discounts.sources import A_WEEK
from apps.discounts.sources.claims import LIU

EMAIL = "email:"
DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}")


class EmailDomain:
    """Whoever has verified an address in a domain; `*.` before it means those below it too."""

    slug = "email_domain"
    label = _("E-mail domain")
    good_for_minutes = A_WEEK
    is_near = True
    key_help = _("A domain such as student.liu.se; *.liu.se for it and all below it")

    def memberships(self, person: Person, keys: Iterable[str]) -> Mapping[str, Verdict]:
        domains = {email.rpartition("@")[2] for email in person.emails}
        return {key: self._verdict(domains, key) for key in keys}

    @staticmethod
    def _verdict(domains: set[str], key: str) -> Verdict:
        if not domains:
            return Verdict.UNKNOWN  # no address is verified, so nothing is known
        wanted = key.removeprefix("*.")
        below = key.startswith("*.")
        is_so = any(domain == wanted or (below and domain.endswith(f".{wanted}")) for domain in domains)
        return Verdict.YES if is_so else Verdict.NO

    def read_key(self, text: str) -> str:
        key = text.strip().lower().removeprefix("@")
        if not DOMAIN.fullmatch(key.removeprefix("*.")):
            raise ValidationError(_("Write a domain such as student.liu.se."))
        return key


class UploadedList:
    """Whoever stands on the list that the organisation uploaded, by a verified address or a LiU ID. Before there is a
    list, nothing is known. The key is the body's own public id.

    A list knows `robin+1@` as `robin@`: of several accounts with such addresses the one that has verified its own
    first is the member."""

    slug = "member_list"
    label = _("Uploaded member list")
    good_for_minutes = A_WEEK
    is_near = True

    def memberships(self, person: Person, keys: Iterable[str]) -> Mapping[str, Verdict]:
        bodies = {key: body for key in keys if (body := _as_uuid(key))}
        lists = MemberList.objects.filter(body__public_id__in=bodies.values())
        listed = dict(lists.values_list("body__public_id", "body_id"))
        names = names_of(person)
        marks = {mark_of(body, name): (body, name) for body in listed for name in names}
        found = set(
            ListedMember.objects.filter(body__in=listed.values(), mark__in=marks).values_list("mark", flat=True)
        )
        of_others = _of_others(person, {marks[mark][1] for mark in found})
        on_list = {body for body, name in map(marks.__getitem__, found) if name not in of_others}
        return {
            key: Verdict.YES if body in on_list else Verdict.NO if listed.get(body) and names else Verdict.UNKNOWN
            for key, body in bodies.items()
        }


class DoorCheck:
    """Nobody knows before the door: the volunteer looks at a card. Always unknown."""

    slug = "door"
    is_at_door = True
    label = _("Checked at the door")
    good_for_minutes = A_WEEK
    is_near = True
    key_help = _("A word for yourselves; nothing is asked for")

    def memberships(self, person: Person, keys: Iterable[str]) -> Mapping[str, Verdict]:
        return dict.fromkeys(keys, Verdict.UNKNOWN)


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def names_of(person: Person) -> set[str]:
    """Everything under which a list may know somebody: their verified addresses, and the LiU ID that a login proved."""
    names = {email_name(email) for email in person.emails}
    liu_id = person.claims.get(LIU, {}).get("liu_id")
    if liu_id:
        names.add(liu_name(str(liu_id)))
    names |= {
        liu_name(email.partition("@")[0]) for email in person.emails if email.endswith("@student.liu.se")
    }  # LiU gives each student an address that begins with the LiU ID
    return names


def _of_others(person: Person, names: Iterable[str]) -> set[str]:
    """Those of these names that another account had before, by an address of its own that is verified."""
    found = set()
    for name in names:
        local, _at, domain = name.removeprefix(EMAIL).rpartition("@")
        if not name.startswith(EMAIL):
            continue
        alike = EmailAddress.objects.filter(verified=True, email__istartswith=local, email__iendswith=f"@{domain}")
        holders = alike.filter(user__is_active=True).order_by("pk").values_list("user", "email")
        first = next((user_id for user_id, email in holders if email_name(email) == name), person.user_id)
        if first != person.user_id:
            found.add(name)
    return found


def email_name(email: str) -> str:
    return f"{EMAIL}{normalise_email(email)}"


def liu_name(liu_id: str) -> str:
    return f"liu:{liu_id.strip().lower()}"


def mark_of(body: UUID, name: str) -> str:
    """What a list keeps of a member: a keyed hash, another one on each list, so that lists cannot be compared."""
    return blind_index(f"member-list:{body.hex}", name)
