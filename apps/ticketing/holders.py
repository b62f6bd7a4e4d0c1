"""Whose a ticket is, for whoever would buy it or be given it: one rule for accounts and addresses.

One person has an account, addresses they have proved to it, and the address they buy with as a guest. What they have by
one of them they have by all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from allauth.account.models import EmailAddress

from apps.accounts.keyring import normalise_email
from apps.ticketing.models import OrderLine, Ticket

Proved = Mapping[int, frozenset[str]]  # {account: its addresses}


def proved_by(user_ids: Iterable[int | None]) -> Proved:
    """The addresses that these accounts have proved. One query, none without accounts."""
    wanted = {user_id for user_id in user_ids if user_id is not None}
    found: dict[int, set[str]] = defaultdict(set)
    rows = EmailAddress.objects.filter(user__in=wanted, verified=True) if wanted else EmailAddress.objects.none()
    for user_id, email in rows.values_list("user_id", "email"):
        found[user_id].add(normalise_email(email))
    return {user_id: frozenset(emails) for user_id, emails in found.items()}


def owner_of(line: OrderLine) -> str:
    """The key of whom the ticket of this line counts for: its buyer, or whoever was given it."""
    return line.owner_key or line.order.buyer_key


def is_holder(
    ticket: Ticket, *, key: str, email: str, user_id: int | None = None, proved: Proved | None = None
) -> bool:
    """Whether the person who comes with this key, address and account has the ticket already. Its `line.order` is read;
    `proved` is of both accounts, asked for where it is not given."""
    if key == owner_of(ticket.line):
        return True
    if user_id is not None and user_id == ticket.owner_id:
        return True
    known = proved_by([user_id, ticket.owner_id]) if proved is None else proved
    return bool(_addresses(email, user_id, known) & _addresses(ticket.holder_email, ticket.owner_id, known))


def is_same(email: str, other: str) -> bool:
    return normalise_email(email) == normalise_email(other)


def _addresses(email: str, user_id: int | None, proved: Proved) -> set[str]:
    of_account = proved.get(user_id, frozenset()) if user_id is not None else frozenset[str]()
    return {address for address in (normalise_email(email), *of_account) if address}
