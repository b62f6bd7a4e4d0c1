"""An edit made in one process is seen in the others within a second: on the cached page, in the block, in the form."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.sessions.models import Session
from django.urls import reverse
from django.utils.translation import override

from apps.events import page_cache, tenancy
from apps.events.models import OrganisationPage
from apps.ticketing import reservations
from tests import factories
from tests.tenancy.world import page_of
from tests.ticketing.test_views_without_redis import site

pytestmark = pytest.mark.django_db(transaction=True)
SEEN_WITHIN_SECONDS = 1.0
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def read(address: str, **headers: str) -> tuple[str, Any]:
    with OPENER.open(urllib.request.Request(address, headers=headers), timeout=20) as answer:
        return answer.read().decode(), answer.headers


def test_an_edit_is_seen_by_another_process_within_a_second_and_a_visit_leaves_nothing() -> None:
    page_cache.begin_anew()
    seller = tenancy.create_organisation("Lyktan", legal_name="Lyktan")
    event = factories.event(organisation=seller, title_sv="Luciasittning", title_en="Lucia dinner")
    places = factories.quota(event, 20)
    kind = factories.ticket_type(event, places, name_sv="Sittning", price_minor=10_000)
    choice = factories.choice(factories.variation(kind), name_sv="Cider")
    body = [{"type": "tickets", "value": {"heading": "", "event": None}, "id": "a2"}]
    page = page_of(event, OrganisationPage.objects.get(pk=seller.root_page_id), body=body, title="Luciasittning")
    with override("sv"):
        form_path = reverse("ticketing:form", args=[event.public_id])

    def change(row: Any, **values: Any) -> Callable[[], None]:
        def save() -> None:
            for name, value in values.items():
                setattr(row, name, value)
            row.save()

        return save

    def publish() -> None:
        page.title = "Luciasittning i ny sal"
        page.save_revision().publish()

    with site(django_settings.REDIS_URL) as base:
        whole, form = base + page.url, base + form_path
        text, headers = read(whole)
        assert "100\u00a0kr" in text
        assert headers.get_all("Set-Cookie") is None and Session.objects.count() == 0
        read(form, **{"HX-Request": "true"})

        took = {}
        for name, edit, address, words in (
            ("price on the page", change(kind, price_minor=12_300), whole, "123\u00a0kr"),
            ("price in the block", change(kind, price_minor=12_400), form, "124\u00a0kr"),
            ("name in the block", change(kind, name_sv="Stor sittning"), form, "Stor sittning"),
            ("choice in the form", change(choice, name_sv="Päroncider"), form, "Päroncider"),
            ("venue on the page", change(event, venue="Fyren"), whole, "Fyren"),
            ("title on the page", publish, whole, "Luciasittning i ny sal"),
            ("no places on the page", lambda: reservations.resize(places, 0), whole, "schema.org/SoldOut"),
            ("places on the page", lambda: reservations.resize(places, 30), whole, "schema.org/InStock"),
        ):
            assert words not in read(address, **{"HX-Request": "true"})[0], name
            edit()
            begun = time.monotonic()
            while words not in read(address, **{"HX-Request": "true"})[0]:
                assert time.monotonic() - begun < 10, name
                time.sleep(0.05)
            took[name] = time.monotonic() - begun

    # The machine may be busy; what we promise is measured from the moment at which the answer was asked for.
    assert {name: seconds for name, seconds in took.items() if seconds > SEEN_WITHIN_SECONDS + 0.5} == {}
