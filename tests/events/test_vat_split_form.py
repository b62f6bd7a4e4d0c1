"""An organiser splits a ticket's price between VAT rates, in words, and sees what was meant."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.ticketing.models import TicketType
from tests.events.test_desk import add_address, type_form
from tests.tenancy.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(ours: World, client: Client) -> Client:
    client.force_login(ours.editor)
    return client


def test_a_split_is_kept_and_shown_again(editor: Client, ours: World) -> None:
    split = {"vat_amount_1": "100", "vat_rate_1": "6", "vat_amount_2": "20,50", "vat_rate_2": "0"}

    editor.post(add_address(ours.event), type_form(ours.quota, **split))

    kind = TicketType.objects.get(name_en="Dinner")
    assert kind.vat_split == [["6.00", 10_000], ["0.00", 2_050]]
    address = reverse("ticket_type_desk:edit", args=[kind.public_id])
    page = editor.get(address).content.decode()
    assert 'value="20,50"' in page
    assert page.count('<option value="6" selected>') == page.count('<option value="0" selected>') == 1

    editor.post(address, type_form(ours.quota))
    kind.refresh_from_db()
    assert kind.vat_split == []


@pytest.mark.parametrize(
    ("split", "field", "sentence"),
    [
        ({"vat_amount_1": "300", "vat_rate_1": "6"}, "vat_amount_1", "The parts are more than the whole price."),
        ({"vat_amount_1": "100"}, "vat_rate_1", "Choose the VAT of this part, or leave its amount empty."),
        ({"vat_rate_2": "6"}, "vat_amount_2", "Write how much of the price is taxed so, or choose no VAT here."),
        (
            {"vat_amount_1": "100", "vat_rate_1": "12"},
            "vat_rate_1",
            "This rate is there already: add the amounts up instead.",
        ),
        (
            {"vat_amount_1": "9", "vat_rate_1": "6", "vat_amount_2": "9", "vat_rate_2": "6"},
            "vat_rate_2",
            "This rate is there already: add the amounts up instead.",
        ),
        (
            {"vat_amount_1": "much", "vat_rate_1": "6"},
            "vat_amount_1",
            "Write the amount in figures, such as 250 or 249,50.",
        ),
    ],
    ids=["more than the price", "no rate", "no amount", "the ticket's own rate", "twice the same", "no figure"],
)
def test_what_does_not_add_up_is_said_beside_the_field(
    editor: Client, ours: World, split: dict[str, str], field: str, sentence: str
) -> None:
    response = editor.post(add_address(ours.event), type_form(ours.quota, **split), headers={"accept-language": "en"})

    assert response.status_code == 200
    assert response.context["form"].errors[field] == [sentence]
    assert not TicketType.objects.filter(name_en="Dinner").exists()


def test_an_association_that_pays_no_vat_is_asked_for_none(editor: Client, ours: World) -> None:
    ours.organisation.is_outside_vat = True
    ours.organisation.save()

    page = editor.get(add_address(ours.event)).content.decode()
    editor.post(add_address(ours.event), type_form(ours.quota))

    assert "vat_" not in page
    assert TicketType.objects.get(name_en="Dinner").vat_percent == 0
