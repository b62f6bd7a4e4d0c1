"""The desk for moving an event, through its page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.ticketing import clock
from tests.tenancy.world import World, sell

pytestmark = pytest.mark.django_db


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
