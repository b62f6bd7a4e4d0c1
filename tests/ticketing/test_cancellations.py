"""Cancelling an event: it takes two, it stops first, and everybody gets their money back once and one mail."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from multiprocessing import get_context
from threading import Barrier
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import encrypt
from django.contrib.auth.models import Group
from django.core import mail
from django.db import IntegrityError, connection, connections, transaction
from django.test import Client
from django.urls import reverse

from apps.accounts import second_step
from apps.accounts.models import User
from apps.checkin import scans
from apps.events.models import Event, Organisation
from apps.ticketing import (
    cancellation_sums,
    cancellations,
    catalogue,
    changes,
    invariants,
    mails,
    ordering,
    outbox,
    paying_back,
    payments,
    queue,
    reasons,
    refunds,
    sale_control,
)
from apps.ticketing.extensions import UnknownOutcome, payment_providers
from apps.ticketing.mails import people_letters
from apps.ticketing.models import (
    Cancellation,
    Effect,
    Order,
    Payment,
    Quota,
    Refund,
    SandboxAccount,
    SandboxCharge,
    SentMail,
    Ticket,
    TicketType,
)
from apps.ticketing.payments import sandbox, settle
from tests import factories
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db

SECRETS = ("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
PRICE = 25_000


def association() -> Organisation:
    made = factories.organisation()
    for role in ("editors", "treasurers", "door"):
        setattr(made, role, Group.objects.create(name=f"{made.slug}: {role}"))
    made.save()
    return made


def member(organisation: Organisation, role: str, secret: str = "") -> User:
    person = factories.user()
    person.groups.add(getattr(organisation, role))
    if secret:
        data = {"secret": encrypt(secret)}
        Authenticator.objects.create(user=person, type=Authenticator.Type.TOTP, data=data)
    return person


def code(secret: str) -> str:
    return second_step.code_at(secret, int(time.time()) // second_step.STEP_SECONDS)


class House:
    """An event with a sale, and two treasurers whose apps we know."""

    def __init__(self, places: int = 20, price_minor: int = PRICE) -> None:
        self.organisation = association()
        self.event: Event = factories.event(organisation=self.organisation)
        self.quota: Quota = factories.quota(self.event, places)
        self.kind: TicketType = factories.ticket_type(self.event, self.quota, price_minor=price_minor)
        self.bo, self.cilla = (member(self.organisation, "treasurers", secret) for secret in SECRETS)

    def held(self, number: int = 1) -> Order:
        return factories.reserved_order(number, of=self.kind)

    def bought(self, number: int = 1) -> Order:
        """Paid at the sandbox bank."""
        return self.paid(self.held(number))

    def paid(self, order: Order) -> Order:
        payment = payments.start(order, "sandbox", "http://localhost/")
        if payment is not None:
            opened = payments.open(payment)
            sandbox.give_card(SandboxCharge.objects.get(public_id=opened.provider_reference).public_id, "pays")
            payments.fetch(payment.pk)
        order.refresh_from_db()
        assert order.state == "paid"
        return order

    def cancel(self) -> Cancellation:
        proposed = cancellations.propose(self.event, by=self.bo, say_sv="Vi ställer in.", say_en="We cancel.")
        cancellations.confirm(proposed, by=self.cilla, code=code(SECRETS[1]))
        self.event.refresh_from_db()
        return proposed

    def states(self) -> Counter[str]:
        return Counter(self.event.orders.values_list("state", flat=True))


@pytest.fixture(autouse=True)
def promises(promises_kept: None) -> None:
    """Every test here ends with all promises kept."""


@pytest.fixture
def house(db: None) -> House:
    return House()


def asked_mails(event: Event, name: str = "event_cancelled") -> Counter[int]:
    rows = Effect.objects.filter(kind=mails.KIND, order__event=event, payload__name=name)
    return Counter(rows.values_list("order_id", flat=True))


# --- The whole way ---------------------------------------------------------------------------------------------------


def test_sale_and_door_stop_first_then_everybody_gets_their_money_back_and_one_mail(house: House) -> None:
    paid, two, held = house.bought(), house.bought(2), house.held()
    Quota.objects.filter(pk=house.quota.pk).update(size=4)
    waiting = factories.order(house.event, factories.wanted(house.kind))
    queue.drain(house.event.pk)
    assert house.states() == {"paid": 2, "reserved": 1, "waiting": 1}
    plan = cancellation_sums.plan(house.event)
    (share,) = plan.shares
    assert (plan.orders, plan.tickets, plan.unpaid, plan.sum_minor) == (2, 3, 2, 3 * PRICE)
    assert (share.provider, share.orders, share.balance_minor, share.short_minor) == ("sandbox", 2, 3 * PRICE, 0)

    cancellation = house.cancel()

    # At once, before any worker has begun:
    with pytest.raises(sale_control.CannotChange, match="inställt"):
        sale_control.resume(house.event)
    catalogue.forget()
    with pytest.raises(ordering.Refused) as refused:
        factories.order(house.event, factories.wanted(house.kind))
    assert [problem.reason for problem in refused.value.problems] == [reasons.EVENT_CANCELLED]
    ticket = Ticket.objects.filter(line__order=paid).get()
    robin = member(house.organisation, "door")
    verdict = scans.admit(ticket.short_code, event=house.event, by=robin)
    assert (verdict.outcome, verdict.reason) == ("not_valid", "door_event_cancelled")
    with pytest.raises(scans.EventCancelled):
        scans.let_in_anyway(scans.Scan.objects.get(public_id=verdict.scan_id), by=house.bo, reason="other")

    queue.drain(house.event.pk)
    paying_back.go_on(cancellation.pk)
    outbox.run_all(kinds=["refund.send", "payment.close", mails.KIND])

    cancellation.refresh_from_db()
    assert house.states() == {"refunded": 2, "cancelled": 1, "rejected": 1}
    assert set(house.event.orders.values_list("reason", flat=True)) == {reasons.EVENT_CANCELLED}
    assert set(Ticket.objects.values_list("state", flat=True)) == {"revoked"}
    assert sorted(Refund.objects.values_list("amount_minor", "state")) == [(PRICE, "pending"), (2 * PRICE, "pending")]
    assert cancellation.state == "done"
    told = cancellation_sums.progress(cancellation)
    assert (told.orders, told.left, told.left_minor, told.sums) == (2, 0, 0, {"pending": (2, 3 * PRICE)})
    assert asked_mails(house.event) == {order.pk: 1 for order in (paid, two, held, waiting)}
    sent = Counter(SentMail.objects.exclude(name="order_confirmation").values_list("name", "to"))
    assert sent == {("event_cancelled", order.email): 1 for order in (paid, two, held, waiting)}


def test_what_was_given_back_before_does_not_go_back_again(house: House) -> None:
    order = house.bought()
    refunds.give_back(order, order.lines.get(), 5_000, note="The starter was missing.")
    assert cancellation_sums.plan(house.event).sum_minor == PRICE - 5_000

    cancellation = house.cancel()
    paying_back.go_on(cancellation.pk)
    outbox.run_all(kinds=["refund.send"])

    assert sorted(Refund.objects.values_list("amount_minor", flat=True)) == [5_000, PRICE - 5_000]
    assert house.states() == {"refunded": 1}


def test_free_order_is_closed_without_money(db: None) -> None:
    house = House(price_minor=0)
    order = house.held()
    assert payments.start(order, "", "http://localhost/") is None
    cancellation = house.cancel()

    paying_back.go_on(cancellation.pk)

    cancellation.refresh_from_db()
    assert (house.states(), Refund.objects.count(), cancellation.state) == ({"refunded": 1}, 0, "done")


def test_a_form_read_before_leaves_the_event_cancelled(house: House) -> None:
    read_before = Event.objects.get(pk=house.event.pk)
    house.cancel()

    read_before.venue = "Annanstans"
    read_before.save()

    house.event.refresh_from_db()
    assert house.event.cancelled_at is not None
    assert house.event.venue == "Annanstans"


# --- Two persons -----------------------------------------------------------------------------------------------------


def test_one_person_cannot_do_it_alone(house: House) -> None:
    proposed = cancellations.propose(house.event, by=house.bo)
    own = code(SECRETS[0])

    with pytest.raises(cancellations.SamePerson):
        cancellations.confirm(proposed, by=house.bo, code=own)

    assert second_step.confirmed(house.bo, own), "the code was not used up"
    with pytest.raises(IntegrityError, match="cancellation_takes_two"), transaction.atomic():
        Cancellation.objects.update(confirmed_by=house.bo)
    house.event.refresh_from_db()
    assert (Cancellation.objects.get().state, house.event.cancelled_at) == ("proposed", None)


def test_old_form_does_not_confirm_what_its_reader_proposed_since(house: House) -> None:
    """Cilla proposes, Bo opens the page; Cilla withdraws, Bo proposes anew, and sends the old page's form."""
    shown = cancellations.propose(house.event, by=house.cilla)
    cancellations.withdraw(Cancellation.objects.get(pk=shown.pk), by=house.cilla)
    cancellations.propose(house.event, by=house.bo)

    with pytest.raises(cancellations.CannotCancel):
        cancellations.confirm(shown, by=house.bo, code=code(SECRETS[0]))

    house.event.refresh_from_db()
    assert sorted(Cancellation.objects.values_list("state", flat=True)) == ["proposed", "withdrawn"]
    assert house.event.cancelled_at is None


def test_confirming_takes_a_treasurer_of_the_organisation_and_a_fresh_code(house: House) -> None:
    editor, stranger = member(house.organisation, "editors"), member(association(), "treasurers", SECRETS[1])
    with pytest.raises(cancellations.CannotCancel):
        cancellations.propose(house.event, by=member(house.organisation, "door"))
    proposed = cancellations.propose(house.event, by=house.bo)
    with pytest.raises(cancellations.CannotCancel, match=r"already|redan"):
        cancellations.propose(house.event, by=editor)

    for person in (editor, stranger):
        with pytest.raises(cancellations.CannotCancel):
            cancellations.confirm(proposed, by=person, code=code(SECRETS[1]))
    with pytest.raises(cancellations.WrongCode):
        cancellations.confirm(proposed, by=house.cilla, code="12345")
    used = code(SECRETS[1])
    assert second_step.confirmed(house.cilla, used)
    with pytest.raises(cancellations.WrongCode):
        cancellations.confirm(proposed, by=house.cilla, code=used)

    house.event.refresh_from_db()
    assert house.event.cancelled_at is None


def at_once(*verbs: Callable[[], Any]) -> list[str]:
    """What each of these ends with when they run at the same moment."""
    barrier = Barrier(len(verbs))

    def run(verb: Callable[[], Any]) -> str:
        try:
            barrier.wait(30)
            verb()
        except cancellations.CannotCancel as refusal:
            return type(refusal).__name__
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(len(verbs)) as pool:
        return sorted(pool.map(run, verbs))


@pytest.mark.django_db(transaction=True)
def test_two_confirm_at_once_and_one_of_them_does_it() -> None:
    house = House()
    order = house.bought()
    dag = member(house.organisation, "treasurers", SECRETS[0])
    proposed = cancellations.propose(house.event, by=house.bo)

    def confirms(person: User, secret: str) -> Callable[[], None]:
        seen = cancellations.of(house.event)
        assert seen is not None
        return lambda: cancellations.confirm(seen, by=person, code=code(secret))

    outcomes = at_once(confirms(house.cilla, SECRETS[1]), confirms(dag, SECRETS[0]))

    assert outcomes == ["CannotCancel", "done"]
    assert house.event.sale_changes.count() == 1
    assert asked_mails(house.event) == {order.pk: 1}
    assert Cancellation.objects.get(pk=proposed.pk).confirmed_by in (house.cilla, dag)


@pytest.mark.django_db(transaction=True)
def test_the_race_would_show_a_confirmation_that_only_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: whoever reads the state and writes afterwards lets both of them through."""
    house = House()
    dag = member(house.organisation, "treasurers", SECRETS[0])
    cancellations.propose(house.event, by=house.bo)

    def looks_first(model: Any, ids: list[int], old: str, new: str, **values: Any) -> list[int]:
        values.pop("actor", None)
        return ids if Cancellation.objects.filter(pk__in=ids).update(state=new, **values) else []

    monkeypatch.setattr(cancellations, "move_many", looks_first)
    seen = [cancellations.of(house.event), cancellations.of(house.event)]

    outcomes = at_once(
        lambda: cancellations.confirm(seen[0], by=house.cilla, code=code(SECRETS[1])),  # type: ignore[arg-type]
        lambda: cancellations.confirm(seen[1], by=dag, code=code(SECRETS[0])),  # type: ignore[arg-type]
    )

    assert outcomes == ["done", "done"]
    assert house.event.sale_changes.count() == 2


@pytest.mark.django_db(transaction=True)
def test_withdrawing_and_confirming_at_once_do_not_both_happen() -> None:
    house = House()
    cancellations.propose(house.event, by=house.bo)
    mine, theirs = cancellations.of(house.event), cancellations.of(house.event)
    assert mine is not None and theirs is not None

    outcomes = at_once(
        lambda: cancellations.withdraw(mine, by=house.bo),
        lambda: cancellations.confirm(theirs, by=house.cilla, code=code(SECRETS[1])),
    )

    assert outcomes == ["CannotCancel", "done"]
    house.event.refresh_from_db()
    was_confirmed = Cancellation.objects.get().state == "running"
    assert (house.event.cancelled_at is not None) is was_confirmed


# --- Paying back -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_killed_worker_has_lost_nothing_and_the_next_goes_on() -> None:
    house = House()
    orders = [house.bought() for _ in range(4)]
    cancellation = house.cancel()

    for _death in range(2):
        connections.close_all()
        worker = get_context("fork").Process(target=_die_after_one_order, args=(cancellation.pk,))
        worker.start()
        worker.join(60)
        assert worker.exitcode == -signal.SIGKILL
    assert house.states() == {"refunded": 2, "paid": 2}
    paying_back.go_on(cancellation.pk)
    paying_back.go_on(cancellation.pk)

    cancellation.refresh_from_db()
    assert (house.states(), cancellation.state) == ({"refunded": 4}, "done")
    assert Counter(Refund.objects.values_list("payment__order", flat=True)) == {order.pk: 1 for order in orders}
    assert asked_mails(house.event) == {order.pk: 1 for order in orders}


def _die_after_one_order(cancellation_id: int) -> None:
    os.environ["FOYER_CRASH_AT"] = "cancellation.order"
    paying_back.go_on(cancellation_id)


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_order_back_no_more_than_lies_ready() -> None:
    house = House()
    for _ in range(6):
        house.bought()
    SandboxAccount.objects.create(organisation=house.organisation, currency="SEK", taken_out_minor=3 * PRICE)
    cancellation = house.cancel()

    at_once(*[lambda: paying_back.go_on(cancellation.pk)] * 4)
    paying_back.go_on(cancellation.pk)

    assert house.states() == {"refunded": 3, "paid": 3}
    cancellation.refresh_from_db()
    assert (cancellation.short_minor, cancellation.short_provider) == (3 * PRICE, "sandbox")


@pytest.mark.django_db(transaction=True)
def test_the_race_would_show_workers_that_do_not_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: without the lock each of them orders back the same balance."""
    house = House()
    for _ in range(6):
        house.bought()
    SandboxAccount.objects.create(organisation=house.organisation, currency="SEK", taken_out_minor=3 * PRICE)
    cancellation = house.cancel()
    together, ask = Barrier(4), cancellation_sums.balance_of

    def asks_together(*arguments: Any) -> int | None:
        answer = ask(*arguments)
        together.wait(30)
        return answer

    monkeypatch.setattr(paying_back, "_alone", lambda _pk: nullcontext(True))
    monkeypatch.setattr(cancellation_sums, "balance_of", asks_together)

    at_once(*[lambda: paying_back.go_on(cancellation.pk)] * 4)

    assert house.states()["refunded"] > 3


def test_waits_for_a_top_up_and_goes_on_by_itself(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [house.bought() for _ in range(3)]
    account = SandboxAccount.objects.create(
        organisation=house.organisation, currency="SEK", taken_out_minor=2 * PRICE - 1
    )
    (share,) = cancellation_sums.plan(house.event).shares
    assert (share.balance_minor, share.short_minor) == (PRICE + 1, 2 * PRICE - 1)
    rung: list[Any] = []
    monkeypatch.setattr(paying_back.jobs, "ring", lambda job, ids, **_: rung.extend(ids))
    cancellation = house.cancel()

    paying_back.go_on(cancellation.pk)
    outbox.run_all(kinds=["refund.send"])
    paying_back.go_on(cancellation.pk)
    cancellation.refresh_from_db()

    assert house.states() == {"refunded": 1, "paid": 2}
    assert (cancellation.state, cancellation.short_minor) == ("running", 2 * PRICE - 1)
    rung.clear()
    paying_back.sweep()
    assert rung == [], "asked a moment ago"
    with clock_moved(paying_back.LOOKS_AGAIN):
        paying_back.sweep()
    assert rung == [cancellation.pk]

    account.taken_out_minor = 0
    account.save()
    paying_back.go_on(cancellation.pk)
    cancellation.refresh_from_db()
    assert (house.states(), cancellation.state, cancellation.short_minor) == ({"refunded": 3}, "done", 0)
    assert asked_mails(house.event) == {order.pk: 1 for order in orders}


def test_a_balance_that_is_not_told_is_no_permission(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        house.bought()
    ask = sandbox.Sandbox.balance

    def silent(*_: Any) -> int:
        raise UnknownOutcome("time-out")

    monkeypatch.setattr(sandbox.Sandbox, "balance", silent)
    (share,) = cancellation_sums.plan(house.event).shares
    assert (share.balance_minor, share.is_silent) == (None, True)
    cancellation = house.cancel()

    paying_back.go_on(cancellation.pk)
    cancellation.refresh_from_db()

    assert (house.states(), Refund.objects.count()) == ({"paid": 3}, 0)
    assert (cancellation.state, cancellation.short_minor, cancellation.short_provider) == ("running", 0, "sandbox")
    assert [record.levelname for record in caplog.records if "does not tell" in record.message] == ["ERROR"]
    rung: list[Any] = []
    monkeypatch.setattr(paying_back.jobs, "ring", lambda job, ids, **_: rung.extend(ids))
    paying_back.sweep()
    assert rung == [], "asked a moment ago"

    monkeypatch.setattr(sandbox.Sandbox, "balance", ask)
    with clock_moved(paying_back.LOOKS_AGAIN):
        paying_back.sweep()
    assert rung == [cancellation.pk]
    paying_back.go_on(cancellation.pk)
    cancellation.refresh_from_db()
    assert (house.states(), cancellation.state, cancellation.short_provider) == ({"refunded": 3}, "done", "")


def test_what_was_paid_for_other_choices_is_no_ticket_and_takes_of_what_lies_ready(house: House) -> None:
    wine = factories.choice(factories.variation(house.kind, kind="many"), delta_minor=10_000)
    order = house.bought()
    changed = changes.begin(order, Ticket.objects.get(), {wine.pk: 1}, agreed_minor=10_000)
    assert changed is not None
    house.paid(changed)
    house.bought()
    SandboxAccount.objects.create(organisation=house.organisation, currency="SEK", taken_out_minor=20_000)

    plan = cancellation_sums.plan(house.event)
    cancellation = house.cancel()
    paying_back.go_on(cancellation.pk)
    cancellation.refresh_from_db()

    assert (plan.tickets, plan.sum_minor, plan.shares[0].short_minor) == (2, 60_000, 20_000)
    assert house.states() == {"refunded": 2, "paid": 1}, "35,000 of the 40,000 went back with the first order"
    assert cancellation.short_minor == 20_000


def test_a_disputed_order_keeps_no_other_from_its_money_and_is_paid_back_when_it_is_won(house: House) -> None:
    disputed, other = house.bought(2), house.bought()
    account = SandboxAccount.objects.create(organisation=house.organisation, currency="SEK", taken_out_minor=2 * PRICE)

    def bank_says(state: str) -> None:
        told = factories.notice(disputed.payments.get(), state, kind="dispute", reference="dispute-1")
        settle.settle(told, provider="sandbox")

    bank_says("opened")
    plan = cancellation_sums.plan(house.event)
    assert (plan.orders, plan.disputed, plan.sum_minor) == (2, 1, PRICE)
    cancellation = house.cancel()
    paying_back.go_on(cancellation.pk)
    cancellation.refresh_from_db()
    other.refresh_from_db()
    far = cancellation_sums.progress(cancellation)
    assert (other.state, cancellation.state, cancellation.short_minor) == ("refunded", "running", 0)
    assert (far.left, far.disputed, far.left_minor) == (1, 1, 0)
    page = Client().get(reverse("ticketing:order", args=[disputed.reference, disputed.secret])).content.decode()
    assert "banken skickar till oss igen" in page

    outbox.run_all(kinds=[mails.KIND])
    first = [body_to(order) for order in (disputed, other)]
    assert "Din bank har tagit tillbaka pengarna" in first[0] and "Alla 500" not in first[0]
    assert "Din bank" not in first[1] and "Alla 250" in first[1]

    bank_says("won")
    account.delete()
    paying_back.go_on(cancellation.pk)
    cancellation.refresh_from_db()
    assert (house.states(), cancellation.state) == ({"refunded": 2}, "done")
    outbox.run_all(kinds=[mails.KIND])
    assert "Alla 500" in body_to(disputed)
    assert asked_mails(house.event) == {disputed.pk: 2, other.pk: 1}


def body_to(order: Order) -> str:
    """The newest mail to the buyer that says what is cancelled."""
    sent = [message for message in mail.outbox if message.to == [order.email] and "Inställt" in str(message.subject)]
    return str(sent[-1].body)


def test_a_refund_that_was_sent_again_counts_once(house: House) -> None:
    order = house.bought()
    cancellation = house.cancel()
    paying_back.go_on(cancellation.pk)
    refund = Refund.objects.get(payment__order=order)
    failed = factories.notice(refund.payment, "failed", kind="refund", our_id=str(refund.public_id), reference="")
    settle.settle(failed, provider="sandbox")
    assert cancellation_sums.progress(cancellation).sums == {"failed": (1, PRICE)}

    refunds.send_again(refund)

    assert cancellation_sums.progress(cancellation).sums == {"ordered": (1, PRICE)}
    mail.outbox.clear()
    outbox.run_all(kinds=[mails.KIND])
    assert "250 kr är på väg tillbaka till dig" in [str(message.subject) for message in mail.outbox]


def test_an_event_that_is_over_by_now_is_not_cancelled(house: House) -> None:
    house.bought()
    proposed = cancellations.propose(house.event, by=house.bo)

    with clock_moved(timedelta(days=31)), pytest.raises(cancellations.CannotCancel, match="över"):
        cancellations.confirm(proposed, by=house.cilla, code=code(SECRETS[1]))

    proposed.refresh_from_db()
    house.event.refresh_from_db()
    assert (proposed.state, house.event.cancelled_at, house.states()) == ("proposed", None, {"paid": 1})


def test_the_other_treasurers_are_written_to_that_a_cancellation_waits(house: House) -> None:
    house.cilla.locale = "en"
    house.cilla.save()

    proposed = cancellations.propose(house.event, by=house.bo)
    outbox.run_all(kinds=[people_letters.KIND])

    (told,) = mail.outbox
    assert (told.to, str(told.subject)) == ([house.cilla.email], "Lucia dinner: cancel it and pay everybody back?")
    assert reverse("cancellation_desk:event", args=[house.event.public_id]) in str(told.body)
    assert told.alternatives and str(house.bo) in str(told.alternatives[0][0])
    cancellations.withdraw(proposed, by=house.bo)
    cancellations.propose(house.event, by=house.bo)
    cancellations.withdraw(Cancellation.objects.latest("pk"), by=house.bo)
    outbox.run_all(kinds=[people_letters.KIND])
    assert len(mail.outbox) == 1, "withdrawn before it was sent"


def test_where_there_is_no_other_treasurer_the_organisation_is_written_to(house: House) -> None:
    house.cilla.groups.clear()

    cancellations.propose(house.event, by=house.bo)
    outbox.run_all(kinds=[people_letters.KIND])

    assert [message.to for message in mail.outbox] == [[house.organisation.email]]


def test_an_order_that_fails_keeps_no_other_from_its_money(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [house.bought() for _ in range(3)]
    cancellation = house.cancel()
    refund = paying_back.refunds.order_refund

    def stumbles(order: Order, *args: Any, **kwargs: Any) -> Any:
        if order.pk == orders[0].pk:
            raise RuntimeError("a plugin")
        return refund(order, *args, **kwargs)

    monkeypatch.setattr(paying_back.refunds, "order_refund", stumbles)
    paying_back.go_on(cancellation.pk)
    assert house.states() == {"refunded": 2, "paid": 1}

    monkeypatch.undo()
    paying_back.go_on(cancellation.pk)
    cancellation.refresh_from_db()
    assert (house.states(), cancellation.state) == ({"refunded": 3}, "done")


def test_money_that_comes_after_all_goes_back(house: House) -> None:
    """One paid in the moment of the confirmation, one whose hold had ended before, and one after it was closed."""
    SandboxAccount.objects.create(organisation=house.organisation, currency="SEK", taken_out_minor=-3 * PRICE)
    in_the_moment, expired, closed = house.held(), house.held(), house.held()
    due = [factories.payment(order) for order in (in_the_moment, expired, closed)]
    factories.queue.reservations.release([expired.pk], "reserved", "expired", "hold_expired")
    cancellation = house.cancel()
    settle.settle(factories.notice(due[0]), provider="sandbox")
    paying_back.go_on(cancellation.pk)

    for payment in due[1:]:
        settle.settle(factories.notice(payment), provider="sandbox")

    assert house.states() == {"refunded": 1, "expired": 1, "cancelled": 1}
    assert Counter(Refund.objects.values_list("payment__order", flat=True)) == {
        order.pk: 1 for order in (in_the_moment, expired, closed)
    }
    outbox.run_all(kinds=[mails.KIND])
    told_off = SentMail.objects.filter(name="event_cancelled").values_list("order", "payload__amount_minor")
    assert sorted(told_off) == [(in_the_moment.pk, PRICE), (closed.pk, 0)]
    cancellation.refresh_from_db()
    assert cancellation.state == "done"
    assert not invariants.check()


class ByHand:
    """Stands for the provider of manual payments, whose refunds a treasurer carries out."""

    slug = "manual-test"
    label = "Bank transfer"
    starts_per_second = None

    def is_available(self, currency: str) -> bool:
        return True

    def refund(self, refund: Refund, *, key: str) -> Any:
        return factories.notice(refund.payment, "pending", kind="refund", reference="", our_id=str(refund.public_id))


def test_what_was_paid_by_hand_ends_in_a_list(house: House) -> None:
    card, hand = house.bought(), house.held(2)
    with payment_providers.temporarily(ByHand()):
        due = factories.payment(hand, provider="manual-test", provider_reference="OCR 123")
        settle.settle(factories.notice(due), provider="manual-test")
        assert {share.provider: share.is_by_hand for share in cancellation_sums.plan(house.event).shares} == {
            "sandbox": False,
            "manual-test": True,
        }
        assert [(row.reference, row.amount_minor) for row in cancellation_sums.payouts(house.event)] == [
            (hand.reference, 2 * PRICE)
        ]
        cancellation = house.cancel()

        paying_back.go_on(cancellation.pk)
        outbox.run_all(kinds=["refund.send", mails.KIND])

    (row,) = cancellation_sums.payouts(house.event)
    assert (row.reference, row.amount_minor, row.paid_as) == (hand.reference, 2 * PRICE, "OCR 123")
    assert Payment.objects.filter(order=card).count() == 1
    sent = SentMail.objects.get(order=hand, name="event_cancelled")
    (written,) = [message for message in mail.outbox if message.subject == sent.subject and hand.email in message.to[0]]
    assert "för hand" in written.body
