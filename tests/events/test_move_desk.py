"""The desk for moving an event, through its page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.events.models import Event
from apps.ticketing import clock
from tests.tenancy.world import World, sell

pytestmark = pytest.mark.django_db


def facts_of(client: Client, event: Event) -> dict[str, Any]:
    """What the form of the facts shows, as a browser sends it."""
    form = client.get(reverse("event_desk:edit", args=[event.public_id])).context["form"]
    return {one.name: one.value() or "" for one in form} | {
        name: getattr(event, name).astimezone(event.zone).strftime("%Y-%m-%d %H:%M")
        for name in ("starts_at", "ends_at", "doors_at")
        if getattr(event, name)
    }


@pytest.mark.parametrize("field", ["starts_at", "ends_at", "venue", "venue_address"])
def test_what_tickets_are_sold_for_is_moved_and_not_edited(ours: World, client: Client, field: str) -> None:
    Event.objects.filter(pk=ours.event.pk).update(venue="Gasquen", venue_address="Campusvägen 1")
    ours.event.refresh_from_db()
    client.force_login(ours.editor)
    address = reverse("event_desk:edit", args=[ours.event.public_id])
    other = ours.event.ends_at + timedelta(hours=1 if field == "ends_at" else -1)
    new = other.astimezone(ours.event.zone).strftime("%Y-%m-%d %H:%M") if field.endswith("_at") else "Nya salen"
    facts = facts_of(client, ours.event)
    before = client.post(address, facts | {field: new})
    ours.event.save()  # as it was
    sell(ours)

    refused = client.post(address, facts | {field: new})
    same = client.post(address, facts | {"doors_at": facts["starts_at"], "title_sv": "Vinterbalen"})

    assert (before.status_code, refused.status_code, same.status_code) == (302, 200, 302)
    assert list(refused.context["form"].errors) == [field]
    assert reverse("move_desk:event", args=[ours.event.public_id]) in str(refused.context["form"].errors)
    ours.event.refresh_from_db()
    assert facts_of(client, ours.event)[field] == facts[field]
    assert (ours.event.title_sv, ours.event.moved_at) == ("Vinterbalen", None)


def test_currency_stays_once_somebody_has_ordered(ours: World, client: Client) -> None:
    client.force_login(ours.editor)
    address = reverse("event_desk:edit", args=[ours.event.public_id])
    facts = facts_of(client, ours.event)
    free = [client.post(address, facts | {"currency": currency}).status_code for currency in ("EUR", "SEK")]
    sell(ours)

    refused = client.post(address, facts | {"currency": "EUR"})

    assert (free, refused.status_code, list(refused.context["form"].errors)) == ([302, 302], 200, ["currency"])
    ours.event.refresh_from_db()
    assert ours.event.currency == "SEK"


def test_desk_moves_counts_and_every_page_says_so(
    ours: World, client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    sell(ours)
    client.force_login(ours.editor)
    address = reverse("move_desk:event", args=[ours.event.public_id])
    assert address in client.get(reverse("event_desk:edit", args=[ours.event.public_id])).content.decode()

    def written(moment: datetime) -> str:
        return moment.astimezone(ours.event.zone).strftime("%Y-%m-%d %H:%M")

    new = ours.event.starts_at + timedelta(days=7)
    form = {
        "starts_at": written(new),
        "ends_at": written(new + timedelta(hours=4)),
        "venue": "Nya salen",
        "answer_by": written(clock.now() + timedelta(days=5)),
        "say_sv": "Lokalen är översvämmad.",
    }
    wrong = client.post(address, {**form, "answer_by": written(clock.now())})
    assert (wrong.status_code, list(wrong.context["form"].errors)) == (400, ["answer_by"])
    assert client.post(address, {}).status_code == 400

    with django_capture_on_commit_callbacks(execute=True):
        assert client.post(address, form).status_code == 302

    ours.event.refresh_from_db()
    assert written(ours.event.starts_at) == form["starts_at"]
    shown = client.get(address).content.decode()
    assert "Nya salen" in shown and ours.editor.name in shown
    public = Client().get(ours.page.url).content.decode()
    assert "EventRescheduled" in public and "previousStartDate" in public and "Evenemanget flyttas" in public
