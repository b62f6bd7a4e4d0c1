"""Presale links and people: what is held of whoever was sent one, and somebody with a link for an editor's preview."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.accounts.personal_data import verified_emails
from apps.discounts import presale
from apps.discounts.models import PresaleLink
from apps.ticketing import tokens
from apps.ticketing.context import PurchaseContext


class HasALink:
    """The PreviewPerson with presale links: the event's newest that are good at the moment looked at."""

    slug = "presale"
    label = _("Somebody with a presale link")

    def dress(self, context: PurchaseContext) -> PurchaseContext:
        links = PresaleLink.objects.filter(event_id=context.event_id, revoked_at=None).order_by("-pk")
        good = [link for link in links[:50] if self._is_good(link, context)]
        return replace(context, tokens=tuple(f"{presale.TOKEN}{link.secret}" for link in good[: tokens.MOST]))

    def _is_good(self, link: PresaleLink, context: PurchaseContext) -> bool:
        has_begun = link.opens_at is None or link.opens_at <= context.at
        return has_begun and bool(link.left) and not presale.is_over(link, context.at)


class PresaleData:
    """What presale links hold on a person: that one was made for an address of theirs. What they bought by it is told
    with their orders."""

    slug = "presale"

    def export(self, user: User) -> dict[str, Any]:
        return {
            "presale_links": [
                {
                    "event": link.event.title,
                    "label": link.label,
                    "email": link.email,
                    "created_at": link.created_at.isoformat(),
                }
                for link in _links(user).select_related("event").order_by("pk")
            ]
        }

    def erase(self, user: User) -> None:
        """The address goes, and with it the name; the link stays as good as it was, for whoever has it."""
        _links(user).update(email="", label="–")


def _links(user: User) -> QuerySet[PresaleLink]:
    addresses = [email.lower() for email in verified_emails(user)]
    return PresaleLink.objects.annotate(address=Lower("email")).filter(address__in=addresses)
