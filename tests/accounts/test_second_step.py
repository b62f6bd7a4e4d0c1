"""The code from an app: set up, asked for at sign-in, and good for one thing once, with Redis or without."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import encrypt
from django.core import mail
from django.core.cache import caches
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.accounts import second_step
from apps.accounts.models import User
from tests import factories

PASSWORD = "a long password"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    caches["default"].clear()


@pytest.fixture
def bo(db: None) -> User:
    user = factories.user(email="bo@example.org", password=PASSWORD, name="Bo Berg")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def with_app(user: User) -> Authenticator:
    return Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": encrypt(SECRET)})


def code(*, ahead: int = 0, secret: str = SECRET) -> str:
    return second_step.code_at(secret, int(time.time()) // second_step.STEP_SECONDS + ahead)


def wrong() -> str:
    """A code of no step that counts now."""
    taken = {code(ahead=offset) for offset in range(-3, 4)}
    return next(text for text in ("000000", "111111", "222222", "333333", "444444", "555555", "666666", "777777")
                if text not in taken)  # fmt: skip


def test_codes_are_those_of_the_standard() -> None:
    """RFC 4226, appendix D."""
    codes = [second_step.code_at("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", step) for step in range(10)]

    assert codes == [
        "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489",
    ]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_person_sets_it_up_and_signs_in_with_it(bo: User, client: Client) -> None:
    client.post(reverse("account_login"), {"login": bo.email, "password": PASSWORD})
    assert "av</small>" in client.get("/my/account/").content.decode()
    again = client.get(reverse("mfa_activate_totp"))["Location"]
    page = client.post(again, {"password": PASSWORD}, follow=True).content.decode()
    found = re.search(r'id="authenticator_secret"[^>]*value="([A-Z2-7]+)"', page)
    assert found, page
    refused = client.post(reverse("mfa_activate_totp"), {"code": "12345"})

    done = client.post(reverse("mfa_activate_totp"), {"code": code(secret=found[1])})

    assert refused.status_code == 200 and not re.search("Incorrect", refused.content.decode())
    assert done["Location"] == reverse("mfa_view_recovery_codes")
    recovery = re.findall(r"\b\d{8}\b", client.get(done["Location"]).content.decode())
    kept = Authenticator.objects.get(user=bo, type=Authenticator.Type.TOTP)
    assert len(recovery) == 10
    assert kept.data["secret"].startswith("enc1.") and found[1] not in str(kept.data)
    assert [message.subject for message in mail.outbox] == ["Det andra steget är på"]

    caches["default"].clear()
    phone = Client()
    asked = phone.post(reverse("account_login"), {"login": bo.email, "password": PASSWORD})
    assert asked["Location"] == reverse("mfa_authenticate")
    assert "mfa_webauthn_authenticate" in phone.get(asked["Location"]).content.decode()
    no = phone.post(asked["Location"], {"code": "12345"})
    assert "Den koden stämmer inte" in no.content.decode()
    assert phone.post(asked["Location"], {"code": recovery[0]})["Location"] == "/my/"
    assert "på</small>" in phone.get("/my/account/").content.decode()


def test_code_opens_one_thing_once_at_sign_in_too(bo: User, client: Client) -> None:
    with_app(bo)
    at_sign_in = code()
    client.post(reverse("account_login"), {"login": bo.email, "password": PASSWORD})

    assert client.post(reverse("mfa_authenticate"), {"code": at_sign_in})["Location"] == "/my/"
    assert not second_step.confirmed(bo, at_sign_in)
    later = code(ahead=1)
    assert second_step.confirmed(bo, f" {later[:3]} {later[3:]} ")
    assert not second_step.confirmed(bo, later)
    assert not second_step.confirmed(bo, at_sign_in), "a code older than a used one is over"


def test_without_redis_a_code_still_opens_one_thing_once(bo: User) -> None:
    kept = with_app(bo)
    now = code()

    # allauth's own memory of used codes is the cache: this is what `confirmed` is for.
    assert kept.wrap().validate_code(now)
    caches["default"].clear()
    assert kept.wrap().validate_code(now)

    assert second_step.confirmed(bo, now)
    caches["default"].clear()
    assert not second_step.confirmed(bo, now)


@pytest.mark.django_db(transaction=True)
def test_one_code_sent_by_many_at_once_opens_once() -> None:
    bo = factories.user()
    with_app(bo)
    now, barrier = code(), Barrier(8)

    def press(_number: int) -> bool:
        try:
            barrier.wait(30)
            return second_step.confirmed(bo, now)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(press, range(8)))

    assert sorted(answers) == [False] * 7 + [True]


def test_five_wrong_ones_close_it_for_five_minutes(bo: User, monkeypatch: pytest.MonkeyPatch) -> None:
    with_app(bo)
    nobody = factories.user()

    assert [second_step.confirmed(bo, wrong()) for _ in range(5)] == [False] * 5
    assert not second_step.confirmed(bo, code())
    assert not second_step.confirmed(nobody, code())
    later = time.time() + second_step.WRONG_WITHIN_SECONDS + 1
    monkeypatch.setattr(second_step.time, "time", lambda: later)

    assert second_step.confirmed(bo, second_step.code_at(SECRET, int(later) // second_step.STEP_SECONDS))


def test_demo_tells_a_code_that_was_not_used(bo: User, capsys: pytest.CaptureFixture[str], settings) -> None:
    with_app(bo)

    def told() -> str:
        call_command("totp", "Bo@example.org")
        return capsys.readouterr().out.strip()

    first = told()
    assert second_step.confirmed(bo, first)
    assert second_step.confirmed(bo, told())
    with pytest.raises(CommandError, match="has no second step"):
        call_command("totp", "alva@example.org")
    settings.IS_PRODUCTION = True
    with pytest.raises(CommandError, match="this command is for demos"):
        call_command("totp", "bo@example.org")
