"""Whoever goes to sign in from the ticket form comes back to it with what they chose."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.cache import caches
from django.test import Client
from django.urls import reverse

from apps.ticketing import kept_choices
from apps.ticketing.models import Order
from tests import factories

pytestmark = pytest.mark.django_db

PASSWORD = "a long password"


@pytest.fixture
def world() -> Any:
    caches["default"].clear()
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event), needs_name=True)
    variation = factories.variation(kind, name_sv="Dryck")
    beer, cider = factories.choice(variation, name_sv="Öl"), factories.choice(variation, name_sv="Cider")
    user = factories.user(email="alva@example.org", password=PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    form = reverse("ticketing:form", args=[event.public_id])
    chosen = {
        f"type-{kind.public_id}": "2",
        f"choice-{kind.public_id}-1-{variation.public_id}": str(cider.public_id),
        f"choice-{kind.public_id}-2-{variation.public_id}": str(beer.public_id),
        f"guest-{kind.public_id}-1": "Gäst Gästsson",
        "token": "code:LINTEK24",
        "email": "guest@example.org",
        "idempotency_key": "k" * 20,
        "sign_in": "1",
    }
    return {"form": form, "chosen": chosen, "kind": kind, "user": user, "event": event, "cider": cider}


def filled(page: str) -> dict[str, str]:
    """What the form holds: fields of text and numbers, and chosen radio buttons."""
    found = {}
    for tag in re.findall(r"<input[^>]*>", page):
        name, value = re.search(r'\bname="([^"]+)"', tag), re.search(r'\bvalue="([^"]*)"', tag)
        if name and value and ('type="radio"' not in tag or " checked" in tag) and "__n__" not in name[1]:
            found[name[1]] = value[1]
    return found


def leave(client: Client, world: Any, query: str = "") -> str:
    answer = client.post(world["form"] + query, world["chosen"])
    assert answer.status_code == 303 and not Order.objects.exists()
    parts = urlsplit(answer["Location"])
    assert parts.path == reverse("account_login")
    return parse_qs(parts.query)["next"][0]


def test_choices_come_back_after_a_password(client: Client, world: Any) -> None:
    back = leave(client, world, "?link=s3cret")
    answer = client.post(reverse("account_login"), {"login": "alva@example.org", "password": PASSWORD, "next": back})

    assert answer["Location"] == back == f"{world['form']}?link=s3cret&kept=1"
    page = client.get(back).content.decode()
    held = filled(page)
    kept = {name: value for name, value in world["chosen"].items() if name.startswith(("type-", "choice-", "guest-"))}
    assert {name: held.get(name) for name in kept} == kept
    assert held["email"] == "alva@example.org" and held["idempotency_key"] != "k" * 20
    assert "data-filled" in page and 'name="sign_in"' not in page
    assert "Gäst" not in back


def test_choices_come_back_after_a_code_by_mail(client: Client, world: Any) -> None:
    back = leave(client, world)
    login = client.get(reverse("account_login"), {"next": back}).content.decode()
    assert "/accounts/login/code/" in login
    asked = client.post(reverse("account_request_login_code"), {"email": "alva@example.org", "next": back})
    code = re.search(r"^ {4}(\S+)$", mail.outbox[0].body, re.MULTILINE)
    assert code and asked.status_code == 302
    confirm = client.get(asked["Location"])
    assert 'name="next"' in confirm.content.decode()

    done = client.post(asked["Location"], {"code": code[1], "next": back})

    assert done["Location"] == back
    assert filled(client.get(back).content.decode())[f"type-{world['kind'].public_id}"] == "2"


def test_what_is_kept_is_for_this_event_this_person_and_an_hour(client: Client, world: Any, monkeypatch: Any) -> None:
    back = leave(client, world)
    other = factories.event()
    factories.ticket_type(other, factories.quota(other))
    name = f"type-{world['kind'].public_id}"

    assert filled(client.get(back).content.decode())[name] == "2"
    assert filled(client.get(world["form"]).content.decode())[name] == "0"
    assert filled(Client().get(back).content.decode())[name] == "0"
    assert (
        "data-filled" not in client.get(reverse("ticketing:form", args=[other.public_id]) + "?kept=1").content.decode()
    )
    monkeypatch.setattr(kept_choices, "KEPT_SECONDS", -1)
    assert filled(client.get(back).content.decode())[name] == "0"


@pytest.mark.parametrize("junk", [{"type-x": "9" * 5000}, {f"type-{n}": "1" for n in range(900)}, {"kept": "\u0000"}])
def test_whatever_is_sent_is_kept_within_bounds(client: Client, world: Any, junk: dict[str, str]) -> None:
    answer = client.post(world["form"], {**junk, "sign_in": "1"})

    assert answer.status_code == 303
    assert len(client.session[kept_choices.STORE]["chosen"]) < 300 * 250
    assert client.get(f"{world['form']}?kept=1").status_code == 200


def test_somebody_who_is_signed_in_orders(client: Client, world: Any) -> None:
    """In another tab they signed in meanwhile: the button then sends what they chose."""
    client.force_login(world["user"])

    answer = client.post(world["form"], {**world["chosen"], f"guest-{world['kind'].public_id}-2": "Bo"})

    assert answer.status_code == 303 and Order.objects.get().user == world["user"]
