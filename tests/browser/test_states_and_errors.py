"""The ticket block's five states and the error pages, seen by phone and desk."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.translation import override

from apps.ticketing import catalogue, clock, event_face, queue
from tests import factories
from tests.browser.conftest import Opener, looks_right_everywhere

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh_faces() -> None:
    event_face.forget()


@pytest.mark.parametrize("state", ["not-open", "sold-out", "over", "sign-in"])
def test_a_state_of_the_ticket_block(open_tab: Opener, state: str) -> None:
    starts_at = clock.now() + timedelta(days=-2 if state == "over" else 20)
    event = factories.event(starts_at=starts_at, sign_in_required=state == "sign-in")
    values = {"sale_opens_at": clock.now() + timedelta(days=2, hours=4)} if state == "not-open" else {}
    kind = factories.ticket_type(event, factories.quota(event, 4), name_sv="Sittning med sexa", **values)
    if state == "sold-out":
        factories.order(event, factories.wanted(kind, 4))
        queue.drain(event.pk)
    catalogue.forget()
    with override("sv"):
        address = reverse("ticketing:form", args=[event.public_id])

    looks_right_everywhere(open_tab().goto(address), f"block-{state}")


def test_the_block_of_somebody_in_the_queue(open_tab: Opener) -> None:
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event, 4), name_sv="Sittning med sexa")
    for _ in range(3):
        factories.order(event, factories.wanted(kind))
    order = factories.order(event, factories.wanted(kind))
    with override("sv"):
        address = reverse("ticketing:form", args=[event.public_id])
    tab = open_tab()
    name, value = f"order-{event.public_id.hex}", f"{order.reference}.{order.secret}"
    tab.page.context.add_cookies([{"name": name, "value": value, "url": tab.base_url}])

    looks_right_everywhere(tab.goto(address), "block-queueing")
    queue.drain(event.pk)
    looks_right_everywhere(tab.goto(address), "block-your-turn")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        pytest.param("/sv/finns-inte/", "404", id="404"),
        pytest.param("/sv/orders/ABCDEFGH/" + "x" * 32 + "/", "404-order"),
    ],
)
def test_an_error_page(open_tab: Opener, address: str, name: str) -> None:
    looks_right_everywhere(open_tab().goto(address), f"error-{name}")
