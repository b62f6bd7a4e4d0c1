"""The organiser's desk: an event, its places, its tickets with their choices, and the treasurer's orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.events.models import Event
from apps.ticketing import queue
from apps.ticketing.models import Choice, Order, Question, Quota, TicketType, Variation
from tests import factories
from tests.tenancy.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(ours: World, client: Client) -> Client:
    client.force_login(ours.editor)
    return client


@pytest.fixture
def treasurer(ours: World, client: Client) -> Client:
    client.force_login(ours.treasurer)
    return client


def text_of(response: Any) -> str:
    return BeautifulSoup(response.content, "html.parser").get_text(" ", strip=True)


# --- Events --------------------------------------------------------------------------------------------------------

EVENT = {
    "title_sv": "Vårbalen",
    "title_en": "",
    "starts_at": "2027-04-10 18:00",
    "ends_at": "2027-04-11 02:00",
    "doors_at": "",
    "time_zone": "Europe/Stockholm",
    "venue": "Kårhuset",
    "venue_address": "",
    "currency": "SEK",
    "max_per_person": "",
}


def test_editor_creates_an_event_of_her_own_organisation(editor: Client, ours: World) -> None:
    response = editor.post(reverse("event_desk:add"), {**EVENT, "organisation": ours.organisation.pk})

    event = Event.objects.get(title_sv="Vårbalen")
    assert (response.status_code, response["Location"]) == (302, reverse("event_desk:edit", args=[event.public_id]))
    assert event.organisation == ours.organisation
    assert event.starts_at.isoformat() == "2027-04-10T16:00:00+00:00"


def test_desk_says_where_a_limit_is_set_what_alone_makes_it_hard(editor: Client, ours: World) -> None:
    event = editor.get(reverse("event_desk:edit", args=[ours.event.public_id])).content.decode()
    kind = editor.get(reverse("ticket_type_desk:edit", args=[ours.kind.public_id])).content.decode()

    assert "Whoever has several addresses gets round it, unless buyers must sign in." in event
    assert "It does not stop somebody who takes the trouble" in event
    assert "Only where buyers must sign in is it hard" in kind


def test_editor_of_one_organisation_is_not_asked_which(editor: Client, ours: World) -> None:
    assert "organisation" not in editor.get(reverse("event_desk:add")).context["form"].fields


def test_only_places_are_proposed_for_a_new_ticket(editor: Client, ours: World) -> None:
    assert editor.get(add_address(ours.event)).context["form"].initial["quotas"] == [ours.quota]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"title_sv": ""}, "a title in at least one language", id="no-title"),
        pytest.param({"ends_at": "2027-04-10 17:00"}, "must end after it starts", id="ends-first"),
        pytest.param({"time_zone": "Europe/Lyktan"}, "is not a time zone", id="no-such-zone"),
        pytest.param({"starts_at": ""}, "required", id="no-start"),
    ],
)
def test_impossible_event_is_refused_beside_the_field(
    editor: Client, ours: World, changes: dict[str, str], sentence: str
) -> None:
    data = {**EVENT, "organisation": ours.organisation.pk, **changes}
    response = editor.post(reverse("event_desk:add"), data)

    assert response.status_code == 200
    assert sentence in text_of(response)
    assert Event.objects.filter(organisation=ours.organisation).count() == 1


def test_event_with_pages_and_tickets_cannot_be_deleted_and_says_why(editor: Client, ours: World) -> None:
    address = reverse("event_desk:delete", args=[ours.event.public_id])
    response = editor.post(address, follow=True)

    assert "This event cannot be deleted" in text_of(response)
    assert Event.objects.filter(pk=ours.event.pk).exists()


def test_event_that_nothing_hangs_on_can_be_deleted(editor: Client, ours: World) -> None:
    event = factories.event(organisation=ours.organisation)

    editor.post(reverse("event_desk:delete", args=[event.public_id]))

    assert not Event.objects.filter(pk=event.pk).exists()


def test_event_shows_its_places_tickets_and_pages(editor: Client, ours: World) -> None:
    content = text_of(editor.get(reverse("event_desk:edit", args=[ours.event.public_id])))

    assert "Platser Lyktan" in content and "Ticket Lyktan" in content
    assert "Beverage Lyktan" in content and "Cider Lyktan" in content
    assert "Create the page" in content  # in English, where there is none yet


def test_list_of_events_costs_the_same_queries_for_one_and_three(editor: Client, ours: World) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            editor.get(reverse("event_desk:index"))
        return len(queries)

    count()
    with_one = count()
    for _number in range(2):
        factories.event(organisation=ours.organisation)

    assert count() == with_one


# --- Places --------------------------------------------------------------------------------------------------------


def test_editor_adds_places_to_an_event(editor: Client, ours: World) -> None:
    response = editor.post(
        f"{reverse('quota_desk:add')}?event={ours.event.public_id}", {"name": "Balkong", "size": "12"}
    )

    assert response["Location"] == reverse("event_desk:edit", args=[ours.event.public_id])
    assert Quota.objects.get(event=ours.event, name="Balkong").size == 12


def test_quota_is_raised_and_lowered_and_wakes_those_who_wait(editor: Client, ours: World) -> None:
    Quota.objects.filter(pk=ours.quota.pk).update(taken=4)
    address = reverse("quota_desk:edit", args=[ours.quota.public_id])

    editor.post(address, {"name": "Salen", "size": "20"})
    editor.post(address, {"name": "Salen", "size": "4"})

    ours.quota.refresh_from_db()
    assert (ours.quota.name, ours.quota.size, ours.quota.taken, ours.quota.returns) == ("Salen", 4, 4, 2)


def test_quota_is_not_lowered_below_what_is_taken_and_says_so(editor: Client, ours: World) -> None:
    Quota.objects.filter(pk=ours.quota.pk).update(taken=3, set_aside=1)
    response = editor.post(reverse("quota_desk:edit", args=[ours.quota.public_id]), {"name": "Salen", "size": "3"})

    ours.quota.refresh_from_db()
    assert response.status_code == 200
    assert "4 places are sold or held, so the quota cannot be smaller." in text_of(response)
    assert (ours.quota.name, ours.quota.size, ours.quota.taken) == ("Platser Lyktan", 10, 3)


def test_saving_a_quota_never_writes_what_is_taken(
    editor: Client, ours: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = reverse("quota_desk:edit", args=[ours.quota.public_id])

    with CaptureQueriesContext(connection) as queries:
        editor.post(address, {"name": "Salen", "size": "11"})

    writes = [query["sql"] for query in queries if query["sql"].startswith('UPDATE "ticketing_quota"')]
    assert len(writes) == 2
    assert not any('"taken" =' in sql.split("WHERE")[0] for sql in writes)


@pytest.mark.parametrize("size", ["-1", "many", "", "99999999999"])
def test_impossible_number_of_places_is_refused(editor: Client, ours: World, size: str) -> None:
    response = editor.post(reverse("quota_desk:edit", args=[ours.quota.public_id]), {"name": "Salen", "size": size})

    ours.quota.refresh_from_db()
    assert response.status_code == 200
    assert response.context["form"].errors["size"]
    assert ours.quota.size == 10


def test_quota_that_tickets_take_from_cannot_be_deleted(editor: Client, ours: World) -> None:
    response = editor.post(reverse("quota_desk:delete", args=[ours.quota.public_id]), follow=True)

    assert "tickets take their places from it" in text_of(response)
    assert list(ours.kind.quotas.all()) == [ours.quota]


def test_quota_that_nothing_takes_from_can_be_deleted(editor: Client, ours: World) -> None:
    spare = factories.quota(ours.event)

    editor.post(reverse("quota_desk:delete", args=[spare.public_id]))

    assert not Quota.objects.filter(pk=spare.pk).exists()


# --- Ticket types --------------------------------------------------------------------------------------------------


def type_form(quota: Quota, *variations: dict[str, Any], **changes: str) -> dict[str, Any]:
    """The form of a ticket type as a browser sends it. A variation is its fields and `choices`, a list of fields."""
    data: dict[str, Any] = {
        "name_sv": "Sittning",
        "name_en": "Dinner",
        "description_sv": "",
        "description_en": "",
        "price_minor": "250",
        "vat_percent": "12",
        "quotas": [str(quota.pk)],
        "max_per_order": "6",
        "max_per_person": "",
        "min_per_order": "0",
        "minimum_age": "",
        "sale_opens_at": "",
        "sale_closes_at": "",
        "visibility": "public",
        "position": "0",
        "is_published": "on",
        "is_transferable": "on",
        "is_resellable": "on",
        **changes,
    }
    data |= _formset("variations", len(variations), sum("id" in each for each in variations))
    for place, variation in enumerate(variations):
        choices = variation.get("choices", [])
        prefix = f"variations-{place}"
        fields = {"name_sv": "", "name_en": "", "kind": "one", "id": ""}
        fields |= {name: value for name, value in variation.items() if name != "choices"}
        data |= {f"{prefix}-{name}": value for name, value in fields.items()}
        data |= _formset(f"{prefix}-choices", len(choices), sum("id" in each for each in choices))
        for number, choice in enumerate(choices):
            values = {
                "name_sv": "",
                "name_en": "",
                "delta_minor": "0",
                "max_quantity": "1",
                "is_published": "on",
                "id": "",
            }
            values |= choice
            data |= {f"{prefix}-choices-{number}-{name}": value for name, value in values.items()}
    return data


def _formset(prefix: str, total: int, initial: int) -> dict[str, str]:
    counts = {"TOTAL": total, "INITIAL": initial, "MIN_NUM": 0, "MAX_NUM": 1000}
    return {f"{prefix}-{name}_FORMS": str(number) for name, number in counts.items()}


BEVERAGE = {
    "name_sv": "Dryck",
    "name_en": "Beverage",
    "choices": [
        {"name_sv": "Öl", "name_en": "Beer"},
        {"name_sv": "Cider", "name_en": "Cider", "delta_minor": ""},
        {"name_sv": "Alkoholfritt", "name_en": "Alcohol-free", "delta_minor": "−10"},
    ],
}


def add_address(event: Event) -> str:
    return f"{reverse('ticket_type_desk:add')}?event={event.public_id}"


def test_editor_adds_a_ticket_with_a_beverage_in_one_form(editor: Client, ours: World) -> None:
    response = editor.post(add_address(ours.event), type_form(ours.quota, BEVERAGE))

    kind = TicketType.objects.get(name_en="Dinner")
    assert response["Location"] == reverse("event_desk:edit", args=[ours.event.public_id])
    assert (kind.event, kind.price_minor, kind.vat_percent, list(kind.quotas.all())) == (
        ours.event, 25_000, 12, [ours.quota],
    )  # fmt: skip
    variation = kind.variations.get()
    assert (variation.name_sv, variation.kind) == ("Dryck", "one")
    assert list(variation.choices.values_list("position", "name_en", "delta_minor")) == [
        (0, "Beer", 0),
        (1, "Cider", 0),
        (2, "Alcohol-free", -1_000),
    ]


def test_editor_adds_a_free_ticket_without_choices(editor: Client, ours: World) -> None:
    editor.post(add_address(ours.event), type_form(ours.quota, price_minor="0", name_en="Helper"))

    assert TicketType.objects.get(name_en="Helper").price_minor == 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"name_sv": "", "name_en": ""}, "a name in at least one language", id="no-name"),
        pytest.param({"price_minor": "cheap"}, "Write the amount in figures", id="price-in-words"),
        pytest.param({"price_minor": "-1"}, "cannot be below zero", id="negative-price"),
        pytest.param({"quotas": []}, "Choose which places it takes", id="no-places"),
        pytest.param({"min_per_order": "7"}, "cannot be more than the most", id="limits-crossed"),
        pytest.param({"max_per_order": "0"}, "greater than or equal to 1", id="none-per-order"),
        pytest.param(
            {"sale_opens_at": "2027-01-02 12:00", "sale_closes_at": "2027-01-01 12:00"}, "must close after", id="window"
        ),
        pytest.param({"vat_percent": "60"}, "less than or equal to 50", id="vat"),
        pytest.param({"visibility": "after"}, "after which ticket", id="after-nothing"),
    ],
)
def test_impossible_ticket_is_refused_beside_the_field(
    editor: Client, ours: World, changes: dict[str, Any], sentence: str
) -> None:
    response = editor.post(add_address(ours.event), type_form(ours.quota, BEVERAGE, **changes))

    assert response.status_code == 200
    assert sentence in text_of(response)
    assert (TicketType.objects.count(), Variation.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("variation", "sentence"),
    [
        pytest.param({"name_sv": "Dryck", "choices": []}, "Add at least one answer", id="nothing-to-choose"),
        pytest.param({"choices": [{"name_en": "Beer"}]}, "a name in at least one language", id="nameless-question"),
        pytest.param(
            {"name_sv": "Dryck", "choices": [{"delta_minor": "5"}]},
            "a name in at least one language",
            id="nameless-answer",
        ),
        pytest.param(
            {"name_sv": "Dryck", "choices": [{"name_en": "Beer", "delta_minor": "some"}]},
            "in figures",
            id="price-in-words",
        ),
        pytest.param(
            {"name_sv": "Dryck", "choices": [{"name_en": "Beer", "max_quantity": "0"}]},
            "or equal to 1",
            id="none-per-ticket",
        ),
    ],
)
def test_impossible_choices_are_refused_and_nothing_is_half_saved(
    editor: Client, ours: World, variation: dict[str, Any], sentence: str
) -> None:
    response = editor.post(add_address(ours.event), type_form(ours.quota, variation))

    assert response.status_code == 200
    assert sentence in text_of(response)
    assert (TicketType.objects.count(), Variation.objects.count(), Choice.objects.count()) == (1, 1, 1)


def existing(ours: World, **choice: str) -> dict[str, Any]:
    return {
        "id": str(ours.variation.pk),
        "name_sv": ours.variation.name_sv,
        "name_en": ours.variation.name_en,
        "choices": [{"id": str(ours.choice.pk), "name_sv": "Cider", "name_en": "Cider", **choice}],
    }


def edit_address(ours: World) -> str:
    return reverse("ticket_type_desk:edit", args=[ours.kind.public_id])


def test_editor_changes_and_deletes_choices(editor: Client, ours: World) -> None:
    variation = existing(ours, delta_minor="15")
    variation["choices"].append({"name_en": "Water"})
    editor.post(edit_address(ours), type_form(ours.quota, variation))
    assert list(ours.variation.choices.values_list("name_en", "delta_minor")) == [("Cider", 1_500), ("Water", 0)]

    variation = existing(ours, DELETE="on")
    variation["choices"].append({"id": str(Choice.objects.get(name_en="Water").pk), "name_en": "Water"})
    editor.post(edit_address(ours), type_form(ours.quota, variation))
    assert list(ours.variation.choices.values_list("name_en", flat=True)) == ["Water"]

    editor.post(edit_address(ours), type_form(ours.quota, {**variation, "DELETE": "on", "choices": []}))
    assert not Variation.objects.filter(pk=ours.variation.pk).exists()


def bought(ours: World, email: str = "buyer@example.org") -> Order:
    return factories.order(ours.event, factories.wanted(ours.kind, 1, (ours.choice, 1)), email=email)


def test_bought_choice_and_question_cannot_be_deleted_and_say_so(editor: Client, ours: World) -> None:
    bought(ours)

    for variation in (existing(ours, DELETE="on"), {**existing(ours), "DELETE": "on"}):
        response = editor.post(edit_address(ours), type_form(ours.quota, variation))

        assert response.status_code == 200
        assert "Already bought, so it cannot be deleted" in text_of(response)
    assert Choice.objects.filter(pk=ours.choice.pk).exists()


def test_sold_ticket_type_cannot_be_deleted_and_says_why(editor: Client, ours: World) -> None:
    bought(ours)
    response = editor.post(reverse("ticket_type_desk:delete", args=[ours.kind.public_id]), follow=True)

    assert "This ticket type cannot be deleted" in text_of(response)
    assert TicketType.objects.filter(pk=ours.kind.pk).exists()


def test_places_of_a_ticket_that_is_sold_cannot_be_exchanged(editor: Client, ours: World) -> None:
    other = factories.quota(ours.event, 5)
    order = bought(ours)
    queue.drain(ours.event.pk)
    order.refresh_from_db()
    assert order.state == "reserved"

    editor.post(edit_address(ours), type_form(other, existing(ours)))

    assert list(ours.kind.quotas.all()) == [ours.quota]


def test_ticket_needs_places_first(editor: Client, ours: World) -> None:
    event = factories.event(organisation=ours.organisation)
    response = editor.get(add_address(event))

    assert response["Location"] == f"{reverse('quota_desk:add')}?event={event.public_id}"


@pytest.mark.parametrize("event", ["", "?event=", "?event=nonsense", "?event=6f0e7f2e-4f0e-4a52-9d5c-1f6c1b0a1200"])
def test_ticket_of_no_event_is_not_found(editor: Client, ours: World, event: str) -> None:
    assert editor.get(reverse("ticket_type_desk:add") + event).status_code == 404


# --- Orders --------------------------------------------------------------------------------------------------------


def test_treasurer_finds_orders_by_reference_mail_and_name(treasurer: Client, ours: World) -> None:
    orders = [bought(ours, email=f"guest{number}@example.org") for number in range(2)]
    Order.objects.filter(pk=orders[0].pk).update(name="Alva Ahlin")

    def found(query: str) -> set[str]:
        content = text_of(treasurer.get(reverse("order_desk:index_results") + f"?{query}"))
        return {order.reference for order in orders if order.reference in content}

    both, first = {order.reference for order in orders}, {orders[0].reference}
    assert found("") == both
    assert found(f"q={orders[0].reference.lower()}") == first
    assert found("q=guest0") == first
    assert found("q=alva") == first
    assert found("state=queued") == both
    assert found("state=paid") == set()
    assert found(f"event={ours.event.pk}") == both


def test_order_is_shown_with_all_that_hangs_on_it(treasurer: Client, ours: World) -> None:
    ours.kind.price_minor = 0
    ours.kind.save()
    order = bought(ours)
    queue.drain(ours.event.pk)

    content = text_of(treasurer.get(reverse("order_desk:inspect", args=[order.public_id])))

    assert order.reference in content and order.email in content
    assert "Ticket Lyktan" in content and "Beverage Lyktan: Cider Lyktan" in content
    assert "Order in the queue held for payment" in content  # what happened, as the audit tells it
    assert order.secret not in content


def test_lists_of_orders_tickets_and_sales_cost_the_same_queries_for_one_and_three(
    treasurer: Client, ours: World
) -> None:
    names = ("order_desk:index", "ticket_desk:index", "sales_report")

    def counts() -> list[int]:
        found = []
        for name in names:
            with CaptureQueriesContext(connection) as queries:
                assert treasurer.get(reverse(name)).status_code == 200
            found.append(len(queries))
        return found

    bought(ours)
    counts()
    with_one = counts()
    for number in range(2):
        bought(ours, email=f"more{number}@example.org")
        factories.ticket_type(ours.event, ours.quota)

    assert counts() == with_one


def test_sales_are_counted_by_type(treasurer: Client, ours: World) -> None:
    bought(ours)
    queue.drain(ours.event.pk)

    row = treasurer.get(reverse("sales_report")).context["object_list"][0]

    assert (row, row.sold, row.held, row.income) == (ours.kind, 0, 1, None)


def test_sales_are_exported_as_a_sheet(treasurer: Client, ours: World) -> None:
    response = treasurer.get(reverse("sales_report") + "?export=csv")

    assert response.getvalue().decode().splitlines()[1] == "Party Lyktan,Ticket Lyktan,0,0,"


def test_wagtails_own_sign_in_leads_to_ours(client: Client) -> None:
    response = client.get("/admin/login/?next=/admin/events/")
    assert (response.status_code, response["Location"]) == (302, "/accounts/login/?next=/admin/events/")

    response = client.get("/admin/")
    assert (response.status_code, response["Location"]) == (302, "/accounts/login/?next=/admin/")
    assert client.get("/admin/password_reset/").status_code == 404


# --- Two editors of one ticket ---------------------------------------------------------------------------------------


@pytest.fixture
def opened_kind(editor: Client, ours: World) -> TicketType:
    """A ticket with a beverage and a question, as the desk made it."""
    editor.post(add_address(ours.event), type_form(ours.quota, BEVERAGE))
    kind = TicketType.objects.get(name_en="Dinner")
    Question.objects.create(ticket_type=kind, text_en="What do you not eat?")
    return kind


def sent_again(kind: TicketType, page: Any, **changes: str) -> dict[str, Any]:
    """The form as `page` showed it, with a second editor's changes."""
    variation = kind.variations.get()
    choices = [
        {"id": str(choice.pk), "name_sv": choice.name_sv, "name_en": choice.name_en, "delta_minor": delta}
        for choice, delta in zip(variation.choices.all(), ("0", "", "−10"), strict=True)
    ]
    drink = {"id": str(variation.pk), "name_sv": "Dryck", "name_en": "Beverage", "choices": choices}
    opened = str(BeautifulSoup(page.content, "html.parser").select("input[name=opened]")[0]["value"])
    return type_form(kind.quotas.get(), drink, opened=opened, **changes)


def hide(kind: TicketType) -> None:
    TicketType.objects.filter(pk=kind.pk).update(visibility="link")


def raise_price(kind: TicketType) -> None:
    TicketType.objects.filter(pk=kind.pk).update(price_minor=26_000)


def split_vat(kind: TicketType) -> None:
    TicketType.objects.filter(pk=kind.pk).update(vat_split=[["6.00", 10_000]])


def cheapen_choice(kind: TicketType) -> None:
    Choice.objects.filter(name_en="Alcohol-free").update(delta_minor=-2_000)


def rename_choice(kind: TicketType) -> None:
    Choice.objects.filter(name_en="Beer").update(name_en="Ale")


def let_take_several(kind: TicketType) -> None:
    kind.variations.update(kind="many")


def require_answer(kind: TicketType) -> None:
    kind.questions.update(is_required=True)


def ask_more(kind: TicketType) -> None:
    Question.objects.create(ticket_type=kind, text_en="Which song?")


@pytest.mark.parametrize(
    ("first", "sentence"),
    [
        (hide, "shown to: from “everybody” to “only by link”"),
        (raise_price, "Price: from “250” to “260”"),
        (split_vat, "VAT parts: from “” to “100, 6 %”"),
        (cheapen_choice, "Alcohol-free, Adds to the price: from “-10” to “-20”"),
        (rename_choice, "Ale, Name in English: from “Beer” to “Ale”"),
        (let_take_several, "Beverage, Kind: from “one must be chosen” to “optional, in numbers”"),
        (require_answer, "What do you not eat?, Must be answered: from “no” to “yes”"),
        (ask_more, "question: from “” to “Which song?”"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_second_editor_of_a_ticket_is_told_what_the_first_changed(
    editor: Client, opened_kind: TicketType, first: Callable[[TicketType], None], sentence: str
) -> None:
    address = reverse("ticket_type_desk:edit", args=[opened_kind.public_id])
    page = editor.get(address)
    first(opened_kind)

    refused = editor.post(address, sent_again(opened_kind, page, name_en="Supper"))

    assert f"Somebody else has changed this since you opened it: {sentence}. Nothing was saved" in text_of(refused)
    opened_kind.refresh_from_db()
    assert opened_kind.name_en == "Dinner"

    assert editor.post(address, sent_again(opened_kind, refused, name_en="Supper")).status_code == 302
    opened_kind.refresh_from_db()
    assert opened_kind.name_en == "Supper"


def test_editor_of_a_ticket_whose_choice_is_deleted_is_sent_to_open_it_anew(
    editor: Client, opened_kind: TicketType
) -> None:
    address = reverse("ticket_type_desk:edit", args=[opened_kind.public_id])
    sent = sent_again(opened_kind, editor.get(address))
    Choice.objects.get(name_en="Cider").delete()

    refused = text_of(editor.post(address, sent))

    assert "choice: from “Cider” to “”. Nothing was saved. Something that you were shown is deleted" in refused


def test_editor_who_is_alone_is_told_of_nobody(editor: Client, opened_kind: TicketType) -> None:
    address = reverse("ticket_type_desk:edit", args=[opened_kind.public_id])

    assert editor.post(address, sent_again(opened_kind, editor.get(address))).status_code == 302
