"""Whose a ticket is that is for sale: its owner's account, or whoever has proved the address a guest bought it with."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q

from apps.accounts.models import User
from apps.accounts.personal_data import verified_emails
from apps.ticketing.models import Ticket


def are_of(user: User) -> Q:
    """The condition that a listing is of a ticket of theirs."""
    return Q(ticket__owner=user) | Q(ticket__owner__isnull=True, ticket__holder_email__in=verified_emails(user))


def is_of(ticket: Ticket, user: User | None, emails: Collection[str]) -> bool:
    """The same of one ticket; `emails` are those they have proved."""
    if user is None:
        return False
    return ticket.owner_id == user.pk if ticket.owner_id else ticket.holder_email in emails
