"""Sesam, LiU's student register: SOAP with a user name token (WS-Security). Of what it tells of a student, the union's
name is looked at, and nothing is kept or logged.

The library (zeep) takes a second to load, so that it is loaded by workers, when somebody is asked about.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.discounts.extensions import Silent
from apps.discounts.sources import wire
from apps.discounts.sources.breaker import Breaker
from apps.discounts.sources.liu_identity import LiuIdentity
from apps.discounts.sources.unions import UnionRegister

WSDL = Path(__file__).with_name("sesam.wsdl")
NOT_FOUND = "could not find student"


class Sesam(UnionRegister):
    """The student union (MainUnion) of a student. Somebody who is no student is a member of none."""

    slug = "sesam"
    label = _("Sesam")
    key_help = _("The union's name as Sesam has it: LinTek, Consensus or StuFF")
    breaker = Breaker("sesam")

    def is_set_up(self) -> bool:
        return bool(settings.SESAM_URL and settings.SESAM_USERNAME)

    def union_of(self, identity: LiuIdentity) -> str:
        return _union_of(identity)


def _union_of(identity: LiuIdentity) -> str:
    """The name of their union in lower case, empty for none. Raises Silent."""
    from lxml.etree import LxmlError
    from zeep.exceptions import Error, Fault

    asked = {"norEduPersonLIN": identity.lin} if identity.lin else {"LiUId": identity.liu_id}
    try:
        service = _service(settings.SESAM_URL, settings.SESAM_USERNAME, settings.SESAM_PASSWORD, settings.SESAM_WSDL)
        student = service.GetStudent(Identity=asked)
        ((name, wanted),) = asked.items()
        theirs, union = str(getattr(student, name) or ""), student.MainUnion
    except Silent:
        raise
    except Fault as fault:
        if NOT_FOUND in str(fault.message).casefold():
            return ""
        raise Silent("it answers with a fault") from None
    except (Error, LxmlError, AttributeError, TypeError, ValueError, LookupError, OSError) as error:
        raise Silent(f"its answer makes no sense: {type(error).__name__}") from None
    if theirs.casefold() != wanted.casefold():
        raise Silent("it answers for somebody else")
    return str(union or "").strip().casefold()


@lru_cache(maxsize=2)
def _service(url: str, username: str, password: str, wsdl: str) -> Any:
    """The service at `url`, as its WSDL describes it: a copy of ours, so that no start depends on LiU's."""
    from zeep import Client, Settings
    from zeep.transports import Transport
    from zeep.wsse.username import UsernameToken

    class Bounded(Transport):
        """zeep's transport, by `wire`: with its deadline and limits, and no redirects."""

        def post(self, address: str, message: bytes, headers: Mapping[str, str]) -> Any:
            return _Response(wire.ask(address, method="POST", headers=headers, body=message))

        def _load_remote_data(self, url: str) -> bytes:
            return wire.ask(url).body

    # Strict, without DTDs and entities (a few bytes of which may unfold to gigabytes), nor huge trees.
    client = Client(
        wsdl or str(WSDL),
        wsse=UsernameToken(username, password, use_digest=True),
        transport=Bounded(),
        settings=Settings(
            strict=True, forbid_dtd=True, forbid_entities=True, forbid_external=True, xml_huge_tree=False
        ),
    )
    binding = next(iter(client.wsdl.bindings))
    return client.create_service(binding, url)


class _Response:
    """An answer as zeep reads it."""

    encoding = "utf-8"

    def __init__(self, answer: wire.Answer) -> None:
        self.status_code = answer.status
        self.content = answer.body
        self.headers = {name.title(): value for name, value in answer.headers.items()}
