"""Whoever moves money shows a second step first; a password alone opens none of these desks."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import encrypt
from django.test import Client
from django.urls import reverse

from apps.ticketing.models import Refund
from tests import second_steps
from tests.accounts.test_second_step import code
from tests.tenancy.world import World, make_world, sell

pytestmark = pytest.mark.django_db
NOTHING = "Nothing was done."


@pytest.fixture
def world() -> World:
    return make_world("Lyktan")


@pytest.fixture
def one_step(world: World) -> Client:
    client = Client(headers={"accept-language": "en"})
    second_steps.sign_in_with_one_step(client, world.treasurer)
    return client


def desks(world: World) -> dict[str, tuple[str, str]]:
    """{what it is: (method, address)} of desks that anybody with the role may open."""
    order = reverse("order_desk:refund", args=[sell(world).public_id])
    account = reverse("transfer_account_desk:add")
    file = reverse("transfer_desk:bank_file")
    return {f"{verb} {at}": (verb, at) for at in (order, account, file) for verb in ("get", "post")}


def test_a_treasurer_with_a_password_alone_moves_no_money(world: World, one_step: Client) -> None:
    for method, address in desks(world).values():
        answer = getattr(one_step, method)(address, follow=True)

        assert answer.redirect_chain == [(reverse("accounts:profile"), 302)], address
        assert NOTHING in answer.content.decode()
    assert not Refund.objects.exists()


def test_a_treasurer_shows_the_second_step_once_and_comes_back(world: World, one_step: Client) -> None:
    data = {"secret": encrypt(second_steps.SECRET)}
    Authenticator.objects.create(user=world.treasurer, type=Authenticator.Type.TOTP, data=data)
    address = reverse("order_desk:refund", args=[sell(world).public_id])

    asked = one_step.post(address, {"what": "part"}, headers={"referer": f"http://testserver{address}"})
    page = one_step.get(asked["Location"]).content.decode()
    shown: Any = one_step.post(asked["Location"], {"code": code()})

    assert asked["Location"].startswith(reverse("mfa_reauthenticate"))
    assert urlsplit(parse_qs(urlsplit(asked["Location"]).query)["next"][0]).path == address
    assert NOTHING in page
    assert (shown.status_code, urlsplit(shown["Location"]).path) == (302, address)
    assert one_step.get(address).status_code == 200
    assert not Refund.objects.exists()


def test_a_desk_that_is_not_theirs_asks_nobody_for_anything(world: World) -> None:
    other = make_world("Skuggan")
    client = Client()
    second_steps.sign_in_with_one_step(client, other.treasurer)

    assert client.get(reverse("order_desk:refund", args=[sell(world).public_id])).status_code == 404
