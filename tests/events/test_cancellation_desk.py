"""The desk for cancelling an event, through its pages: what is shown to whom, and what every page says afterwards."""

from __future__ import annotations

import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import encrypt
from django.test import Client
from django.urls import reverse

from apps.accounts import second_step
from apps.accounts.models import User
from apps.events.tenancy import Role
from apps.ticketing import paying_back
from apps.ticketing.models import Cancellation, Order, SandboxAccount
from apps.ticketing.payments import sandbox
from tests import second_steps
from tests.tenancy.world import World, member, sell

pytestmark = pytest.mark.django_db

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
WORDS = {"say_sv": "Vi ställer in.", "say_en": "We cancel."}


def code() -> str:
    return second_step.code_at(SECRET, int(time.time()) // second_step.STEP_SECONDS)


@pytest.fixture
def cilla(ours: World) -> User:
    person = member(ours.organisation, Role.TREASURER, name="Cilla Ceder")
    Authenticator.objects.create(user=person, type=Authenticator.Type.TOTP, data={"secret": encrypt(SECRET)})
    return person


def signed_in(person: User) -> Client:
    client = Client()
    second_steps.sign_in_with_one_step(client, person)
    return client


def address(world: World) -> str:
    return reverse("cancellation_desk:event", args=[world.event.public_id])


def test_editor_proposes_treasurer_confirms_and_every_page_says_so(
    ours: World, cilla: User, django_capture_on_commit_callbacks: Any
) -> None:
    order = sell(ours)
    SandboxAccount.objects.create(organisation=ours.organisation, currency="SEK", taken_out_minor=-50_000)
    editor, treasurer = signed_in(ours.editor), signed_in(cilla)
    public = Client()
    page = public.get(ours.page.url).content.decode()
    assert "EventScheduled" in page and "Evenemanget är inställt" not in page
    where = address(ours)
    assert where in editor.get(reverse("event_desk:edit", args=[ours.event.public_id])).content.decode()
    shown = editor.get(where).content.decode()
    assert "1 betald order" in shown and "250" in shown
    empty = editor.post(where, {"do": "propose", "say_sv": " ", "say_en": ""})
    assert (empty.status_code, Cancellation.objects.count()) == (400, 0)

    assert editor.post(where, {"do": "propose", **WORDS}).status_code == 302

    proposal = Cancellation.objects.get()
    assert "någon annan" in editor.get(where).content.decode()
    assert str(ours.editor.name) in treasurer.get(reverse("wagtailadmin_home")).content.decode()
    pressed = {"do": "confirm", "proposal": str(proposal.public_id)}
    for who in (editor, signed_in(ours.treasurer)):  # no treasurer, and one without an app
        who.post(where, {**pressed, "code": code()})
    wrong = treasurer.post(where, {**pressed, "code": "12345"})
    ours.event.refresh_from_db()
    assert (wrong.status_code, ours.event.cancelled_at) == (400, None)
    assert "Den koden stämmer inte" in wrong.content.decode()
    assert "en app i telefonen" in signed_in(ours.treasurer).get(where).content.decode()

    with django_capture_on_commit_callbacks(execute=True):
        assert treasurer.post(where, {**pressed, "code": code()}).status_code == 302

    ours.event.refresh_from_db()
    assert ours.event.cancelled_at is not None
    running = treasurer.get(where)
    assert running["Refresh"] == "5" and "0 av 1" in running.content.decode()
    for path in (ours.page.url, reverse("event_list")):
        told = public.get(path).content.decode()
        assert "nställt" in told, path
    assert "EventCancelled" in public.get(ours.page.url).content.decode()
    own = public.get(reverse("ticketing:order", args=[order.reference, order.secret])).content.decode()
    assert "Evenemanget är inställt" in own
    paying_back.go_on(proposal.pk)
    done = treasurer.get(where)
    assert "Refresh" not in done and "1 order" in done.content.decode()
    assert (
        "Dina pengar går tillbaka"
        in public.get(reverse("ticketing:order", args=[order.reference, order.secret])).content.decode()
    )
    assert Order.objects.get(pk=order.pk).state == "refunded"
    assert "Inställt" in editor.get(reverse("event_desk:edit", args=[ours.event.public_id])).content.decode()


def test_proposal_is_withdrawn_and_a_page_of_it_decides_nothing_more(ours: World, cilla: User) -> None:
    editor, treasurer = signed_in(ours.editor), signed_in(cilla)
    editor.post(address(ours), {"do": "propose", **WORDS})
    pressed = {"proposal": str(Cancellation.objects.get().public_id), "code": code()}

    editor.post(address(ours), {"do": "withdraw", **pressed})
    answers = [treasurer.post(address(ours), {"do": do, **pressed}) for do in ("confirm", "withdraw", "", "x")]
    answers.append(treasurer.post(address(ours), {"do": "confirm", "proposal": "x", "code": "x"}))

    assert {answer.status_code for answer in answers} == {302}
    ours.event.refresh_from_db()
    assert (Cancellation.objects.get().state, ours.event.cancelled_at) == ("withdrawn", None)
    assert "Föreslå" in editor.get(address(ours)).content.decode()


def test_who_does_not_tell_a_balance_is_named_before_and_after_the_confirmation(
    ours: World, cilla: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sell(ours)
    monkeypatch.delattr(sandbox, "SandboxAccount")  # so that asking for the balance fails
    treasurer = signed_in(cilla)
    signed_in(ours.editor).post(address(ours), {"do": "propose", **WORDS})
    proposal = Cancellation.objects.get()
    assert "Inget svar; återbetalningen väntar på ett." in treasurer.get(address(ours)).content.decode()
    treasurer.post(address(ours), {"do": "confirm", "proposal": str(proposal.public_id), "code": code()})

    paying_back.go_on(proposal.pk)

    assert "säger inte hur mycket som finns där." in treasurer.get(address(ours)).content.decode()


def test_list_of_payouts_is_for_treasurers_and_harmless(ours: World, cilla: User) -> None:
    order = sell(ours)
    order.payments.update(provider="manual-transfer", provider_reference="OCR 123")
    Order.objects.filter(pk=order.pk).update(name="=HYPERLINK(1)")

    file = signed_in(cilla).get(reverse("cancellation_desk:payouts", args=[ours.event.public_id]))

    assert file["Content-Type"] == "text/csv; charset=utf-8"
    assert file.content.decode("utf-8-sig").splitlines()[1:] == [
        f"{order.reference};'=HYPERLINK(1);{order.email};250,00;SEK;OCR 123;ska beställas"
    ]
    assert order.reference not in signed_in(ours.editor).get(address(ours)).content.decode()
