"""What an event may ask of guests: a calculation by their browser, or a code by e-mail. Nothing of whoever is known."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail
from django.test import Client
from django.utils.html import escape

from apps.ticketing import challenges, codes, event_face, limits, outbox, places, reasons
from apps.ticketing.challenges import Verdict
from apps.ticketing.models import AddressCode, Effect, Order
from apps.ticketing.visitors import address_of
from tests import factories
from tests.clock import clock_moved
from tests.ticketing.test_views import address, sent, text_of

pytestmark = pytest.mark.django_db

ALVA = "alva@example.org"


@pytest.fixture(autouse=True)
def quick(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """English, and puzzles of a few hashes: how many they are changes nothing about the rules."""
    settings.LANGUAGE_CODE = "en"
    monkeypatch.setattr(challenges, "HARDNESS", 4)
    event_face.forget()


@pytest.fixture
def event() -> Any:
    return factories.event(challenges_guests=True)


@pytest.fixture
def dinner(event: Any) -> Any:
    return factories.ticket_type(event, factories.quota(event, 10), name_en="Dinner", max_per_order=4)


def solved(event: Any, data: dict[str, str]) -> dict[str, str]:
    challenge = challenges.issue(event, data["idempotency_key"])
    return {**data, "challenge": challenge.token, "answer": challenges.solve(challenge)}


def field(page: str, name: str) -> str:
    return re.search(rf'name="{name}" value="([^"]*)"', page)[1]  # type: ignore[index]


def said(reason: str) -> str:
    return re.sub(r"\s+", " ", escape(reasons.sentence(reason)))


# --- The calculation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, Verdict.SOLVED),
        ({"at": 1_000_000_000 + challenges.LASTS_SECONDS}, Verdict.SOLVED),
        ({"at": 1_000_000_000 + challenges.LASTS_SECONDS + challenges.GRACE_SECONDS + 1}, Verdict.OVER),
        ({"key": "another-key"}, Verdict.WRONG),
        ({"event": "another"}, Verdict.WRONG),
        ({"answer": ""}, Verdict.MISSING),
        ({"answer": ".".join(["fffffff"] * 15)}, Verdict.WRONG),
        ({"answer": "x" * 5000}, Verdict.WRONG),
        ({"answer": ".".join(["0000000"] * 16)}, Verdict.WRONG),
        ({"token": ""}, Verdict.MISSING),
        ({"token": "1000003600.1." + "0" * 32}, Verdict.WRONG),
        ({"token": "\x00"}, Verdict.MISSING),
    ],
    ids=lambda value: next(iter(value), "as-it-is") if isinstance(value, dict) else value,
)
def test_check_takes_only_a_solution_of_this_form(event: Any, change: dict[str, Any], verdict: Verdict) -> None:
    challenge = challenges.issue(event, "key-12345", hardness=64, at=1_000_000_000)
    asked: dict[str, Any] = {
        "key": "key-12345", "token": challenge.token, "answer": challenges.solve(challenge), "at": 1_000_000_001,
        **change,
    }  # fmt: skip
    other = factories.event() if asked.pop("event", None) else event

    assert challenges.check(other, **asked) == verdict


def test_check_takes_nothing_that_was_made_easier(event: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    easy = challenges.issue(event, "key-12345", hardness=1)

    assert challenges.check(event, "key-12345", easy.token, challenges.solve(easy)) == Verdict.WRONG


def test_check_takes_less_than_a_millisecond(event: Any) -> None:
    challenge = challenges.issue(event, "key-12345")
    answer = challenges.solve(challenge)

    begun = time.process_time()
    for _ in range(100):
        assert challenges.check(event, "key-12345", challenge.token, answer) == Verdict.SOLVED

    assert (time.process_time() - begun) / 100 < 0.001


# --- The form ---------------------------------------------------------------------------------------------------------


def test_guest_with_a_solution_gets_a_place(client: Client, event: Any, dinner: Any) -> None:
    page = client.get(address(event)).content.decode()
    key, token = field(page, "idempotency_key"), field(page, "challenge")
    challenge = challenges.Challenge(token, token.split(".")[2], int(token.split(".")[1]))

    answer = client.post(
        address(event),
        sent(dinner, idempotency_key=key, challenge=token, answer=challenges.solve(challenge)),
    )

    assert (answer.status_code, answer["Location"]) == (303, address_of(Order.objects.get()))


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, reasons.CHALLENGE_MISSING),
        ({"challenge": "1.2.3", "answer": "4"}, reasons.CHALLENGE_MISSING),
        ({"challenge": f"9999999999.4.{'0' * 32}", "answer": "0000000"}, reasons.CHALLENGE_WRONG),
        ({"proof": "nothing"}, reasons.CHALLENGE_MISSING),
    ],
    ids=["none", "nonsense", "made-up", "another-proof"],
)
def test_guest_without_a_solution_gets_a_sentence_and_keeps_the_choices(
    client: Client, event: Any, dinner: Any, more: dict[str, str], reason: str
) -> None:
    data = sent(dinner, 3, email=ALVA)

    answer = client.post(address(event), {**data, **more})

    page = answer.content.decode()
    assert answer.status_code == 422
    assert said(reason) in re.sub(r"\s+", " ", page)
    assert f'value="{ALVA}"' in page
    assert re.search(rf'name="type-{dinner.public_id}"[^>]*value="3"', page)
    assert field(page, "idempotency_key") == data["idempotency_key"]
    assert challenges.TOKEN.fullmatch(field(page, "challenge"))
    assert Order.objects.count() == 0


def test_solution_is_good_for_one_order(client: Client, event: Any, dinner: Any) -> None:
    data = solved(event, sent(dinner, email=ALVA))
    client.post(address(event), data)

    as_another = Client().post(address(event), {**data, "email": "bo@example.org"})
    in_another_form = Client().post(
        address(event), {**data, "email": "bo@example.org", "idempotency_key": "another-key-1"}
    )

    assert (as_another.status_code, in_another_form.status_code) == (409, 422)
    assert Order.objects.count() == 1


def test_old_solution_is_asked_for_again(client: Client, event: Any, dinner: Any) -> None:
    data = sent(dinner)
    old = challenges.issue(event, data["idempotency_key"], at=time.time() - 4000)

    answer = client.post(address(event), {**data, "challenge": old.token, "answer": challenges.solve(old)})

    assert (answer.status_code, said(reasons.CHALLENGE_OVER) in text_of(answer)) == (422, True)


def test_whoever_is_signed_in_is_asked_nothing(client: Client, event: Any, dinner: Any) -> None:
    client.force_login(factories.user())

    page = client.get(address(event)).content.decode()
    answer = client.post(address(event), sent(dinner))

    assert "data-challenge" not in page and answer.status_code == 303


def test_event_without_the_option_asks_nothing(client: Client) -> None:
    event = factories.event()
    dinner = factories.ticket_type(event, factories.quota(event))

    assert "data-challenge" not in client.get(address(event)).content.decode()
    assert client.post(address(event), sent(dinner)).status_code == 303


# --- The code ---------------------------------------------------------------------------------------------------------


def ask_for_code(client: Client, event: Any, dinner: Any, **more: str) -> tuple[Any, dict[str, str]]:
    """The page that asks for the code, and what it sends on."""
    answer = client.post(address(event), {**sent(dinner, 2, email=ALVA), "proof": "code", **more})
    page = answer.content.decode()
    return answer, dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))


def mailed_code() -> str:
    outbox.run_all(kinds=[codes.KIND])
    return re.search(r"^(\d{6})$", str(mail.outbox[-1].body), re.MULTILINE)[1]  # type: ignore[index]


@pytest.mark.parametrize(("language", "words"), [("en", "is your code for"), ("sv", "är din kod till")])
def test_code_is_mailed_to_the_address_alone(
    client: Client, event: Any, dinner: Any, settings: LazySettings, language: str, words: str
) -> None:
    client.post(address(event).replace("/en/", f"/{language}/"), {**sent(dinner, email=ALVA), "proof": "code"})

    code = mailed_code()

    (letter,) = mail.outbox
    assert letter.to == [ALVA] and f"{code} {words}" in letter.subject
    assert letter.extra_headers["Content-Language"] == language
    assert "order" not in str(letter.body).lower().split("--")[-1]
    assert code not in str(Effect.objects.get(kind=codes.KIND).payload)


def test_code_proves_the_address_and_the_choices_travel_along(client: Client, event: Any, dinner: Any) -> None:
    page, carried = ask_for_code(client, event, dinner)
    assert (page.status_code, "six digits" in text_of(page)) == (200, True)

    code = mailed_code()
    answer = client.post(address(event), {**carried, "code": f" {code[:3]} {code[3:]} "})

    order = Order.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, address_of(order))
    assert (order.email, order.lines.count()) == (ALVA, 2)


def test_wrong_code_is_said_and_five_are_enough(client: Client, event: Any, dinner: Any) -> None:
    _page, carried = ask_for_code(client, event, dinner)
    code = mailed_code()
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"

    answers = [client.post(address(event), {**carried, "code": wrong}) for _ in range(6)]
    late = client.post(address(event), {**carried, "code": code})

    assert [answer.status_code for answer in answers] == [422] * 6
    assert all(said(reasons.CODE_WRONG) in text_of(answer) for answer in answers[:5])
    assert said(reasons.CODE_OVER) in text_of(answers[5])
    assert (late.status_code, Order.objects.count()) == (422, 0)


def test_code_ends_after_a_quarter_of_an_hour(client: Client, event: Any, dinner: Any) -> None:
    _page, carried = ask_for_code(client, event, dinner)
    code = mailed_code()

    with clock_moved(codes.LASTS + timedelta(seconds=1)):
        assert client.post(address(event), {**carried, "code": code}).status_code == 422
    assert client.post(address(event), {**carried, "code": code}).status_code == 303


@pytest.mark.parametrize("other", [{"email": "bo@example.org"}, {"idempotency_key": "another-key-1"}], ids=str)
def test_code_is_good_for_its_address_and_its_form_only(
    client: Client, event: Any, dinner: Any, other: dict[str, str]
) -> None:
    _page, carried = ask_for_code(client, event, dinner)

    answer = client.post(address(event), {**carried, "code": mailed_code(), **other})

    assert (answer.status_code, said(reasons.CODE_OVER) in text_of(answer)) == (422, True)


def test_address_is_sent_five_codes_an_hour(client: Client, event: Any, dinner: Any) -> None:
    for _ in range(codes.SENDS):
        assert ask_for_code(client, event, dinner)[0].status_code == 200

    refused, carried = ask_for_code(client, event, dinner)
    other = Client().post(address(event), {**sent(dinner, email="bo@example.org"), "proof": "code"})

    assert (refused.status_code, other.status_code) == (429, 200)
    assert 3500 < int(refused["Retry-After"]) <= 3600
    assert "Nothing was charged." in text_of(refused)
    assert AddressCode.objects.filter(email=ALVA).count() == codes.SENDS
    with clock_moved(timedelta(hours=1, seconds=1)):
        assert client.post(address(event), {**carried, "resend": "1"}).status_code == 200


def test_refusal_after_the_right_code_keeps_the_proof(client: Client, event: Any, dinner: Any) -> None:
    dinner.sale_opens_at = factories.clock.now() + timedelta(hours=1)
    dinner.save()
    _page, carried = ask_for_code(client, event, dinner)
    code = mailed_code()

    early = client.post(address(event), {**carried, "code": code})

    assert early.status_code == 422
    assert (field(early.content.decode(), "proof"), field(early.content.decode(), "code")) == ("code", code)
    assert "Your address is confirmed." in text_of(early)


def test_code_of_one_whose_address_stands_in_line_leads_to_the_question(event: Any, dinner: Any) -> None:
    stranger, alva = Client(), Client()
    stranger.post(address(event), solved(event, sent(dinner, email=ALVA)))
    _page, carried = ask_for_code(alva, event, dinner)

    answer = alva.post(address(event), {**carried, "code": mailed_code()})

    assert (answer.status_code, answer["Location"]) == (303, places.claim_path(Order.objects.get()))


def test_codes_are_forgotten_after_a_day(event: Any, dinner: Any, client: Client) -> None:
    from config import cron

    ask_for_code(client, event, dinner)
    with clock_moved(timedelta(hours=23)):
        cron._clean_up()
    assert AddressCode.objects.count() == 1

    with clock_moved(timedelta(hours=25)):
        cron._clean_up()
    assert AddressCode.objects.count() == 0


# --- How often --------------------------------------------------------------------------------------------------------


def test_browser_that_hammers_one_address_is_refused(client: Client) -> None:
    event = factories.event()
    dinner = factories.ticket_type(event, factories.quota(event, 10))
    client.get(address(event))
    answers = [client.post(address(event), sent(dinner, email=ALVA)) for _ in range(limits.ORDERS)]

    refused = client.post(address(event), sent(dinner, email="Alva+more@example.org"))
    other = client.post(address(event), sent(dinner, email="bo@example.org"))

    assert {answer.status_code for answer in answers} == {303}
    assert (refused.status_code, other.status_code) == (429, 303)
    assert 0 < int(refused["Retry-After"]) <= limits.WITHIN_SECONDS
    assert "Too many orders were sent for this person. Nothing was charged" in text_of(refused)
    assert 'value="Alva+more@example.org"' in refused.content.decode()


@pytest.mark.parametrize("proves", [False, True], ids=["as a guest", "with a code"])
def test_strangers_who_type_an_address_keep_its_owner_out_of_nothing(
    event: Any, dinner: Any, client: Client, proves: bool
) -> None:
    stranger = Client()
    stranger.get(address(event))
    for _ in range(limits.ORDERS + 1):
        last = stranger.post(address(event), solved(event, sent(dinner, email=ALVA)))
    assert last.status_code == 429
    Order.objects.update(state="cancelled")
    client.get(address(event))

    if proves:
        _page, carried = ask_for_code(client, event, dinner)
        answer = client.post(address(event), {**carried, "code": mailed_code()})
    else:
        answer = client.post(address(event), solved(event, sent(dinner, email=ALVA)))

    assert (answer.status_code, answer["Location"]) == (303, address_of(Order.objects.get(state="queued")))


def test_account_is_counted_by_itself(client: Client) -> None:
    event = factories.event()
    dinner = factories.ticket_type(event, factories.quota(event, 10))
    user = factories.user(email=ALVA)
    for _ in range(limits.ORDERS + 1):
        Client().post(address(event), sent(dinner, email=ALVA))
    client.force_login(user)

    assert client.post(address(event), sent(dinner, email=ALVA)).status_code == 303


@pytest.mark.proof("one-campus", what="Everybody behind one IP address gets a place in line", full=1_000, small=100)
def test_a_whole_campus_behind_one_address_gets_through(proof: Any) -> None:
    event = factories.event()
    dinner = factories.ticket_type(event, factories.quota(event, 10))

    answers = [
        Client(REMOTE_ADDR="130.236.1.1").post(address(event), sent(dinner, email=f"student{n}@example.org"))
        for n in range(proof.n)
    ]

    refused = [answer.status_code for answer in answers if answer.status_code != 303]
    proof.record(refused=len(refused))
    assert refused == []
    assert Order.objects.filter(state="queued").count() == proof.n


def test_nobody_is_refused_while_redis_is_away(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from redis.exceptions import ConnectionError

    def away(*_: Any) -> Any:
        raise ConnectionError

    event = factories.event()
    dinner = factories.ticket_type(event, factories.quota(event, 10))
    monkeypatch.setattr(limits, "ORDERS", 0)
    assert client.post(address(event), sent(dinner)).status_code == 429
    monkeypatch.setattr("config.cache.CountingRedisCache._tally", away)

    try:
        assert client.post(address(event), sent(dinner)).status_code == 303
    finally:
        monkeypatch.setattr("config.cache.ForgivingRedisCache._rests_until", 0.0)
    assert "cache unavailable" in caplog.text


def test_limit_asks_the_database_nothing(django_assert_num_queries: Any) -> None:
    event = factories.event()

    with django_assert_num_queries(0):
        assert limits.seconds_to_wait(event, "somebody") == 0


def test_kept_form_carries_a_challenge_of_each_visitors_own(event: Any, dinner: Any) -> None:
    pages = [Client().get(address(event), headers={"HX-Request": "true"}).content.decode() for _ in range(2)]

    tokens = [field(page, "challenge") for page in pages]
    seeds = [re.search(r'data-seed="([0-9a-f]{32})"', page)[1] for page in pages]  # type: ignore[index]
    assert len(set(tokens)) == 2
    assert [token.split(".")[2] for token in tokens] == seeds
    for page, token in zip(pages, tokens, strict=True):
        challenge = challenges.Challenge(token, token.split(".")[2], int(token.split(".")[1]))
        key = field(page, "idempotency_key")
        assert challenges.check(event, key, token, challenges.solve(challenge)) == Verdict.SOLVED
