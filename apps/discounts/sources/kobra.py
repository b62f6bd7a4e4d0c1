"""Kobra, the discount register of the student unions in Linköping: which union a student is a member of.

`GET <KOBRA_URL>/api/v1/students/<norEduPersonLIN or LiU ID>/?expand=union` with a token. Of the answer the union's name
is looked at, and nothing of it is kept or logged.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.discounts.extensions import Silent
from apps.discounts.sources import wire
from apps.discounts.sources.breaker import Breaker
from apps.discounts.sources.liu_identity import LiuIdentity
from apps.discounts.sources.unions import UnionRegister


class Kobra(UnionRegister):
    """The union a student is a member of. Somebody whom Kobra does not know (404: employees) is a member of none."""

    slug = "kobra"
    label = _("Kobra")
    key_help = _("The union's name as Kobra has it: LinTek, Consensus or StuFF")
    breaker = Breaker("kobra")

    def is_set_up(self) -> bool:
        return bool(settings.KOBRA_URL and settings.KOBRA_TOKEN)

    def union_of(self, identity: LiuIdentity) -> str:
        return _union_of(identity)


def _union_of(identity: LiuIdentity) -> str:
    """The name of their union in lower case, empty for none. Raises Silent."""
    name = identity.lin or identity.liu_id
    url = f"{settings.KOBRA_URL.rstrip('/')}/api/v1/students/{quote(name, safe='')}/?expand=union"
    answer = wire.ask(url, headers={"Authorization": f"Token {settings.KOBRA_TOKEN}", "Accept": "application/json"})
    if answer.status == 404:
        return ""
    if answer.status in (401, 403):
        raise Silent(f"it refuses our key ({answer.status})")
    if answer.status != 200:
        raise Silent(f"it answers {answer.status}")
    try:
        told: Any = json.loads(answer.body)
        theirs = str(told["id"] if identity.lin else told["liu_id"])
        union = told["union"]
        found = "" if union is None else union["name"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Silent("its answer makes no sense") from None
    if not isinstance(found, str):
        raise Silent("its answer makes no sense")
    if theirs.casefold() != name.casefold():
        raise Silent("it answers for somebody else")
    return found.strip().casefold()
