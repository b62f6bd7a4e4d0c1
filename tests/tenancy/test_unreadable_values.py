"""Values that are no value: NUL in a query or a form, and ids that only look like numbers."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse
from wagtail.models import Page

from apps.accounts.models import User
from apps.events.models import LegalText
from tests import factories
from tests.tenancy.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(ours: World) -> dict[str, User]:
    return {"editor": ours.editor, "superuser": factories.user(is_staff=True, is_superuser=True)}


@pytest.mark.parametrize("who", ["editor", "superuser"])
@pytest.mark.parametrize(
    "address",
    [
        "/admin/api/main/pages/?search=%00",
        "/admin/api/main/pages/?child_of=root&%00=1",
        "/admin/choose-page/search/?q=a%00b",
        "/admin/images/?q=%00",
        "/admin/desk/?q=%00",
        "/accounts/login/?next=%00",
        "/en/?q=%00",
        "/en/?by=a&by=%00",
        "/webhooks/sandbox/?x=%00",
        "/en/nothing-here/?x=%00",
    ],
)
def test_nul_in_a_query_is_a_bad_request(client: Client, people: dict[str, User], who: str, address: str) -> None:
    client.force_login(people[who])

    response = client.get(address)

    assert response.status_code == 400
    assert "Content-Security-Policy" in response and response["X-Request-ID"] in response.content.decode()


@pytest.mark.parametrize("data", [{"login": "a\0@example.org", "password": "x"}, {"lo\0gin": "a", "password": "x"}])
@pytest.mark.parametrize("content", ["multipart", "urlencoded"])
def test_nul_in_a_form_of_others_is_a_bad_request(client: Client, data: dict[str, str], content: str) -> None:
    values: dict[str, Any] = {"data": data}
    if content == "urlencoded":
        values = {"data": urlencode(data), "content_type": "application/x-www-form-urlencoded"}

    for name in ("account_login", "wagtailadmin_login"):
        assert client.post(reverse(name), **values).status_code == 400


def test_nul_in_the_buyers_form_is_left_to_the_form(client: Client, ours: World) -> None:
    response = client.post(reverse("ticketing:form", args=[ours.event.public_id]), {"email": "a\0b@example.org"})

    assert response.status_code == 409  # nothing was chosen: the form's own answer, with what was written
    assert 'name="email"' in response.content.decode()


def test_a_notice_to_the_inbox_is_not_read_by_the_way(client: Client) -> None:
    """What the bank sends is judged by its signature, whatever stands in it."""
    assert client.post("/webhooks/sandbox/", {"a": "\0"}).status_code != 500


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("²", id="superscript"),
        pytest.param("٣", id="another script's digit"),
        pytest.param("9" * 5000, id="longer than int reads"),
        pytest.param("9" * 19, id="longer than the column"),
        pytest.param("9" * 18, id="no such page"),
        pytest.param("1\n", id="line after it"),
        pytest.param("-1", id="negative"),
        pytest.param("", id="nothing"),
    ],
)
def test_id_that_is_no_number_is_nobodys(client: Client, ours: World, value: str) -> None:
    client.force_login(ours.editor)

    for method in (client.get, client.post):
        response = method("/admin/bulk/wagtailcore/page/delete/", {"next": "/admin/", "id": value})
        assert response.status_code == 404


@pytest.mark.parametrize(
    "posted", ["", "no JSON", "null", "[]", "{}", "7", '{"blocks": 5}', '{"blocks": [{"text": 1}], "entityMap": {}}']
)
def test_text_that_no_editor_sends_is_an_empty_one(client: Client, ours: World, posted: str) -> None:
    client.force_login(ours.editor)
    row = LegalText.objects.get(organisation=ours.organisation, kind="terms")
    row.text_sv = "<p>Ours</p>"
    row.save()
    page = Page.objects.get(pk=ours.root.pk)
    address = reverse("wagtailadmin_pages:edit", args=[page.pk])

    saved = client.post(reverse("legal_desk:edit", args=[row.public_id]), {"text_sv": posted, "text_en": posted})
    shown = client.post(address, {"title": "T", "slug": page.slug, "introduction": posted}, follow=True)

    row.refresh_from_db()
    assert (saved.status_code, shown.status_code, row.text_sv) == (302, 200, "")
