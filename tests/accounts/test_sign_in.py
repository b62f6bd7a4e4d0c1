"""Signing up, signing in, coming back to where one was; with and without Redis; a campus behind one address."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from config import cache as forgiving
from django.core import mail
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from tests import factories

PASSWORD = "a long password"


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    """Limits are counted in the cache."""
    caches["default"].clear()
    yield
    caches["default"].clear()


@pytest.fixture
def alva(db: None) -> User:
    user = factories.user(email="alva@example.org", password=PASSWORD, name="Alva Ek")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def sign_in(client: Client, **values: Any):
    return client.post(reverse("account_login"), {"login": "alva@example.org", "password": PASSWORD, **values})


def test_sign_in_returns_to_the_page_one_left(client: Client, alva: User) -> None:
    page = client.get(reverse("account_login"), {"next": "/my/account/?from=here"})

    assert 'value="/my/account/?from=here"' in page.content.decode()
    assert sign_in(client, next="/my/account/?from=here").url == "/my/account/?from=here"


def test_sign_in_leads_to_my_pages_when_one_came_from_nowhere(client: Client, alva: User) -> None:
    assert sign_in(client).url == "/my/"


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "https:evil.example", "/\\evil.example"],
)
def test_sign_in_never_leads_elsewhere(client: Client, alva: User, target: str) -> None:
    assert sign_in(client, next=target).url == "/my/"


@pytest.mark.parametrize("target", ["http://[bad", "//[", "http://[::1", "//[x]"])
@pytest.mark.parametrize("name", ["account_login", "account_signup", "account_logout", "account_reset_password"])
def test_an_address_that_cannot_be_read_is_nowhere_to_return_to(
    client: Client, alva: User, name: str, target: str
) -> None:
    answers = [client.get(reverse(name), {"next": target})]
    client.force_login(alva)
    answers += [client.get(reverse(name), {"next": target}), client.post(reverse(name), {"next": target})]

    assert all(answer.status_code in (200, 302) and "[" not in answer.get("Location", "") for answer in answers)


@pytest.mark.parametrize("target", ["http://[bad", "//["])
def test_sign_in_works_with_an_address_that_cannot_be_read(client: Client, alva: User, target: str) -> None:
    assert sign_in(client, next=target).url == "/my/"
    assert Client().post(f"{reverse('account_login')}?next={target}", {"login": "x"}).status_code == 200


def test_sign_in_needs_the_right_password_and_says_so(client: Client, alva: User) -> None:
    answer = sign_in(client, password="wrong")

    assert answer.status_code == 200
    assert "alert--danger" in answer.content.decode()
    assert "_auth_user_id" not in client.session


def test_sign_up_by_code_keeps_where_one_came_from(client: Client, db: None) -> None:
    """The code is typed on the page one is on; then one is signed in and back."""
    answer = client.post(
        reverse("account_signup"),
        {"email": "New.Person@example.org", "password1": "quite-a-secret-9", "next": "/my/account/"},
    )
    (message,) = mail.outbox
    code = re.search(r"^ {4}(\S+)$", message.body, re.MULTILINE)
    assert code and message.to == ["new.person@example.org"]

    page = client.get(answer["Location"])
    done = client.post(answer["Location"], {"code": code[1]})

    assert page.status_code == 200
    assert done["Location"] == "/my/account/"
    assert client.get("/my/").status_code == 200
    assert EmailAddress.objects.get(email="new.person@example.org").verified


def test_sign_up_with_a_taken_address_tells_its_owner_only(client: Client, alva: User) -> None:
    taken = client.post(reverse("account_signup"), {"email": alva.email, "password1": "quite-a-secret-9"})
    fresh = Client().post(reverse("account_signup"), {"email": "free@example.org", "password1": "quite-a-secret-9"})

    assert (taken.status_code, taken["Location"]) == (fresh.status_code, fresh["Location"])
    assert User.objects.filter(email=alva.email).count() == 1
    assert [message.to for message in mail.outbox] == [[alva.email], ["free@example.org"]]


def test_password_reset_mails_a_link_that_works(client: Client, alva: User) -> None:
    client.post(reverse("account_reset_password"), {"email": alva.email})
    link = re.search(r"https?://\S+/password/reset/key/\S+", mail.outbox[0].body)
    assert link

    form = client.get(link[0], follow=True)
    saved = client.post(form.redirect_chain[-1][0], {"password1": "another-secret-7", "password2": "another-secret-7"})

    assert saved.status_code == 302
    alva.refresh_from_db()
    assert alva.check_password("another-secret-7")


def test_password_reset_does_not_say_who_has_an_account(client: Client, alva: User) -> None:
    known = client.post(reverse("account_reset_password"), {"email": alva.email})
    unknown = client.post(reverse("account_reset_password"), {"email": "nobody@example.org"})

    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])


def test_a_campus_behind_one_address_signs_in(alva: User) -> None:
    """Sixty people from one address within a minute, more than allauth's own limit of thirty, all get in."""
    statuses = [sign_in(Client()).status_code for _ in range(60)]

    assert statuses == [302] * 60


def test_visitors_behind_our_proxy_are_told_apart_and_cannot_pretend(settings, alva: User) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "login": "2/m/ip"}

    def status(forwarded: str) -> int:
        return sign_in(Client(HTTP_X_FORWARDED_FOR=forwarded)).status_code

    assert [status("192.0.2.1") for _ in range(3)] == [302, 302, 429]
    assert status("192.0.2.2") == 302
    assert status("192.0.2.9, 192.0.2.1") == 429  # what the visitor wrote stands left of what the proxy saw


def test_guessing_at_one_account_is_stopped_wherever_it_comes_from(alva: User) -> None:
    answers = [
        Client(REMOTE_ADDR=f"10.0.0.{number}").post(
            reverse("account_login"), {"login": alva.email, "password": f"guess {number}"}
        )
        for number in range(6)
    ]
    right = sign_in(Client(REMOTE_ADDR="10.0.1.1"))

    assert right.status_code == 200  # not even the right one, for five minutes
    assert right.content.decode() != answers[0].content.decode()
    other = factories.user(email="other@example.org", password=PASSWORD)
    EmailAddress.objects.create(user=other, email=other.email, verified=True, primary=True)
    assert Client().post(reverse("account_login"), {"login": other.email, "password": PASSWORD}).status_code == 302


class _Redis:
    """A cache that points to a Redis which is gone, or which listens and never answers."""

    def __init__(self, settings: Any, port: int) -> None:
        facts = settings.CACHES["default"]
        self.backend: BaseCache = forgiving.ForgivingRedisCache(
            f"redis://127.0.0.1:{port}/0", {"OPTIONS": facts["OPTIONS"], "KEY_PREFIX": "gone"}
        )


@pytest.mark.parametrize("way", ["refuses", "hangs"])
def test_sign_in_works_within_a_second_without_redis(alva: User, settings, monkeypatch, way: str) -> None:
    """The best of three, each just after the cache has forgotten that Redis is gone: the machine may be busy."""
    sign_in(Client())  # templates are compiled
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if way == "hangs":
            listener.listen(1)
        dead = _Redis(settings, listener.getsockname()[1]).backend
        monkeypatch.setattr(caches._connections, "default", dead)  # type: ignore[attr-defined]
        clients = [Client() for _ in range(3)]

        def seconds(ask: Callable[[], Any], status: int) -> float:
            monkeypatch.setattr(forgiving.ForgivingRedisCache, "_rests_until", 0.0)
            begun = time.monotonic()
            assert ask().status_code == status
            return time.monotonic() - begun

        assert min(seconds(partial(sign_in, client), 302) for client in clients) < 1
        assert min(seconds(partial(client.get, "/my/"), 200) for client in clients) < 1
