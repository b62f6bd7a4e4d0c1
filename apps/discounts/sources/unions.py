"""What Kobra and Sesam have in common: each knows one union of a student, and is asked over the network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping

from apps.discounts.extensions import Person, Verdict
from apps.discounts.sources import ONE_DAY
from apps.discounts.sources.breaker import Breaker
from apps.discounts.sources.claims import LIU
from apps.discounts.sources.liu_identity import LiuIdentity, identity_of

NOBODY = LiuIdentity("00000000-0000-0000-0000-000000000000", "")


class UnionRegister(ABC):
    """A MembershipSource whose keys are names of unions."""

    good_for_minutes = ONE_DAY
    breaker: Breaker

    @abstractmethod
    def union_of(self, identity: LiuIdentity) -> str:
        """The name of their union in lower case, empty for none. Raises Silent."""

    def memberships(self, person: Person, keys: Iterable[str]) -> Mapping[str, Verdict]:
        identity = identity_of(person)
        if identity is None:
            return {}
        with self.breaker.guarding():
            union = self.union_of(identity)
        return {key: Verdict.YES if union == key.strip().casefold() else Verdict.NO for key in keys}

    def login(self, key: str) -> str:
        return LIU

    def try_out(self) -> None:
        """Ask about nobody. Raises Silent."""
        self.union_of(NOBODY)
