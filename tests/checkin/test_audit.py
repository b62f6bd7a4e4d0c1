"""What the desk tells of the door on an order: who let the guest in, who took it back, and why, in words."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse

from apps.checkin import passes, reasons, scans
from apps.checkin.models import Scan
from apps.events import tenancy
from apps.ticketing.models import Order
from tests import mould
from tests.checkin.conftest import Evening, new_evening
from tests.tenancy.world import member


@pytest.fixture
def evening(db: None) -> Evening:
    return new_evening(organisation=mould.cast(tenancy.create_organisation, "Lyktan", slug="lyktan"))


def rows_of(evening: Evening, client: Client, language: str) -> list[list[str]]:
    """The cells of what happened on the evening's one order, without the time, as a treasurer reads them."""
    order = Order.objects.get()
    client.force_login(member(evening.organisation, tenancy.Role.TREASURER))
    answer: Any = client.get(
        reverse("order_desk:inspect", args=[order.public_id]), headers={"accept-language": language}
    )
    tables = BeautifulSoup(answer.content, "html.parser").select("table")
    return [[cell.get_text(strip=True) for cell in row.select("td")[1:]] for row in tables[-1].select("tbody tr")]


@pytest.mark.parametrize(
    ("language", "rows"),
    [
        pytest.param(
            "en",
            [
                ["Ticket", "valid", "used", "Let in at the door", "Sam"],
                ["Ticket", "used", "valid", "Undone at the door: The code was read by mistake", "Sam"],
                ["Ticket", "valid", "used", "Let in at the door", "Robin Berg"],
            ],
            id="en",
        ),
        pytest.param(
            "sv",
            [
                ["Biljett", "giltig", "använd", "Insläppt i dörren", "Sam"],
                ["Biljett", "använd", "giltig", "Ångrat i dörren: Koden lästes av misstag", "Sam"],
                ["Biljett", "giltig", "använd", "Insläppt i dörren", "Robin Berg"],
            ],
            id="sv",
        ),
    ],
)
def test_desk_names_who_let_in_and_says_why(
    evening: Evening, client: Client, language: str, rows: list[list[str]]
) -> None:
    (ticket,) = evening.tickets()
    sam, _secret = passes.give(evening.event, holder_name="Sam", by=evening.robin)

    entered = scans.admit(ticket.short_code, event=evening.event, by=sam)
    scans.undo(Scan.objects.get(public_id=entered.scan_id), by=sam, reason="mistake")
    scans.admit(ticket.short_code, event=evening.event, by=evening.robin)

    assert rows_of(evening, client, language) == rows


def test_every_reason_to_undo_has_words_for_the_desk() -> None:
    known = reasons.DoorWords().words()

    assert set(known) == {"door", *(f"door:{code}" for code in reasons.UNDO_REASONS)}
    assert all(str(words) for words in known.values())
