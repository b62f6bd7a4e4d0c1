"""What the door asks of others: which ticket a text stands for, be it a QR code, a typed code or a student card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from apps.accounts.registry import Registry
from apps.events.models import Event


class NotCredible(Exception):
    """The text is of the reader's kind and must not be believed: forged, or outdated. `reason` is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Credential:
    """The ticket a text stands for. `version`, where a text has one: the door refuses one older than the ticket's."""

    ticket: UUID
    version: int | None = None


class CredentialReader(Protocol):
    """Reads one kind of credential.

    Called for every text that is typed or scanned at the door, in the order of registration, until one knows it. Not
    called for an undo, for a guest who is chosen from a list, nor anywhere but at the door.
    """

    slug: str

    def read(self, text: str, event: Event) -> UUID | Credential | None:
        """The ticket that `text` stands for, or None when it is not of this kind; the public id alone will do. The
        ticket may be one of another event: the door looks. Raises NotCredible; a reader that raises anything else is
        logged and passed over. At most one query."""


credential_readers: Registry[CredentialReader] = Registry("checkin.credential_readers")
