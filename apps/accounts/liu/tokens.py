"""What LiU's token says of a person, as plain data."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.accounts.liu.keys import keys_at
from apps.accounts.signed_tokens import BadToken, decode

# Two to five letters and two (employees) or three (students) digits; the domain behind it is LiU's own.
UPN = re.compile(r"([a-z]{2,5}[0-9]{2,3})@([a-z0-9.-]+)")
LIU_DOMAIN = re.compile(r"(.+\.)?liu\.se")
STUDENTS_DOMAIN = "student.liu.se"
LIN = "norEduPersonLIN"


@dataclass(frozen=True)
class LiuPerson:
    """One person at LiU. `lin` stays theirs (the LiU ID may change); `kept` is what memberships may ask for."""

    lin: str
    liu_id: str
    email: str
    email_is_proved: bool
    name: str
    kept: Mapping[str, Any]


def read(token: str, app: Any) -> LiuPerson:
    """The person an access token tells of. Raises BadToken when it is not believed or not whole, RequestException when
    LiU's keys cannot be had."""
    facts = app.settings
    claims = decode(token, keys_at(facts["url"]), issuer=facts["issuer"], audience=facts["resource"])
    if claims.get("appid", app.client_id) != app.client_id:
        raise BadToken("It was made for another program")
    return person_of(claims, facts.get("claims", ()))


def person_of(claims: Mapping[str, Any], kept_names: Iterable[str]) -> LiuPerson:
    """Read the claims. ADFS names some by an address: what counts is its last part. Raises BadToken."""
    told = {name.rsplit("/", 1)[-1]: value for name, value in claims.items()}
    try:
        lin = str(uuid.UUID(str(told[LIN])))
    except (KeyError, ValueError) as error:
        raise BadToken(f"{LIN} is missing or makes no sense") from error
    upn = UPN.fullmatch(str(told.get("sub", "")).strip().lower())
    if upn is None or not LIU_DOMAIN.fullmatch(upn[2]):
        raise BadToken("Its subject is no LiU ID")
    liu_id = upn[1]
    email = told.get("email")
    if not isinstance(email, str) or "@" not in email:  # students have one, whether or not it is told
        email = f"{liu_id}@{STUDENTS_DOMAIN}" if liu_id[-3:].isdigit() else ""
    email = email.strip().lower()
    names = [told.get("unique_name")] if told.get("unique_name") else [told.get("given_name"), told.get("family_name")]
    return LiuPerson(
        lin=lin,
        liu_id=liu_id,
        email=email,
        email_is_proved=LIU_DOMAIN.fullmatch(email.rpartition("@")[2]) is not None,  # LiU proves its own, no other
        name=" ".join(str(part).strip() for part in names if part),
        kept={"liu_id": liu_id, LIN: lin, **{name: told[name] for name in kept_names if name in told}},
    )
