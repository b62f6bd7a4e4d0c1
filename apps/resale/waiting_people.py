"""What a person sees and owns of waiting lists: a panel on My pages, what we hold on them, and until when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy

from apps.accounts.models import User
from apps.accounts.personal_data import verified_emails
from apps.accounts.privacy import EVENT_DAYS
from apps.resale import waiting
from apps.resale.models import WaitingEntry
from apps.resale.waiting_states import ON_LIST
from apps.ticketing import clock

SHOWN = 20


def of_person(user: User) -> QuerySet[WaitingEntry]:
    """Their entries: those of their account, and those to an address they have proved."""
    theirs = Q(user=user)
    for email in verified_emails(user):
        theirs |= Q(user__isnull=True, email__iexact=email)
    return WaitingEntry.objects.filter(theirs)


class WaitingPanel:
    """Our answer to `accounts.my_page_panels`: the lists one stands on."""

    slug = "waiting"
    heading = gettext_lazy("Waiting lists")

    def render(self, request: HttpRequest, user: User) -> str:
        rows = of_person(user).filter(state__in=ON_LIST).select_related("event").order_by("-pk")
        entries = list(waiting.with_places(rows)[:SHOWN])
        return render_to_string("resale/my_waiting.html", {"entries": entries}, request) if entries else ""


class WaitingData:
    """Our answer to `accounts.personal_data`."""

    slug = "waiting"

    def export(self, user: User) -> dict[str, Any]:
        rows = of_person(user).select_related("event").prefetch_related("types", "offers").order_by("pk")
        return {
            "waiting_lists": [
                {
                    "event": entry.event.title,
                    "email": entry.email,
                    "language": entry.locale,
                    "tickets": [kind.name for kind in entry.types.all()],
                    "number": entry.quantity,
                    "all_or_nothing": entry.all_or_nothing,
                    "state": entry.state,
                    "note": entry.note,
                    "joined_at": entry.joined_at.isoformat(),
                    "offers": [
                        {"number": offer.quantity, "state": offer.state, "offered_at": offer.offered_at.isoformat()}
                        for offer in entry.offers.all()
                    ],
                }
                for entry in rows
            ]
        }

    def erase(self, user: User) -> None:
        """Whoever is erased stands on no list any more; what they were offered goes to the next."""
        entries = list(of_person(user))
        for entry in entries:
            waiting.leave(entry)
        _forget(WaitingEntry.objects.filter(pk__in=[entry.pk for entry in entries]))


def forget_old() -> int:
    """Erase whom an entry is about 90 days after the event; of how many. What was offered stays counted. Daily; safe to
    repeat."""
    over = clock.now() - timedelta(days=EVENT_DAYS)
    return _forget(WaitingEntry.objects.filter(event__ends_at__lt=over).exclude(state__in=ON_LIST).exclude(email=""))


def _forget(entries: QuerySet[WaitingEntry]) -> int:
    """Nobody's name, address or language stays with these, nor what was written of them."""
    return entries.update(user=None, email="", buyer_key="", locale="", note="")
