"""The ticket form over HTTP: its five states, what a POST becomes, and that nothing a stranger sends breaks it."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import override
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.events.models import Event
from apps.ticketing import clock, event_face, extensions, forms, ordering, queue, reasons
from apps.ticketing.context import ContextLine, PurchaseContext
from apps.ticketing.models import LineChoice, Order, OrderLine, TicketType
from tests import factories
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def english(settings: LazySettings) -> None:
    settings.LANGUAGE_CODE = "en"
    event_face.forget()


@pytest.fixture
def event() -> Any:
    return factories.event()


@pytest.fixture
def dinner(event: Any) -> Any:
    return factories.ticket_type(event, factories.quota(event, 10), name_en="Dinner", max_per_order=4)


@pytest.fixture
def drink(dinner: Any) -> Any:
    return factories.variation(dinner)


@pytest.fixture
def beer(drink: Any) -> Any:
    return factories.choice(drink, name_en="Beer")


@pytest.fixture
def juice(drink: Any) -> Any:
    return factories.choice(drink, name_en="Juice", delta_minor=-1000)


@pytest.fixture
def party(event: Any) -> Any:
    return factories.ticket_type(event, factories.quota(event, 10), name_en="Party", position=1)


def address(event: Any) -> str:
    with override("en"):
        return reverse("ticketing:form", args=[event.public_id])


def sent(ticket_type: Any, number: int | str = 1, *choices: Any, **more: str) -> dict[str, str]:
    """A form as a browser sends it: `choices` are given to every ticket."""
    data = {"email": "robin@example.org", "idempotency_key": uuid.uuid4().hex, "fewer_is_fine": "1"}
    data[f"type-{ticket_type.public_id}"] = str(number)
    for ticket in range(1, int(number) + 1) if str(number).isdigit() else ():
        for choice in choices:
            name = f"choice-{ticket_type.public_id}-{ticket}-{choice.variation.public_id}"
            data[name] = str(choice.public_id)
    return {**data, **more}


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


# --- GET ----------------------------------------------------------------------------------------------------------


def test_the_form_is_a_fragment_for_htmx_and_a_page_without(client: Client, event: Any, dinner: Any) -> None:
    fragment = client.get(address(event), headers=HTMX)
    page = client.get(address(event))

    assert (b"<html" in fragment.content, b"<html" in page.content) == (False, True)
    assert b'id="tickets-title"' in fragment.content and b'id="tickets-title"' in page.content
    assert "HX-Request" in page["Vary"]
    assert "no-store" in page["Cache-Control"] and "no-store" in fragment["Cache-Control"]
    assert client.cookies["csrftoken"].value


def test_each_form_carries_a_fresh_key(client: Client, event: Any, dinner: Any) -> None:
    keys = {
        re.search(r'name="idempotency_key" value="([^"]+)"', client.get(address(event)).content.decode())[1]  # type: ignore[index]
        for _ in range(3)
    }

    assert len(keys) == 3
    assert all(forms.KEY.fullmatch(key) for key in keys)


def test_what_is_drawn_comes_from_the_catalogue(client: Client, event: Any, dinner: Any, beer: Any, juice: Any) -> None:
    response = client.get(address(event))
    text = text_of(response)

    assert "SEK 250" in text.replace("\xa0", " ")
    assert "Seller: " + event.organisation.name in text
    assert "Dinner" in text and "Available" in text and "Fewer is fine" in text
    template = response.content.decode().split("<template>")[1].split("</template>")[0]
    assert f"choice-{dinner.public_id}-__n__-{beer.variation.public_id}" in template
    assert "Choose beverage for ticket __n__." in template


@pytest.mark.usefixtures("kept_for_long")
def test_the_number_of_queries_is_the_same_for_one_type_and_three(client: Client, event: Any, dinner: Any) -> None:
    def count() -> int:
        client.get(address(event))  # the catalogue and the page's frame are read into memory
        with CaptureQueriesContext(connection) as queries:
            client.get(address(event))
        return len(queries)

    one = count()
    for _ in range(2):
        kind = factories.ticket_type(event, factories.quota(event, 10))
        factories.choice(factories.variation(kind))

    assert count() == one <= 5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({}, "On sale", id="on-sale"),
        pytest.param({"sale_opens_at": timedelta(hours=3)}, "Opens soon", id="not-open"),
        pytest.param({"sale_closes_at": timedelta(hours=-1)}, "The sale is over.", id="sale-closed"),
        pytest.param({"is_published": False}, "There is nothing to buy here now.", id="nothing-published"),
        pytest.param({"visibility": "members"}, "There is nothing to buy here now.", id="members-only"),
    ],
)
def test_states_of_the_block(client: Client, event: Any, dinner: Any, changes: dict[str, Any], words: str) -> None:
    for name, value in changes.items():
        setattr(dinner, name, clock.now() + value if isinstance(value, timedelta) else value)
    dinner.save()

    assert words in text_of(client.get(address(event)))


def test_an_event_that_is_over_thanks_its_guests(client: Client) -> None:
    event = factories.event(starts_at=clock.now() - timedelta(days=2))
    factories.ticket_type(event, factories.quota(event, 5))

    assert "Thank you for coming!" in text_of(client.get(address(event)))


@pytest.mark.parametrize(("price", "words"), [(25_000, "still to be paid."), (0, "not finished yet.")])
def test_sold_out_says_how_many_orders_are_still_to_be_paid(
    client: Client, event: Any, dinner: Any, price: int, words: str
) -> None:
    TicketType.objects.update(price_minor=price)
    for _ in range(3):
        factories.order(event, factories.wanted(dinner, 4))
    queue.drain(event.pk)

    text = text_of(client.get(address(event)))

    assert "Sold out" in text and "0 of 10 left" in text
    assert f"3 orders are {words}" in text  # two whole ones and an offer of two


def test_sold_out_counts_the_places_of_what_everybody_sees(client: Client, event: Any, dinner: Any) -> None:
    factories.choice(factories.variation(dinner), factories.quota(event, 50))
    factories.ticket_type(event, factories.quota(event, 20), visibility="link")
    dinner.quotas.update(taken=10)

    assert "0 of 10 left" in text_of(client.get(address(event)))

    dinner.quotas.add(factories.quota(event, 6))  # of the ten places: sixteen would be no truth
    assert "0 left" in text_of(client.get(address(event)))


@pytest.mark.parametrize(
    ("size", "taken", "words"),
    [
        pytest.param(400, 0, "Available", id="plenty"),
        pytest.param(400, 300, "Available", id="a-hundred-left"),
        pytest.param(400, 350, "Few left: 50", id="fifty-left"),
        pytest.param(1000, 920, "Few left", id="a-tenth-left-but-many"),
        pytest.param(12, 0, "Available", id="a-small-event-with-all-places-free"),
        pytest.param(12, 8, "Few left: 4", id="a-small-event-nearly-full"),
    ],
)
def test_few_left_is_never_invented(client: Client, event: Any, size: int, taken: int, words: str) -> None:
    factories.ticket_type(event, factories.quota(event, size, taken=taken))

    page = client.get(address(event), headers=HTMX).content.decode()

    found = re.search(r'class="chip( chip--warning)?">([^<]+)<', page)
    assert found is not None and found[2] == words


def test_a_type_is_sold_out_when_every_answer_to_a_question_is(client: Client, event: Any, dinner: Any) -> None:
    factories.choice(factories.variation(dinner), factories.quota(event, 0))

    assert "Sold out" in text_of(client.get(address(event)))


def test_who_chose_nothing_is_asked_where_the_default_is_sold_out(client: Client, event: Any, dinner: Any) -> None:
    drink = factories.variation(dinner)
    beer = factories.quota(event, 1)
    factories.choice(drink, beer, name_en="Beer", is_default=True)
    factories.choice(drink, name_en="Juice")
    wish = {"email": "kim@example.org", f"type-{dinner.public_id}": "1"}
    first = client.post(address(event), {**wish, "idempotency_key": "key-of-the-first"})
    type(beer).objects.filter(pk=beer.pk).update(taken=1)

    again = client.post(address(event), {**wish, "idempotency_key": "key-of-the-first"})
    other = {**wish, "email": "robin@example.org", "idempotency_key": "key-of-another"}
    asked = Client().post(address(event), other)

    assert (first.status_code, again.status_code, again["Location"]) == (303, 303, first["Location"])
    assert asked.status_code == 422
    assert "Beer is sold out. Nothing was charged. Choose something else for this ticket." in text_of(asked)
    assert Order.objects.count() == 1


def test_the_email_of_who_is_signed_in_is_filled_in(client: Client, event: Any, dinner: Any) -> None:
    person = factories.user(email="kim@example.org")
    client.force_login(person)

    assert b'value="kim@example.org"' in client.get(address(event)).content


def test_who_must_sign_in_is_led_there(client: Client, event: Any, dinner: Any) -> None:
    event.sign_in_required = True
    event.save()

    page = client.get(address(event)).content.decode()

    assert f"{reverse('account_login')}?next={address(event)}" in page
    assert 'name="email"' not in page


class Gate:
    """Denies one type, allows another that is shown by link only."""

    slug = "test_gate"

    def __init__(self, denied: TicketType, allowed: TicketType) -> None:
        self.denied, self.allowed = denied, allowed

    def prepare(self, contexts: Any, at: Any) -> None:
        return None

    def opinion(self, context: PurchaseContext, line: ContextLine, answers: None) -> extensions.Opinion:
        if line.ticket_type_id == self.denied.pk:
            return extensions.deny(reasons.LIMIT_PER_PERSON)
        return extensions.ALLOW if line.ticket_type_id == self.allowed.pk else extensions.NO_OPINION


def test_gates_decide_what_is_shown_and_why_not(client: Client, event: Any, dinner: Any, party: Any) -> None:
    secret = factories.ticket_type(event, factories.quota(event, 5), name_en="By link", visibility="link")
    without = text_of(client.get(address(event)))

    with extensions.purchase_gates.temporarily(Gate(dinner, secret)):
        text = text_of(client.get(address(event)))

    assert "By link" not in without and "By link" in text
    assert reasons.sentence(reasons.LIMIT_PER_PERSON) in text


class HalfPrice:
    slug = "half"

    def prepare(self, contexts: Any, at: Any) -> None:
        return None

    def adjustments(self, context: Any, line: ContextLine, answers: None) -> list[extensions.NamedAdjustment]:
        return [extensions.NamedAdjustment("half", "Halva", "Half", -line.list_minor // 2)]

    def claim(self, order_lines: Any) -> None:
        """Nothing is limited."""

    def release(self, order_line_ids: Any) -> None:
        """Nothing was claimed."""


def test_ones_own_price_is_shown_beside_the_list_price(client: Client, event: Any, dinner: Any) -> None:
    with extensions.price_rules.temporarily(HalfPrice()):  # type: ignore[arg-type]
        text = text_of(client.get(address(event))).replace("\xa0", " ")

    assert "List price SEK 250" in text and "SEK 125" in text


def test_no_page_of_an_event_that_does_not_exist(client: Client) -> None:
    with override("en"):
        missing = reverse("ticketing:form", args=[uuid.uuid4()])

    assert client.get(missing).status_code == 404


# --- POST ---------------------------------------------------------------------------------------------------------


def test_a_post_becomes_a_queued_order_and_leads_to_its_page(
    client: Client, event: Any, dinner: Any, beer: Any, party: Any
) -> None:
    data = sent(dinner, 2, beer) | {f"type-{party.public_id}": "1"}

    response = client.post(address(event), data)

    order = Order.objects.get()
    assert response.status_code == 303
    assert response["Location"] == f"/en/orders/{order.reference}/{order.secret}/"
    assert (order.state, order.email, order.locale, order.fewer_is_fine) == ("queued", "robin@example.org", "en", True)
    assert list(OrderLine.objects.values_list("ticket_type", flat=True)) == [dinner.pk, dinner.pk, party.pk]
    assert LineChoice.objects.filter(choice=beer).count() == 2


def test_the_language_of_the_address_is_the_language_of_the_order(client: Client, event: Any, dinner: Any) -> None:
    with override("sv"):
        client.post(reverse("ticketing:form", args=[event.public_id]), sent(dinner))

    assert Order.objects.get().locale == "sv"


def test_a_program_that_looks_up_the_forms_link_is_answered_and_orders_nothing(
    client: Client, event: Any, dinner: Any
) -> None:
    response = client.head(address(event))

    assert (response.status_code, response.content) == (200, b"")
    assert not Order.objects.exists()


@pytest.mark.usefixtures("kept_for_long")
def test_a_post_takes_one_query_and_writes_no_session(client: Client, event: Any, dinner: Any, beer: Any) -> None:
    client.get(address(event))

    with CaptureQueriesContext(connection) as queries:
        response = client.post(address(event), sent(dinner, 3, beer))

    assert response.status_code == 303
    assert [query["sql"].split()[0] for query in queries if "SAVEPOINT" not in query["sql"]] == ["EXECUTE"]
    assert Session.objects.count() == 0
    assert "sessionid" not in response.cookies


def test_a_double_submit_gets_the_same_order(client: Client, event: Any, dinner: Any) -> None:
    data = sent(dinner)

    first, second = client.post(address(event), data), client.post(address(event), data)

    assert first["Location"] == second["Location"]
    assert Order.objects.count() == 1


def test_anothers_key_is_refused_with_a_sentence_and_a_fresh_key(client: Client, event: Any, dinner: Any) -> None:
    data = sent(dinner)
    client.post(address(event), data)

    response = Client().post(address(event), {**data, "email": "kim@example.org"})

    page = response.content.decode()
    assert response.status_code == 409
    assert reasons.sentence(reasons.KEY_OF_ANOTHER) in page
    assert Order.objects.get().secret not in page
    assert data["idempotency_key"] not in page
    assert 'value="kim@example.org"' in page


def bad_inputs(dinner: Any, beer: Any, foreign: Any, hidden: Any) -> dict[str, tuple[dict[str, str], int, str]]:
    kind, variation = f"type-{dinner.public_id}", f"choice-{dinner.public_id}-1-{beer.variation.public_id}"
    good = sent(dinner, 1, beer)
    return {
        "negative": ({**good, kind: "-1"}, 422, "A number of tickets cannot be below 0."),
        "huge": ({**good, kind: "99999999999999999999"}, 422, "That is more tickets than one order may hold."),
        "above the limit": ({**good, kind: "5"}, 422, "At most 4 tickets of this kind per order."),
        "not a number": ({**good, kind: "många"}, 422, "Write a whole number, such as 2."),
        "foreign type": ({**good, f"type-{foreign.public_id}": "1"}, 422, reasons.sentence(reasons.NOT_ON_SALE)),
        "unpublished type": ({**good, f"type-{hidden.public_id}": "1"}, 422, reasons.sentence(reasons.NOT_ON_SALE)),
        "missing choice": ({**good, variation: ""}, 422, "Choose beverage for ticket 1."),
        "foreign choice": ({**good, variation: str(uuid.uuid4())}, 422, reasons.sentence(reasons.CHOICE_GONE)),
        "nothing chosen": ({**good, kind: "0"}, 422, "Choose at least one ticket."),
        "no e-mail": ({**good, "email": ""}, 422, "Write your e-mail address."),
        "bad e-mail": ({**good, "email": "robin@"}, 422, "Write an e-mail address such as robin@example.org."),
        "no key": ({**good, "idempotency_key": ""}, 409, "The form is incomplete."),
        "changed price": ({**good, f"edition-{dinner.public_id}": "x"}, 409, reasons.sentence(forms.STALE_FORM)),
    }


BAD = ["negative", "huge", "above the limit", "not a number", "foreign type", "unpublished type", "missing choice",
       "foreign choice", "nothing chosen", "no e-mail", "bad e-mail", "no key", "changed price"]  # fmt: skip


@pytest.mark.parametrize(
    ("together", "each", "sentence"),
    [
        pytest.param(3, None, "At most 3 tickets per person. No money was taken. Choose fewer.", id="event"),
        pytest.param(None, 3, "At most 3 tickets of this kind per person.", id="type"),
    ],
)
def test_more_than_one_person_may_have_is_said_in_the_form_and_no_order_is_made(
    client: Client, event: Any, dinner: Any, party: Any, together: int | None, each: int | None, sentence: str
) -> None:
    Event.objects.update(max_per_person=together)
    TicketType.objects.filter(pk=dinner.pk).update(max_per_person=each)
    mixed = {**sent(dinner, 3), f"type-{party.public_id}": "1"}

    response = client.post(address(event), sent(dinner, 4) if each else mixed)

    assert response.status_code == 422
    assert sentence in text_of(response)
    assert (f'aria-describedby="reason-{dinner.public_id} error-' in response.content.decode()) == (each is not None)
    assert Order.objects.count() == 0
    assert client.post(address(event), sent(dinner, 3)).status_code == 303


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_a_sentence_and_keeps_what_was_written(
    client: Client, event: Any, dinner: Any, beer: Any, juice: Any, case: str
) -> None:
    other = factories.event()
    foreign = factories.ticket_type(other, factories.quota(other, 5))
    hidden = factories.ticket_type(event, factories.quota(event, 5), is_published=False)
    data, status, sentence = bad_inputs(dinner, beer, foreign, hidden)[case]

    response = client.post(address(event), data)

    page = response.content.decode()
    assert response.status_code == status
    assert sentence in text_of(response).replace("&#x27;", "'")
    assert f'value="{data["email"]}"' in page
    assert Order.objects.count() == 0
    assert page.count(" autofocus") <= 1


def test_the_focus_goes_to_the_first_wrong_field_and_choices_are_kept(
    client: Client, event: Any, dinner: Any, beer: Any
) -> None:
    data = sent(dinner, 2, beer, email="robin@")
    del data[f"choice-{dinner.public_id}-2-{beer.variation.public_id}"]

    page = client.post(address(event), data).content.decode()

    assert page.count(" autofocus") == 1
    focused = re.search(r"<input[^>]* autofocus", page)
    assert focused is not None and f"choice-{dinner.public_id}-2-{beer.variation.public_id}" in focused[0]
    assert re.search(rf'name="choice-{dinner.public_id}-1-[^"]+" value="{beer.public_id}"[^>]* checked', page)
    assert "Choose beverage for ticket 2." in page
    assert "Write an e-mail address such as robin@example.org." in page


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"sale_opens_at": timedelta(hours=1)}, reasons.NOT_YET_ON_SALE, id="not-open-yet"),
        pytest.param({"sale_closes_at": timedelta(hours=-1)}, reasons.SALE_OVER, id="closed"),
    ],
)
def test_a_form_sent_at_the_wrong_time_says_so(
    client: Client, event: Any, dinner: Any, changes: dict[str, timedelta], code: str
) -> None:
    for name, offset in changes.items():
        setattr(dinner, name, clock.now() + offset)
    dinner.save()

    response = client.post(address(event), sent(dinner))

    assert response.status_code == 422
    assert reasons.sentence(code) in text_of(response)


def test_the_form_is_there_before_the_sale_opens(client: Client, event: Any, dinner: Any, beer: Any) -> None:
    dinner.sale_opens_at = clock.now() + timedelta(hours=3)
    dinner.save()

    page = client.get(address(event)).content.decode()

    assert f'name="type-{dinner.public_id}"' in page
    assert f'value="{beer.public_id}"' in page  # in the template of a ticket not chosen yet
    assert 'name="idempotency_key"' in page
    assert dinner.sale_opens_at.isoformat() in page


def test_an_early_form_keeps_what_was_chosen_and_its_key(client: Client, event: Any, dinner: Any, beer: Any) -> None:
    dinner.sale_opens_at = clock.now() + timedelta(minutes=5)
    dinner.save()
    form = sent(dinner, 2, beer)

    early = client.post(address(event), form)

    page = early.content.decode()
    assert early.status_code == 422
    assert reasons.sentence(reasons.NOT_YET_ON_SALE) in text_of(early)
    assert f'value="{form["idempotency_key"]}"' in page
    assert page.count(f'value="{beer.public_id}" data-price-minor="0"') == 3  # two tickets, and the one to copy
    assert len(re.findall(rf'value="{beer.public_id}"[^>]* checked', page)) == 2
    assert "data-resend" in page
    assert Order.objects.count() == 0

    with clock_moved(timedelta(minutes=6)):
        assert client.post(address(event), form).status_code == 303
        assert client.post(address(event), form).status_code == 303  # the same place, not a second one
    assert Order.objects.count() == 1


def test_a_form_sent_hours_too_early_is_not_sent_by_itself(client: Client, event: Any, dinner: Any) -> None:
    dinner.sale_opens_at = clock.now() + timedelta(hours=3)
    dinner.save()

    assert "data-resend" not in client.post(address(event), sent(dinner)).content.decode()


def test_pages_are_told_the_time_and_the_openings(client: Client, event: Any, dinner: Any, party: Any) -> None:
    dinner.sale_opens_at = clock.now() + timedelta(hours=3)
    dinner.save()
    factories.ticket_type(event, factories.quota(event), visibility="members", sale_opens_at=dinner.sale_opens_at)
    with override("en"):
        status = reverse("ticketing:sale_status", args=[event.public_id])

    with clock_moved(timedelta(hours=1)):
        response = client.get(status)
        news = response.json()
        behind = clock.now() - datetime.fromisoformat(news["now"])

    assert news["opens"] == {str(dinner.public_id): dinner.sale_opens_at.isoformat(), str(party.public_id): None}
    assert timedelta(0) <= behind < timedelta(seconds=10)
    assert not response.cookies and "no-store" in response["Cache-Control"]


def test_types_that_exclude_each_other_are_refused_beside_one_of_them(client: Client, event: Any, dinner: Any) -> None:
    party = factories.ticket_type(event, factories.quota(event, 5), conflicts=(dinner,))

    response = client.post(address(event), sent(dinner) | {f"type-{party.public_id}": "1"})

    assert response.status_code == 422
    assert reasons.sentence(reasons.CONFLICTING_TYPES) in text_of(response)


def test_a_guest_cannot_buy_where_one_must_sign_in(client: Client, event: Any, dinner: Any) -> None:
    event.sign_in_required = True
    event.save()

    response = client.post(address(event), sent(dinner))

    assert response.status_code == 422
    assert reasons.sentence(reasons.SIGN_IN_REQUIRED) in text_of(response)


def test_a_form_without_its_token_is_refused_in_plain_words(event: Any, dinner: Any) -> None:
    response = Client(enforce_csrf_checks=True).post(address(event), sent(dinner))

    assert response.status_code == 403
    assert "The page was open for too long" in text_of(response)
    assert response["X-Request-ID"] in response.content.decode()
    assert Order.objects.count() == 0


def test_too_many_fields_are_refused_in_plain_words(client: Client, event: Any, dinner: Any) -> None:
    response = client.post(address(event), sent(dinner) | {f"field-{number}": "x" for number in range(1100)})

    assert response.status_code == 400
    assert "We could not read that" in text_of(response)


@pytest.mark.parametrize("body", [b"\xff\xfe\x00", b"--x\r\nContent-Disposition: nonsense", b"a" * 100])
@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/json", "text/plain; charset=utf-16"])
def test_a_body_that_is_no_form_is_refused(client: Client, event: Any, dinner: Any, body: bytes, kind: str) -> None:
    response = client.generic("POST", address(event), body, content_type=kind)

    assert response.status_code in (400, 409, 422)
    assert Order.objects.count() == 0


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(client: Client, event: Any, method: str) -> None:
    assert getattr(client, method)(address(event)).status_code == 405


VALUES = st.one_of(
    st.sampled_from(["", "0", "1", "2", "-1", "99999999999", "1.5", "\x00", "１", "on", "' OR 1=1 --", "{{7*7}}"]),
    st.text(max_size=40),
)


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_no_post_whatsoever_breaks_the_form(client: Client, event: Any, dinner: Any, beer: Any, data: Any) -> None:
    kind, variation = dinner.public_id, beer.variation.public_id
    names = [f"type-{kind}", f"choice-{kind}-1-{variation}", f"choice-{kind}-2-{variation}", f"edition-{kind}",
             f"type-{uuid.UUID(int=1)}", "email", "idempotency_key", "fewer_is_fine"]  # fmt: skip
    body = sent(dinner, 1, beer)
    changed = data.draw(st.dictionaries(st.one_of(st.sampled_from(names), st.text(max_size=30)), VALUES, max_size=6))
    body.update({name: value for name, value in changed.items() if name.isprintable() or "\x00" in name})
    before = Order.objects.count()
    caches["default"].clear()  # this one address has not sent sixty orders

    response = client.post(address(event), body)

    assert response.status_code in (303, 409, 422)
    is_new = response.status_code == 303 and not response["Location"].endswith("?again=1")
    assert Order.objects.count() - before == (1 if is_new else 0)


# --- One's own order ----------------------------------------------------------------------------------------------


def test_a_browser_finds_its_order_again_without_a_session(client: Client, event: Any, dinner: Any) -> None:
    location = client.post(address(event), sent(dinner))["Location"]

    text, page = text_of(client.get(address(event))), client.get(address(event)).content.decode()
    stranger = text_of(Client().get(address(event)))

    assert "You are in the queue" in text and "Place 1" in text and location in page
    assert "You are in the queue" not in stranger
    queue.drain(event.pk)
    assert "Your turn!" in text_of(client.get(address(event)))
    ordering.cancel(Order.objects.get())
    assert "On sale" in text_of(client.get(address(event)))


def test_a_signed_in_person_finds_the_order_on_another_device(client: Client, event: Any, dinner: Any) -> None:
    person = factories.user()
    factories.order(event, factories.wanted(dinner), user=person)
    client.force_login(person)

    assert "You are in the queue" in text_of(client.get(address(event)))


def test_a_made_up_cookie_opens_nothing(client: Client, event: Any, dinner: Any) -> None:
    order = factories.order(event, factories.wanted(dinner))
    name = f"order-{event.public_id.hex}"

    for value in (f"{order.reference}.{'x' * 32}", "nonsense", f"{order.reference}.\x00", ""):
        client.cookies[name] = value
        assert "You are in the queue" not in text_of(client.get(address(event)))
