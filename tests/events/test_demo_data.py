"""The demo's data: complete, in both languages, in every state, and the same however often it is made."""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from apps.accounts.models import User
from apps.events import listing, publishing, tenancy
from apps.events.models import Event, EventPage, Organisation, PlainPage
from apps.events.tenancy import Role
from apps.resale import market
from apps.ticketing import clock, invariants, refund_rule, refund_tasks
from apps.ticketing.models import Choice, Gift, Order
from tests import mould

pytestmark = pytest.mark.django_db


@pytest.fixture
def logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    target = tmp_path / "logins.json"
    monkeypatch.setenv("FOYER_DEMO_LOGINS", str(target))
    return json.loads(mould.cast(setup_demo))


def setup_demo() -> str:
    """The logins that it wrote, as JSON."""
    call_command("setup_demo", verbosity=0)
    return Path(os.environ["FOYER_DEMO_LOGINS"]).read_text(encoding="utf-8")


def test_demo_is_the_same_when_made_again(logins: list[dict[str, str]]) -> None:
    models = [
        model
        for label in ("accounts", "events", "ticketing", "checkin")
        for model in apps.get_app_config(label).get_models()
    ]
    before = {model: model._default_manager.count() for model in models}

    began = time.process_time()  # a busy machine is not our fault
    call_command("setup_demo", verbosity=0)

    assert {model: model._default_manager.count() for model in models} == before
    assert time.process_time() - began < 5


def test_demo_has_a_ticket_to_its_dinner_to_buy_second_hand(logins: list[dict[str, str]], client: Client) -> None:
    dinner = EventPage.objects.get(title__startswith="Luciasittning").event

    found = list(market.found(market.Asked(), clock.now()))

    listing = next(row for row in found if row.event_id == dinner.pk)
    address = reverse("resale:listing", args=[listing.public_id])
    answer = client.post(address, {"email": "new@example.org", "idempotency_key": uuid.uuid4().hex})
    assert (len(found) > 1, answer.status_code) == (True, 303)


def test_demo_has_a_members_ticket_that_costs_whom_it_is_offered_to_more(
    logins: list[dict[str, str]], client: Client
) -> None:
    gift = Gift.objects.get(to_email="vera@example.org")

    with override("en"):
        page = client.get(reverse("ticketing:gift", args=[gift.public_id, gift.secret]))

    assert page.context["terms"].pays_minor > 0
    assert "and take it" in page.content.decode()


def test_logins_are_written_and_work(
    logins: list[dict[str, str]], client: Client, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [login["role"] for login in logins] == [
        "organiser",
        "treasurer",
        "treasurer-2",
        "door",
        "buyer",
        "organiser-b",
        "superuser",
    ]
    for login in logins:
        assert login["url"].startswith(settings.SITE_URL + "/")
        assert EmailAddress.objects.get(email=login["email"]).verified
        response = client.post("/accounts/login/", {"login": login["email"], "password": login["password"]})
        if "treasurer" in login["role"]:
            call_command("totp", login["email"])
            response = client.post(response["Location"], {"code": capsys.readouterr().out.strip()})
        assert response.status_code == 302, login
        assert client.get(login["url"].removeprefix(settings.SITE_URL)).status_code == 200, login
        client.post("/accounts/logout/")


def test_gate_pass_opens_the_door_without_an_account(
    logins: list[dict[str, str]], client: Client, settings: Any
) -> None:
    (address,) = [login["gate_pass"] for login in logins if "gate_pass" in login]

    begun = client.post(address.removeprefix(settings.SITE_URL))
    door = client.get(begun["Location"])

    assert (begun.status_code, door.status_code, door.context["keeper_name"]) == (302, 200, "Robin")


def test_roles_are_those_of_their_logins(logins: list[dict[str, str]]) -> None:
    lyktan, sexsidan = (Organisation.objects.get(slug=slug) for slug in ("lyktan", "sexsidan"))
    person = {login["role"]: User.objects.get(email=login["email"]) for login in logins}

    assert tenancy.has_role(person["organiser"], lyktan, Role.EDITOR)
    assert tenancy.has_role(person["treasurer"], lyktan, Role.TREASURER)
    assert tenancy.has_role(person["door"], lyktan, Role.DOOR)
    assert tenancy.organisation_ids(person["buyer"]) == frozenset()
    assert tenancy.organisation_ids(person["organiser-b"]) == frozenset({sexsidan.pk})
    assert person["superuser"].is_superuser


def test_events_are_told_in_both_languages_and_stand_in_every_state(
    logins: list[dict[str, str]], client: Client
) -> None:
    at = clock.now()
    with override("en"):
        told = Event.objects.filter(pages__live=True).distinct()
        offers = listing.offers_of(list(told), at)
        states = {
            event.title_en.split(" 20")[0]: getattr(listing.standing_of(event, offers[event.pk], at), "level", None)
            for event in told
        }

    assert states == {
        "Lucia dinner": "success",
        "The Winter Ball": "info",
        "Songs by candlelight": "success",
        "Mulled wine with star boys": "success",
        "The crayfish party": "neutral",
        "Board games with the final": "success",
        "The Forgotten Wardrobe": "success",
        "The summer play": "neutral",
        "Icicles and chords": "success",
        "Autumn voices": "neutral",
        "Beginners' night": "success",
        "Winter gasque": "success",
        "The spring tournament": "success",
        "Games marathon": "neutral",
    }
    assert {(page.event_id, page.locale.language_code) for page in EventPage.objects.live()} == {
        (event.pk, language) for event in told for language in ("sv", "en")
    }
    for page in (*EventPage.objects.live(), *PlainPage.objects.all()):
        assert client.get(page.url).status_code == 200


def test_spring_concert_is_a_draft_with_two_things_to_mend(logins: list[dict[str, str]]) -> None:
    with override("en"):
        for page in EventPage.objects.filter(event__title_en="The spring concert"):
            assert not page.live
            assert [problem.sentence for problem in publishing.problems(page)] == [
                "“Standing” takes from no quota, so there is none to sell.",
                "“At a table” is sold at least 8 at a time, but the quota “Bordsplatser” has only 6.",
            ]


def test_lucia_dinner_sells_a_free_ticket_and_one_with_a_beverage(logins: list[dict[str, str]]) -> None:
    event = Event.objects.get(title_en__startswith="Lucia")

    assert [quota.size for quota in event.quotas.all()] == [40, 12]
    assert [(kind.name_en, kind.price_minor, kind.minimum_age) for kind in event.ticket_types.all()] == [
        ("Dinner", 25_000, 18),
        ("Helper", 0, None),
    ]
    assert list(Choice.objects.values_list("name_en", "delta_minor")) == [
        ("Beer", 0),
        ("Snaps", 3_000),
        ("Cider", 0),
        ("Alcohol-free", -1_000),
        ("Wine, half a bottle", 9_000),
    ]


def test_demo_has_an_order_to_give_back_and_a_refund_that_did_not_arrive(logins: list[dict[str, str]]) -> None:
    orders = {order.email: order for order in Order.objects.filter(event__title_en__startswith="Lucia")}
    mine, strangers = orders["buyer@example.org"], orders["sam@example.org"]

    offer = refund_rule.offer(mine, clock.now())
    assert (mine.state, offer.is_open, [part.fee_minor for part in offer.parts]) == ("paid", True, [2_500, 2_500])
    assert [(task.order, task.amount_minor) for task in refund_tasks.failed(Order.objects.all())] == [
        (strangers, 28_000)
    ]
    assert invariants.check() == []


def test_demo_data_is_refused_in_production(settings: Any) -> None:
    settings.IS_PRODUCTION = True

    with pytest.raises(CommandError, match="FOYER_ENV=demo"):
        call_command("setup_demo", verbosity=0)
