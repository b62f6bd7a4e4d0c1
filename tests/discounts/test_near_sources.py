"""Sources that need no network: logins' claims, domains of addresses, lists, and the door."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from apps.discounts.extensions import Person, Verdict
from apps.discounts.sources import read_key
from apps.discounts.sources.claims import LiuClaims, OidcClaim
from apps.discounts.sources.near import DoorCheck, EmailDomain

YES, NO, UNKNOWN = Verdict.YES, Verdict.NO, Verdict.UNKNOWN
STUDENT = {"liu_id": "alvek123", "norEduPersonLIN": "5f6c1f8e-64a5-4a7c-9d0b-6b1a4f7f0001"}
EMPLOYEE = {"liu_id": "alvek12"}
MECENAT = {**STUDENT, "eduPersonScopedAffiliation": ["student@liu.se", "member@mecenat.se"]}


@pytest.mark.parametrize(
    ("told", "key", "verdict"),
    [
        (None, "liu", UNKNOWN),
        (None, "student", UNKNOWN),
        (STUDENT, "liu", YES),
        (EMPLOYEE, "liu", YES),
        (STUDENT, "student", YES),
        (EMPLOYEE, "student", NO),
        (STUDENT, "employee", NO),
        (EMPLOYEE, "employee", YES),
        ({}, "student", UNKNOWN),
        ({"liu_id": "alvek"}, "student", UNKNOWN),
        (STUDENT, "member@mecenat.se", UNKNOWN),
        (MECENAT, "member@mecenat.se", YES),
        (MECENAT, "MEMBER@mecenat.se", YES),
        (MECENAT, "employee@liu.se", NO),
        ({**STUDENT, "http://liu.se/claims/eduPersonPrimaryAffiliation": "student"}, "faculty", NO),
    ],
)
def test_liu_login_tells(told: dict[str, Any] | None, key: str, verdict: Verdict) -> None:
    person = Person(1, claims={} if told is None else {"liu": told})

    assert LiuClaims().memberships(person, [key]) == {key: verdict}


@pytest.mark.parametrize(
    ("told", "key", "verdict"),
    [
        ({"groups": ["members", "board"]}, "kc: groups = members", YES),
        ({"groups": ["board"]}, "kc: groups = members", NO),
        ({"groups": []}, "kc: groups = members", NO),
        ({"groups": "members"}, "kc: groups=Members", YES),
        ({}, "kc: groups = members", UNKNOWN),
        ({"groups": None}, "kc: groups = members", UNKNOWN),
        ({"realm": {"roles": ["member"]}}, "kc: realm.roles = member", YES),
        ({"realm": "x"}, "kc: realm.roles = member", UNKNOWN),
        ({"is_member": True}, "kc: is_member = true", YES),
        ({"is_member": False}, "kc: is_member = true", NO),
        ({"year": 3}, "kc: year = 3", YES),
        ({"groups": {"members": 1}}, "kc: groups = members", NO),
        ({"groups": ["members"]}, "other: groups = members", UNKNOWN),
    ],
)
def test_claim_of_a_login_tells(told: dict[str, Any], key: str, verdict: Verdict) -> None:
    assert OidcClaim().memberships(Person(1, claims={"kc": told}), [key]) == {key: verdict}


def test_claim_that_cannot_be_read_is_left_unknown() -> None:
    assert OidcClaim().memberships(Person(1, claims={"kc": {}}), ["nonsense"]) == {}


@pytest.mark.parametrize(
    ("emails", "key", "verdict"),
    [
        (["a@student.liu.se"], "student.liu.se", YES),
        (["a@student.liu.se"], "liu.se", NO),
        (["a@student.liu.se"], "*.liu.se", YES),
        (["a@liu.se"], "*.liu.se", YES),
        (["a@notliu.se"], "*.liu.se", NO),
        (["a@example.org", "b@student.liu.se"], "student.liu.se", YES),
        (["a@example.org"], "student.liu.se", NO),
        (["a@student.liu.se.evil.example"], "student.liu.se", NO),
        ([], "student.liu.se", UNKNOWN),
    ],
)
def test_domain_of_a_verified_address_tells(emails: list[str], key: str, verdict: Verdict) -> None:
    assert EmailDomain().memberships(Person(1, tuple(emails)), [key]) == {key: verdict}


def test_door_never_knows() -> None:
    assert DoorCheck().memberships(Person(1, ("a@liu.se",), {"liu": STUDENT}), ["card"]) == {"card": UNKNOWN}


@pytest.mark.parametrize(
    ("source", "text", "key"),
    [
        ("email_domain", " @Student.LiU.se ", "student.liu.se"),
        ("email_domain", "*.liu.se", "*.liu.se"),
        ("oidc_claim", "kc:groups=members", "kc: groups = members"),
        ("liu", " Student ", "student"),
        ("kobra", " LinTek ", "LinTek"),
        ("door", "card", "card"),
    ],
)
def test_key_is_read(source: str, text: str, key: str) -> None:
    assert read_key(source, text) == key


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("email_domain", "liu"),
        ("email_domain", "a@b@c.se"),
        ("email_domain", "*.*.se"),
        ("oidc_claim", "groups = members"),
        ("oidc_claim", "kc: groups"),
        ("oidc_claim", "kc: = x"),
        ("kobra", "  "),
        ("nobody", "x"),
    ],
)
def test_key_that_cannot_be_asked_for_is_refused(source: str, text: str) -> None:
    with pytest.raises(ValidationError):
        read_key(source, text)
