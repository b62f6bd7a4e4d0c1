"""The inbox: what is verified is stored once and answered at once; anything else leaves no trace."""

from __future__ import annotations

import json
import threading
import uuid

import pytest
from django.db import connections
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.ticketing import clock, invariants, outbox, payments, webhooks
from apps.ticketing.models import Effect, Order, Posting, ProviderEvent, Refund, SandboxCharge, Ticket
from apps.ticketing.payments import sandbox
from tests import factories

ADDRESS = "/webhooks/sandbox/"


def body_of(payment, state="captured", **values) -> bytes:
    told = {
        "id": f"charge-{uuid.uuid4()}-{state}",
        "kind": "payment",
        "reference": payment.provider_reference,
        "state": state,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "our_id": str(payment.public_id),
        "reason": "",
        "paid_with": "Visa ···· 4242",
        **values,
    }
    return json.dumps(told).encode()


def send(body: bytes, header: str | None = None, *, client: Client | None = None, **extra):
    """Post a notice; signed by the bank unless `header` says otherwise."""
    if header is None:
        header = sandbox.signature(body, int(clock.now().timestamp()))
    return (client or Client()).post(
        ADDRESS, body, content_type="application/json", headers={sandbox.SIGNATURE_HEADER: header}, **extra
    )


@pytest.fixture
def payment(db):
    """A payment the bank knows as paid, and of which we have not heard yet."""
    order = factories.reserved_order(2)
    opened = payments.open(payments.start(order, "sandbox", "https://foyer.example/order/"))
    SandboxCharge.objects.update(status="succeeded", card="pays")
    return opened


def test_a_notice_is_stored_answered_and_acted_upon_later(payment, promises_kept):
    response = send(body_of(payment))

    assert (response.status_code, ProviderEvent.objects.count()) == (200, 1)
    assert Order.objects.get().state == "reserved"
    outbox.run_all(kinds=[webhooks.PROCESS])
    assert Order.objects.get().state == "paid"
    assert ProviderEvent.objects.get().processed_at is not None


def test_what_counts_is_what_the_bank_answers_when_asked(payment):
    """A notice that claims a capture the bank does not know of settles nothing."""
    SandboxCharge.objects.update(status="requires_card")

    send(body_of(payment, amount_minor=1))
    outbox.run_all(kinds=[webhooks.PROCESS])

    assert Order.objects.get().state == "reserved"


def test_a_replay_is_answered_and_has_no_effect(payment):
    body = body_of(payment)

    answers = [send(body).status_code for _ in range(5)]
    outbox.run_all(kinds=[webhooks.PROCESS])
    answers.append(send(body).status_code)

    assert answers == [200] * 6
    assert (ProviderEvent.objects.count(), Effect.objects.filter(kind=webhooks.PROCESS).count()) == (1, 1)


def test_processing_twice_settles_once(payment):
    send(body_of(payment))
    effect = Effect.objects.get(kind=webhooks.PROCESS)

    webhooks.process(effect)
    webhooks.process(effect)

    assert (Ticket.objects.count(), Posting.objects.count()) == (2, 1)


def test_a_notice_about_nothing_of_ours_is_kept_and_done_with(payment, caplog):
    send(body_of(payment, our_id=str(uuid.uuid4())))

    outbox.run_all(kinds=[webhooks.PROCESS])

    assert ProviderEvent.objects.get().processed_at is not None
    assert "do not know" in caplog.text


def test_unknown_provider_is_not_found(db):
    assert Client().post("/webhooks/nobody/", b"{}", content_type="application/json").status_code == 404


def test_only_posts_are_taken(db):
    assert Client().get(ADDRESS).status_code == 405


def test_no_cookie_and_no_csrf_token_are_needed(payment):
    assert send(body_of(payment), client=Client(enforce_csrf_checks=True)).status_code == 200


def test_a_large_body_is_refused_unread(db):
    assert send(b"x" * (webhooks.LARGEST_BODY + 1)).status_code == 413
    assert not ProviderEvent.objects.exists()


def forgeries():
    """(name, header for a body at a time)"""

    def by_another(body, at, settings):
        right = settings.SANDBOX_SECRET
        settings.SANDBOX_SECRET = "somebody else's secret, long enough"
        header = sandbox.signature(body, at)
        settings.SANDBOX_SECRET = right
        return header

    return {
        "none": lambda body, at, _: "",
        "wrong key": by_another,
        "other body": lambda body, at, _: sandbox.signature(body + b" ", at),
        "too old": lambda body, at, _: sandbox.signature(body, at - 301),
        "from the future": lambda body, at, _: sandbox.signature(body, at + 330),
        "other time": lambda body, at, _: sandbox.signature(body, at - 10).replace(f"t={at - 10}", f"t={at}"),
        "two times": lambda body, at, _: f"t={at - 400}," + sandbox.signature(body, at),
        "no time": lambda body, at, _: sandbox.signature(body, at).partition(",")[2],
        "not hex": lambda body, at, _: f"t={at},v1=zz",
        "not ascii": lambda body, at, _: f"t={at},v1=å",
        "time is text": lambda body, at, _: sandbox.signature(body, at).replace(f"t={at}", "t=now"),
    }


@pytest.mark.parametrize("name", forgeries())
def test_a_forged_notice_is_refused_and_leaves_nothing(payment, settings, name):
    body = body_of(payment)

    response = send(body, forgeries()[name](body, int(clock.now().timestamp()), settings))

    assert response.status_code == 400
    assert not ProviderEvent.objects.exists()


def test_one_right_signature_among_several_is_enough(payment):
    body = body_of(payment)
    at = int(clock.now().timestamp())

    response = send(body, f"t={at},v1={'0' * 64}," + sandbox.signature(body, at).partition(",")[2])

    assert response.status_code == 200


def test_without_a_secret_nothing_is_believed(payment, settings):
    settings.SANDBOX_SECRET = ""
    body = body_of(payment)

    assert send(body, sandbox.signature(body, int(clock.now().timestamp()))).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b'{"id": "event-00001"}',
        b'{"id": 5, "kind": "payment", "reference": [], "state": "", "amount_minor": 1, "our_id": ""}',
    ],
    ids=["empty", "null", "list", "bytes", "few fields", "wrong types"],
)
def test_a_signed_body_that_is_no_notice_is_refused(db, body):
    assert send(body).status_code == 400
    assert not ProviderEvent.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"id": "short"},
        {"id": "event'; drop table"},
        {"kind": "gift"},
        {"amount_minor": "50000"},
        {"amount_minor": True},
        {"amount_minor": 2.5},
        {"our_id": "not an id"},
        {"our_id": None},
        {"currency": 5},
        {"reason": "x" * 200},
        {"paid_with": None},
        {"paid_with": "x" * 200},
        {"reference": "charge-\0"},
        {"reference": "charge-\ud800"},
    ],
    ids=str,
)
def test_a_signed_notice_with_a_wrong_field_is_refused(payment, change):
    assert send(body_of(payment, **change)).status_code == 400
    assert not ProviderEvent.objects.exists()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=400), header=st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"])))
def test_nothing_unsigned_is_ever_taken_whatever_it_is(db, body, header):
    assert send(body, header).status_code == 400
    assert not ProviderEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.proof("webhook_replay", what="A notice replayed by 50 at once has one effect", full=1_000, small=100)
def test_a_notice_replayed_by_fifty_at_once_has_one_effect(proof):
    order = factories.reserved_order(2)
    payment = payments.open(payments.start(order, "sandbox", "https://foyer.example/order/"))
    SandboxCharge.objects.update(status="succeeded", card="pays")
    body = body_of(payment)
    header = sandbox.signature(body, int(clock.now().timestamp()))
    answers: list[int] = []
    start = threading.Barrier(50)

    def replay() -> None:
        start.wait()
        for _ in range(max(1, proof.n // 50)):
            answers.append(send(body, header).status_code)
        for pk in Effect.objects.filter(kind=webhooks.PROCESS).values_list("pk", flat=True):
            outbox.run(pk)
        connections.close_all()

    threads = [threading.Thread(target=replay) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outbox.run_all(kinds=[webhooks.PROCESS])

    order.refresh_from_db()
    assert set(answers) == {200}
    assert (ProviderEvent.objects.count(), Effect.objects.filter(kind=webhooks.PROCESS).count()) == (1, 1)
    assert (order.state, Ticket.objects.count(), Posting.objects.count(), Refund.objects.count()) == ("paid", 2, 1, 0)
    assert invariants.check() == []
    proof.record(answers=len(answers), effects=1)
