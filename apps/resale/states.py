"""The states of a listing and the allowed moves, as a literal table (DESIGN 5). Nobody but `transitions` writes one."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from apps.ticketing.states import Table


class ListingState(TextChoices):
    """What became of a ticket that its owner would sell."""

    OPEN = "open", _("for sale")
    HELD = "held", _("being bought")
    SOLD = "sold", _("sold")
    WITHDRAWN = "withdrawn", _("withdrawn")


LISTING: Table = {
    ListingState.OPEN: frozenset({"held", "withdrawn"}),
    ListingState.HELD: frozenset({"open", "sold", "withdrawn"}),
    ListingState.SOLD: frozenset[str](),
    ListingState.WITHDRAWN: frozenset[str](),
}
ON_OFFER = (ListingState.OPEN, ListingState.HELD)
