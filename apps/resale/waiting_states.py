"""The states of a waiting-list entry and of an offer to it, as literal tables. Nobody but `transitions` writes one."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from apps.ticketing.states import Table


class EntryState(TextChoices):
    """Where somebody stands on an event's waiting list."""

    ASKED = "asked", _("address to be confirmed")
    WAITING = "waiting", _("on the list")
    SERVED = "served", _("has bought")
    LEFT = "left", _("left the list")
    REMOVED = "removed", _("removed by the organiser")
    OVER = "over", _("the event's list is over")


ENTRY: Table = {
    EntryState.ASKED: frozenset({"waiting", "served", "left", "removed", "over"}),
    EntryState.WAITING: frozenset({"served", "left", "removed", "over"}),
    EntryState.SERVED: frozenset[str](),
    EntryState.LEFT: frozenset[str](),
    EntryState.REMOVED: frozenset[str](),
    EntryState.OVER: frozenset[str](),
}
ON_LIST = (EntryState.ASKED, EntryState.WAITING)


class OfferState(TextChoices):
    """What became of an offer."""

    OPEN = "open", _("to be answered")
    ACCEPTED = "accepted", _("accepted, to be paid")
    BOUGHT = "bought", _("bought")
    DECLINED = "declined", _("declined")
    LAPSED = "lapsed", _("not answered in time")
    LOST = "lost", _("accepted, and not bought")
    WITHDRAWN = "withdrawn", _("withdrawn")


OFFER: Table = {
    OfferState.OPEN: frozenset({"accepted", "declined", "lapsed", "withdrawn"}),
    OfferState.ACCEPTED: frozenset({"bought", "lost"}),
    OfferState.BOUGHT: frozenset[str](),
    OfferState.DECLINED: frozenset[str](),
    OfferState.LAPSED: frozenset[str](),
    OfferState.LOST: frozenset({"bought"}),
    OfferState.WITHDRAWN: frozenset[str](),
}
LIVE = (OfferState.OPEN, OfferState.ACCEPTED)
