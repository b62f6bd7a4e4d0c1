"""A person's language: chosen here, remembered there."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from tests import factories


@pytest.fixture
def alva(db: None) -> User:
    user = factories.user(email="alva@example.org", password="a long password")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def sign_in(client: Client, **headers: str):
    return client.post(
        reverse("account_login"), {"login": "alva@example.org", "password": "a long password"}, **headers
    )


def test_first_sign_in_remembers_the_language_one_reads(client: Client, alva: User) -> None:
    sign_in(client, HTTP_ACCEPT_LANGUAGE="en")

    alva.refresh_from_db()
    assert alva.locale == "en"


def test_sign_in_on_a_new_device_speaks_the_account_s_language(client: Client, alva: User) -> None:
    alva.locale = "en"
    alva.save()

    answer = sign_in(client, HTTP_ACCEPT_LANGUAGE="sv")

    assert answer.cookies["language"].value == "en"
    assert '<html lang="en"' in client.get("/my/").content.decode()


def test_language_chosen_on_this_device_wins_and_is_remembered(client: Client, alva: User) -> None:
    alva.locale = "en"
    alva.save()
    client.cookies["language"] = "sv"

    answer = sign_in(client)

    alva.refresh_from_db()
    assert (alva.locale, "language" in answer.cookies) == ("sv", False)


def test_chooser_returns_to_the_page_and_the_account_remembers(client: Client, alva: User) -> None:
    client.force_login(alva)

    answer = client.post(reverse("set_language"), {"language": "en", "next": "/my/account/?tab=1"})

    alva.refresh_from_db()
    assert (answer["Location"], answer.cookies["language"].value, alva.locale) == ("/my/account/?tab=1", "en", "en")


@pytest.mark.parametrize("language", ["", "de", "../..", "sv-SE' --"])
def test_chooser_refuses_other_languages(client: Client, alva: User, language: str) -> None:
    client.force_login(alva)

    answer = client.post(reverse("set_language"), {"language": language, "next": "https://evil.example/"})

    alva.refresh_from_db()
    assert alva.locale == ""
    assert "evil" not in answer.headers.get("Location", "")


def test_chooser_takes_no_link(client: Client, db: None) -> None:
    assert client.get(reverse("set_language")).status_code == 405


def test_profile_saves_name_and_language(client: Client, alva: User) -> None:
    client.force_login(alva)

    answer = client.post("/my/account/", {"name": "  Alva   Ek ", "locale": "en"}, follow=True)

    alva.refresh_from_db()
    assert (alva.name, alva.locale) == ("Alva Ek", "en")
    assert "Saved." in answer.content.decode()


def test_profile_refuses_with_a_sentence_beside_the_field(client: Client, alva: User) -> None:
    client.force_login(alva)

    answer = client.post("/my/account/", {"name": "x" * 121, "locale": "tlh"})

    page = answer.content.decode()
    assert answer.status_code == 400
    assert page.count('class="field__error"') == 2
    assert 'aria-invalid="true"' in page and 'id="id_name_error"' in page
    alva.refresh_from_db()
    assert (alva.name, alva.locale) == ("", "")
