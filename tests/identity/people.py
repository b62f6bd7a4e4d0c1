"""Who can sign in at the stand-in. All are invented."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import Any

NUMBERED = re.compile(r"(student|person)-([0-9]{1,5})")


@dataclass
class Person:
    """One person. `liu_id` makes them one of LiU's; `claims` are told by the issuer of OpenID Connect and by ADFS."""

    slug: str
    name: str
    email: str
    email_verified: Any = True
    liu_id: str = ""
    lin: str = ""
    claims: dict[str, Any] = field(default_factory=dict)

    @property
    def sub(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"person:{self.slug}"))

    @property
    def number(self) -> int:
        """As GitHub numbers people."""
        return int(uuid.UUID(self.sub)) % 10**9


def _student(slug: str, name: str, liu_id: str, **claims: Any) -> Person:
    lin = str(uuid.uuid5(uuid.NAMESPACE_URL, f"lin:{slug}"))
    return Person(slug, name, f"{liu_id}@student.liu.se", liu_id=liu_id, lin=lin, claims=claims)


PEOPLE = [
    _student("kim", "Kim Lintekson", "kimli123", eduPersonPrimaryAffiliation="student", studentUnion="LinTek"),
    _student("robin", "Robin Utankår", "robut456", eduPersonPrimaryAffiliation="student"),
    Person("ada", "Ada Exempelsson", "ada@example.org"),
    Person("bo", "Bo Obekräftad", "bo@example.org", email_verified=False),
]


class People:
    """All of them, those that a test adds, and as many numbered ones as are wanted: `student-17`, `person-17`."""

    def __init__(self) -> None:
        self._known = {person.slug: person for person in PEOPLE}

    def put(self, facts: dict[str, Any]) -> None:
        self._known[facts["slug"]] = Person(**facts)

    def listed(self, *, at_liu: bool) -> list[Person]:
        return [person for person in self._known.values() if bool(person.liu_id) == at_liu]

    def get(self, slug: str) -> Person | None:
        if slug in self._known:
            return self._known[slug]
        numbered = NUMBERED.fullmatch(slug)
        if numbered is None:
            return None
        kind, number = numbered[1], int(numbered[2])
        if kind == "person":
            return Person(slug, f"Person {number}", f"{slug}@example.org")
        letters = "".join(chr(ord("a") + number // 26**place % 26) for place in range(2))
        return _student(slug, f"Student {number}", f"st{letters}{number % 1000:03d}")
