"""What makes a sale's prices depend on the person: ten discounts of every kind, and a hundred presale links.

Of each ten buyers one comes by a link of their own and one types a code; the rest are guests like any others, whose
price is asked of every discount all the same.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from bench.storefront import Sold

if TYPE_CHECKING:
    from apps.discounts.models import PresaleLink
    from apps.ticketing.models import TicketType

LINKS = 100
CODE = "LUCIA26"


def with_discounts(sold: Sold) -> Sold:
    """The same sale with all of them, and what buyers need in order to use them."""
    from apps.ticketing.models import TicketType

    kind = TicketType.objects.get(event_id=sold.event_id)
    secrets = [link.secret for link in dress(kind)]
    return replace(sold, links=tuple(f"{sold.page}?{urlencode({'link': secret})}" for secret in secrets), code=CODE)


def dress(kind: TicketType) -> list[PresaleLink]:
    """Give a ticket type ten discounts, and a hundred links of two tickets that set no places aside."""
    from apps.discounts import presale
    from apps.ticketing import clock
    from tests.discounts import builders

    event = kind.event
    later = clock.now() + timedelta(days=1)
    lintek, consensus, lyktan = (builders.body(event.organisation, name) for name in ("LinTek", "Consensus", "Lyktan"))
    sponsor = builders.sponsor(event.organisation)
    for facts in (
        {"kind": "price", "amount_minor": 20_000, "bodies": [lintek], "sponsor": sponsor},
        {"amount_minor": 3_000, "bodies": [consensus], "when_unknown": "member"},
        {"amount_minor": 2_000, "bodies": [lyktan, lintek], "stacking": "added"},
        {"amount_minor": 2_500, "size": 100},
        {"amount_minor": 1_500, "max_per_person": 1, "closes_at": later},
        {"kind": "percent", "percent": 10, "min_quantity": 5},
        {"kind": "percent", "percent": 25, "codes": {CODE: None}},
        {"kind": "percent", "percent": 50, "codes": {"STAFFAN": 1}, "max_per_person": 2},
        {"amount_minor": 5_000, "listed": ["alva@example.org"]},
        {"kind": "more", "amount_minor": 500, "stacking": "added"},
    ):
        builders.discount(event, types=[kind], **facts)
    return [presale.create(event, types=[kind], label=f"Guest {number}", size=2) for number in range(LINKS)]
