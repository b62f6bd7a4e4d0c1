"""What the demo shows of prices: one evening with a member price that a sponsor pays for, an early bird, a group, a
code, the crew's price for those on a list, and a late fee; and a buyer who is a member."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from apps.accounts.models import User
from apps.discounts import rules
from apps.discounts.models import Allowance, Code, Discount, ListedPerson, Sponsor
from apps.events.models import Event
from apps.ticketing.models import TicketType
from config import demo_members

CREW = "ellen@example.org"


def make(event: Event, at: datetime) -> None:
    """Make what is missing, and keep the membership of the demo's buyer alive."""
    lintek = demo_members.lintek(event.organisation)
    buyer = User.objects.filter(email="buyer@example.org").first()
    if buyer is not None:
        demo_members.make_member(lintek, buyer, at)
    if Discount.objects.filter(event=event).exists():
        return
    sponsor, _made = Sponsor.objects.get_or_create(
        organisation=event.organisation, name="Strömbolaget AB", defaults={"email": "faktura@example.org"}
    )
    kind = TicketType.objects.filter(event=event).order_by("position").first()
    assert kind is not None  # the event was made with it
    member = _discount(event, 1, "Kårpris", "Member price", kind="price", amount_minor=18_000, sponsor=sponsor)
    member.bodies.set([lintek])
    _discount(
        event,
        2,
        "Tidig fågel",
        "Early bird",
        size=20,
        kind="less",
        amount_minor=4_000,
        closes_at=at + timedelta(days=5),
    )
    _discount(event, 3, "Gäng", "Group", kind="percent", percent=25, min_quantity=5)
    code = _discount(event, 4, "Vänpris", "Friends", kind="percent", percent=50, needs_code=True, max_per_person=2)
    Code.objects.create(discount=code, event=event, text="LUCIA26", size=10, note="Affischen")
    helpers = _discount(event, 6, "Funktionärspris", "Crew price", kind="price", amount_minor=15_000, needs_list=True)
    ListedPerson.objects.create(discount=helpers, email_key=rules.person_key(CREW))
    late = at + timedelta(days=20)
    _discount(event, 5, "Sen bokning", "Late booking", kind="more", amount_minor=3_000, stacking="added", opens_at=late)


def _discount(event: Event, position: int, name_sv: str, name_en: str, **values: Any) -> Discount:
    size = values.pop("size", None)
    row = Discount.objects.create(event=event, position=position, name_sv=name_sv, name_en=name_en, **values)
    Allowance.objects.filter(discount=row).update(size=size)
    return row
