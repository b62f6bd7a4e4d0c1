"""My pages: every app's panel, none of which can take the page with it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.utils.safestring import mark_safe

from apps.accounts.extensions import my_page_panels
from apps.accounts.models import User
from tests import factories


class Panel:
    heading = "A panel"

    def __init__(self, slug: str, answer: Any) -> None:
        self.slug, self.answer = slug, answer

    def render(self, request: HttpRequest, user: User) -> str:
        if isinstance(self.answer, Exception):
            raise self.answer
        if callable(self.answer):
            return self.answer(user)
        return self.answer


@pytest.fixture
def alva(db: None) -> User:
    return factories.user(name="Alva Ek")


def test_my_pages_send_a_stranger_to_sign_in_and_back(client: Client, db: None) -> None:
    answer = client.get("/my/")

    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/my/")


def test_my_pages_show_each_panel_and_leave_out_empty_ones(client: Client, alva: User) -> None:
    client.force_login(alva)

    with (
        my_page_panels.temporarily(Panel("one", mark_safe("<p>of one</p>"))),
        my_page_panels.temporarily(Panel("none", "")),
        my_page_panels.temporarily(Panel("rash", "<script>alert(1)</script>")),
    ):
        page = client.get("/my/").content.decode()

    assert "<p>of one</p>" in page
    assert 'id="panel-one"' in page and 'id="panel-none"' not in page
    assert "<script>alert" not in page  # what is not declared safe is escaped


def test_my_account_says_what_is_kept_of_an_account(client: Client, alva: User) -> None:
    client.force_login(alva)

    page = client.get("/my/account/", headers={"accept-language": "en"}).content.decode()

    assert "With an account we keep your name, your e-mail address and how you sign in" in page


def test_panel_that_raises_fails_alone(client: Client, alva: User, caplog: pytest.LogCaptureFixture) -> None:
    client.force_login(alva)

    with (
        my_page_panels.temporarily(Panel("broken", RuntimeError("out of luck"))),
        my_page_panels.temporarily(Panel("after", mark_safe("<p>still here</p>"))),
        caplog.at_level(logging.ERROR),
    ):
        answer = client.get("/my/")

    page = answer.content.decode()
    assert answer.status_code == 200
    assert "<p>still here</p>" in page and "out of luck" not in page
    assert 'id="panel-broken"' in page and "alert--warning" in page
    (record,) = [record for record in caplog.records if record.name == "apps.accounts.views"]
    assert "broken" in record.getMessage() and "out of luck" in str(record.exc_info)


@pytest.mark.django_db(transaction=True)
def test_panel_with_a_failing_query_fails_alone(client: Client) -> None:
    client.force_login(factories.user())

    def bad_query(user: User) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM nowhere")
        return ""

    with (
        my_page_panels.temporarily(Panel("broken", bad_query)),
        my_page_panels.temporarily(Panel("after", lambda user: str(User.objects.count()))),
    ):
        answer = client.get("/my/")

    assert answer.status_code == 200
    assert 'id="panel-after"' in answer.content.decode()


@pytest.mark.parametrize("address", ["/my/", "/my/account/"])
def test_my_pages_are_kept_by_nobody(client: Client, alva: User, address: str) -> None:
    client.force_login(alva)

    assert "no-store" in client.get(address).headers["Cache-Control"]
