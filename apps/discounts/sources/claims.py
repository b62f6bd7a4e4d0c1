"""What people's logins say of them: LiU's claims, and any claim of any provider. Kept by allauth at each sign-in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from apps.discounts.extensions import Person, Verdict
from apps.discounts.sources import A_WEEK

LIU = "liu"
ANYBODY, STUDENT, EMPLOYEE = "liu", "student", "employee"


class LiuClaims:
    """Whoever signs in with LiU, its students, its employees, or a value among the affiliations that LiU tells.

    A LiU ID ends in three digits for students and in two for employees. Without a LiU login nothing is known.
    """

    slug = "liu"
    label = _("LiU login")
    good_for_minutes = A_WEEK
    is_near = True
    repeats_login = True
    key_help = _(
        "“liu” for everybody with a LiU ID, “student”, “employee”, or an affiliation such as member@mecenat.se"
    )

    def memberships(self, person: Person, keys: Iterable[str]) -> Mapping[str, Verdict]:
        told = person.claims.get(LIU)
        if told is None:
            return dict.fromkeys(keys, Verdict.UNKNOWN)
        return {key: self._verdict(told, key) for key in keys}

    def _verdict(self, told: Mapping[str, Any], key: str) -> Verdict:
        if key == ANYBODY:
            return Verdict.YES
        if key in (STUDENT, EMPLOYEE):
            liu_id = str(told.get("liu_id", ""))
            digits = len(liu_id) - len(liu_id.rstrip("0123456789"))
            if digits not in (2, 3):
                return Verdict.UNKNOWN
            return _yes_if((digits == 3) == (key == STUDENT))
        affiliations = [value for name, value in told.items() if "affiliation" in name.lower()]
        if not affiliations:
            return Verdict.UNKNOWN
        return _yes_if(any(holds(value, key) for value in affiliations))

    def read_key(self, text: str) -> str:
        return text.strip().lower()

    def login(self, key: str) -> str:
        return LIU


class OidcClaim:
    """A claim of any login, by its value or by what its list holds: `github: company = LinTek`.

    Without that login, or without the claim in it, nothing is known.
    """

    slug = "oidc_claim"
    label = _("A claim of another login")
    good_for_minutes = A_WEEK
    is_near = True
    repeats_login = True
    key_help = _("The login's name, the claim and its value: “keycloak: groups = members”")

    def memberships(self, person: Person, keys: Iterable[str]) -> Mapping[str, Verdict]:
        verdicts = {}
        for key in keys:
            try:
                provider, claim, value = parts_of(key)
            except ValidationError:
                continue
            told: Any = person.claims.get(provider)
            for name in claim.split("."):
                told = told.get(name) if isinstance(told, Mapping) else None
            verdicts[key] = Verdict.UNKNOWN if told is None else _yes_if(holds(told, value))
        return verdicts

    def read_key(self, text: str) -> str:
        provider, claim, value = parts_of(text)
        return f"{provider}: {claim} = {value}"

    def login(self, key: str) -> str:
        return key.partition(":")[0].strip()


def parts_of(key: str) -> tuple[str, str, str]:
    """Provider, claim and value of `provider: claim = value`. Raises ValidationError."""
    provider, _colon, rest = key.partition(":")
    claim, _equals, value = rest.rpartition(" = ") if " = " in rest else rest.partition("=")
    parts = provider.strip(), claim.strip(), value.strip()
    if not all(parts):
        raise ValidationError(_("Write the login, the claim and its value: “keycloak: groups = members”."))
    return parts


def holds(told: Any, value: str) -> bool:
    """Whether a claim has this value or a list with it in it; case and blanks around do not matter."""
    wanted = value.strip().casefold()
    if isinstance(told, bool):
        return wanted == ("true" if told else "false")
    if isinstance(told, list | tuple):
        return any(holds(one, value) for one in told)
    return isinstance(told, str | int) and str(told).strip().casefold() == wanted


def _yes_if(is_so: bool) -> Verdict:
    return Verdict.YES if is_so else Verdict.NO
