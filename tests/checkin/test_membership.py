"""A ticket at a member's price that no register confirmed: the door looks at a proof before it lets the guest in."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.checkin import reasons, scans
from apps.checkin.models import Scan
from apps.events import tenancy
from apps.ticketing.models import Ticket
from tests import factories
from tests.checkin.conftest import paid_tickets

pytestmark = pytest.mark.django_db


@pytest.fixture
def guard(db: None) -> User:
    return factories.user(name="Vera Vakt", locale="en")


def ticket(event: Any, *, marked: bool = True, number: int = 1, **values: Any) -> list[Ticket]:
    made = paid_tickets(event, factories.ticket_type(event, **values), number)
    Ticket.objects.filter(pk__in=[one.pk for one in made]).update(check_membership=marked)
    return made


def test_marked_ticket_is_looked_at_and_let_in_when_the_proof_was_seen(guard: User) -> None:
    event = factories.event()
    (one,) = ticket(event)

    look = scans.admit(one.short_code, event=event, by=guard)
    assert (look.outcome, look.reason, look.check_membership) == (
        Scan.Outcome.LOOK,
        reasons.CHECK_MEMBERSHIP,
        True,
    )
    assert Ticket.objects.get(pk=one.pk).state == "valid"

    assert scans.admit(one.short_code, event=event, by=guard, confirmed=True).outcome == Scan.Outcome.ADMITTED


def test_ticket_without_a_mark_is_let_in_at_once(guard: User) -> None:
    event = factories.event()
    (one,) = ticket(event, marked=False)

    assert scans.admit(one.short_code, event=event, by=guard).outcome == Scan.Outcome.ADMITTED


def test_identity_is_asked_for_first_and_the_membership_with_it(guard: User) -> None:
    event = factories.event()
    (one,) = ticket(event, needs_id=True)

    look = scans.admit(one.short_code, event=event, by=guard)

    assert (look.outcome, look.reason, look.check_membership) == (Scan.Outcome.LOOK, reasons.CHECK_ID, True)


@pytest.mark.parametrize(
    ("needs_id", "sentence"),
    [
        (False, "Ask for a proof of membership."),
        (True, "Ask for a proof of membership too"),
    ],
)
def test_screen_of_the_door_says_what_to_ask_for(needs_id: bool, sentence: str, client: Client) -> None:
    association = tenancy.create_organisation("Lyktan")
    event = factories.event(organisation=association)
    (one,) = ticket(event, needs_id=needs_id)
    guard = factories.user(name="Vera Vakt", locale="en")
    guard.groups.add(association.door)
    client.force_login(guard)
    client.cookies["language"] = "en"

    screen = client.post(reverse("checkin:door", args=[event.public_id]), {"code": one.short_code}, follow=True)

    assert sentence in screen.content.decode()


def test_companions_are_marked_in_the_list(client: Client) -> None:
    association = tenancy.create_organisation("Lyktan")
    event = factories.event(organisation=association)
    first, second, third = ticket(event, number=3)
    Ticket.objects.filter(pk=first.pk).update(check_membership=False)
    guard = factories.user(name="Vera Vakt", locale="en")
    guard.groups.add(association.door)

    verdict = scans.admit(first.short_code, event=event, by=guard)

    assert [other.check_membership for other in verdict.others] == [True, True]
