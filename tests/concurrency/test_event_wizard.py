"""An impatient organiser: the wizard's last button pressed in two tabs at the same moment."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial

import pytest

from apps.accounts.models import User
from apps.events.models import Event, EventPage
from apps.events.tenancy import Role, create_organisation
from apps.ticketing import clock, wizard
from apps.ticketing.event_templates import CONCERT
from apps.ticketing.models import EventDraft, Quota, TicketType
from apps.ticketing.wizard_forms import proposed_tickets
from tests.concurrency.forks import forked
from tests.tenancy.world import member

pytestmark = pytest.mark.django_db(transaction=True)


def press(draft_id: int, user_id: int, at: float) -> int:
    user = User.objects.get(pk=user_id)
    time.sleep(max(0, at - time.monotonic()))
    return wizard.finish(draft_id, user, publish=True).pk


def test_two_clicks_at_once_make_one_event() -> None:
    organisation = create_organisation("Festföreningen Lyktan")
    editor = member(organisation, Role.EDITOR)
    starts_at = f"{clock.now() + timedelta(days=30):%Y-%m-%dT18:00}"
    facts = {"title_sv": "Konsert", "title_en": "Concert", "starts_at": starts_at, "venue": "Aulan"}
    tickets = {**proposed_tickets(CONCERT), "rows-0-price_minor": "90", "rows-0-places": "50"}
    typed = {"facts": facts, CONCERT.slug: {"tickets": tickets}}
    draft = EventDraft.objects.create(
        organisation=organisation, template=CONCERT.slug, typed=typed, touched_at=clock.now()
    )
    at = time.monotonic() + 0.5

    with forked([partial(press, draft.pk, editor.pk, at) for _tab in range(2)]) as tabs:
        made = {tab.result() for tab in tabs}

    assert made == {Event.objects.get().pk}
    assert (TicketType.objects.count(), Quota.objects.count()) == (3, 3)
    assert [page.live for page in EventPage.objects.all()] == [True, True]
