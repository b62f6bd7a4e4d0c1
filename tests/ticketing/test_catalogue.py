"""The catalogue in memory: read anew when anything of it changed, whoever changed it and however."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from apps.events.models import Event
from apps.ticketing import catalogue, clock, draws, sale_control
from tests import factories

pytestmark = pytest.mark.django_db

# By bare SQL, as another process would: nobody tells this one.
CHANGES = {
    "the event": "UPDATE events_event SET max_per_person = 1",
    "a price": "UPDATE ticketing_tickettype SET price_minor = 1",
    "a type less": "UPDATE ticketing_tickettype SET is_published = false",
    "a question": "UPDATE ticketing_variation SET name_en = 'Snaps'",
    "an answer": "UPDATE ticketing_choice SET delta_minor = 7",
    "what a type draws on": "DELETE FROM ticketing_tickettype_quotas",
    "what an answer draws on": "DELETE FROM ticketing_choice_quotas",
    "what cannot be combined": "DELETE FROM ticketing_tickettype_conflicts_with",
    "the draw": "UPDATE ticketing_draw SET closes_at = closes_at + interval '1 hour'",
    "the sale": "UPDATE ticketing_salechange SET until = foyer_now()",
}


@pytest.fixture
def event() -> Event:
    """An event with one of everything that a catalogue is made of."""
    event = factories.event()
    quota = factories.quota(event)
    one = factories.ticket_type(event, quota)
    factories.ticket_type(event, quota, conflicts=(one,))
    factories.choice(factories.variation(one), quota)
    draws.set_up(event, clock.now() + timedelta(days=1))
    sale_control.end(event)
    return event


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change_by_anybody_is_seen_by_the_next_batch(event, change):
    before = catalogue.load(event.pk)
    with connection.cursor() as cursor:
        cursor.execute(change)
        assert cursor.rowcount > 0

    assert catalogue.load(event.pk, fresh=True) != before


def test_catalogue_that_did_not_change_is_asked_about_once_and_not_read(event, django_assert_num_queries):
    factories.ticket_type(other := factories.event(), factories.quota(other))
    before = catalogue.load(event.pk, fresh=True)

    with django_assert_num_queries(1):
        assert catalogue.load(event.pk, fresh=True) is before
