"""An impatient organiser: the wizard's last button pressed in two tabs at the same moment."""

from __future__ import annotations

import time
from functools import partial

import pytest
from django.db import OperationalError

from apps.accounts.models import User
from apps.events.models import Event, EventPage
from apps.events.tenancy import Role, create_organisation
from apps.ticketing import wizard
from apps.ticketing.models import Quota, TicketType
from apps.ticketing.retries import is_passing
from tests import factories
from tests.concurrency.forks import forked
from tests.tenancy.world import member

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 10  # waits of three seconds


def press(draft_id: int, user_id: int, at: float) -> int:
    user = User.objects.get(pk=user_id)
    time.sleep(max(0, at - time.monotonic()))
    for _again in range(PATIENCE):
        try:
            return wizard.finish(draft_id, user, publish=True).pk
        except OperationalError as error:
            if not is_passing(error):
                raise  # a lock that was waited for too long: the organiser is told so, and presses once more
    raise AssertionError("The first click never ends.")


def test_two_clicks_at_once_make_one_event() -> None:
    organisation = create_organisation("Festföreningen Lyktan", legal_name="Festföreningen Lyktan")
    editor = member(organisation, Role.EDITOR)
    draft = factories.event_draft(organisation)
    at = time.monotonic() + 0.5

    with forked([partial(press, draft.pk, editor.pk, at) for _tab in range(2)]) as tabs:
        made = {tab.result() for tab in tabs}

    assert made == {Event.objects.get().pk}
    assert (TicketType.objects.count(), Quota.objects.count()) == (3, 3)
    assert [page.live for page in EventPage.objects.all()] == [True, True]
