"""Our books beside the provider's statement: every movement that agrees, and every way in which one may not."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.events.models import Organisation
from apps.ticketing import clock, ledger, outbox, payments, reconciliation, refunds
from apps.ticketing.extensions import Notice, ProviderRefused, TellsTransactions, UnknownOutcome, payment_providers
from apps.ticketing.ledger import Account, Side
from apps.ticketing.models import Effect, Order, Payment, Posting, Refund, SandboxCharge, SandboxEntry, SandboxRefund
from apps.ticketing.payments import sandbox, settle
from apps.ticketing.reconciliation import Wrong
from tests import factories
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db


def pay(order: Order, card: str = "pays") -> Payment:
    """The buyer's way through the sandbox bank, and the bank's word of it."""
    payment = payments.open(payments.start(order, "sandbox", "https://foyer.example/back/"))
    sandbox.give_card(payment.provider_reference, card)
    settle.settle(payment_providers.get("sandbox").fetch(payment), provider="sandbox")
    payment.refresh_from_db()
    return payment


def send_back(payment: Payment) -> Refund:
    refund = refunds.order_refund(payment.order, payment.order.lines.all()[:1], reason="refused")
    outbox.run_all(kinds=[refunds.SEND])
    assert refund is not None
    done = SandboxRefund.objects.get(reference=str(refund.public_id))
    tell = Notice(
        event_id="",
        kind="refund",
        reference=str(done.public_id),
        state="done",
        amount_minor=done.amount_minor,
        currency="SEK",
        our_id=done.reference,
    )
    settle.settle(tell, provider="sandbox")
    return refund


def dispute(payment: Payment, *states: str) -> None:
    for state in states:
        charge = sandbox.dispute(payment.provider_reference, state)
        settle.settle(sandbox._dispute_notice(charge, state, ""), provider="sandbox")


@pytest.fixture
def payment() -> Payment:
    """A paid order of 500 kr, two tickets, everything that can happen to it told by the bank."""
    return pay(factories.reserved_order(2, price_minor=25_000))


def compare(since: timedelta = timedelta(days=7)) -> reconciliation.Outcome:
    """As it is an hour later: nothing is on its way any more."""
    with clock_moved(timedelta(hours=1)):
        return reconciliation.compare(Organisation.objects.all(), clock.now() - since)


def found(outcome: reconciliation.Outcome) -> list[tuple[str, int, int]]:
    return [(one.wrong, one.ours_minor, one.theirs_minor) for one in outcome.differences]


def test_everything_that_happened_agrees_and_fees_are_booked_once(payment: Payment, promises_kept: None) -> None:
    send_back(payment)
    other = pay(factories.reserved_order(1, price_minor=10_000))
    dispute(other, "opened", "won")
    lost = pay(factories.reserved_order(1, price_minor=20_000))
    dispute(lost, "opened", "lost")

    first, second = compare(), compare()

    assert (found(first), first.compared, first.fees_booked) == ([], 7, 3)
    assert (found(second), second.compared, second.fees_booked) == ([], 7, 0)
    fee = 750 + 180  # 1.5 % and 1.80 kr
    assert ledger.balance(Account.PROVIDER_FEE, order=payment.order) == fee
    # What the bank holds for them is what our books say it holds.
    ours = ledger.balance(Account.CLEARING)
    assert ours == sum(entry.amount_minor - entry.fee_minor for entry in SandboxEntry.objects.all())


def test_a_payment_that_we_never_heard_of_is_found(payment: Payment) -> None:
    unheard = payments.open(
        payments.start(factories.reserved_order(1, price_minor=10_000), "sandbox", "https://foyer.example/")
    )
    sandbox.give_card(unheard.provider_reference, "pays")

    outcome = compare()

    assert found(outcome) == [(Wrong.ONLY_THERE, 0, 10_000)]
    assert outcome.differences[0].order == unheard.order
    assert outcome.fees_booked == 2


def test_what_the_provider_does_not_have_is_found(payment: Payment) -> None:
    SandboxCharge.objects.get(public_id=payment.provider_reference).entries.all().delete()

    assert found(compare()) == [(Wrong.ONLY_HERE, 50_000, 0)]


def test_another_amount_is_found(payment: Payment) -> None:
    SandboxEntry.objects.update(amount_minor=49_999)

    assert found(compare()) == [(Wrong.AMOUNT, 50_000, 49_999)]


def test_a_refund_that_only_one_side_made_is_found(payment: Payment) -> None:
    send_back(payment)
    SandboxEntry.objects.filter(kind="refund").delete()

    assert found(compare()) == [(Wrong.ONLY_HERE, -25_000, 0)]


def test_a_refund_that_came_back_is_on_neither_side(payment: Payment, promises_kept: None) -> None:
    refund = send_back(payment)
    failed = factories.notice(payment, "failed", kind="refund", our_id=str(refund.public_id), reference="")
    settle.settle(failed, provider="sandbox")
    SandboxEntry.objects.filter(kind="refund").delete()  # as Stripe's statement leaves it out: stripe_statement

    with clock_moved(timedelta(hours=1)):
        assert found(compare()) == []


def test_what_just_happened_may_still_be_on_its_way(payment: Payment) -> None:
    SandboxEntry.objects.all().delete()

    assert reconciliation.compare(Organisation.objects.all()).differences == []


def test_what_was_told_days_later_agrees_and_what_is_older_is_not_asked_about(payment: Payment) -> None:
    """Booked by us today, by the bank three days ago: the two halves find each other across the edge."""
    SandboxEntry.objects.update(at=clock.now() - timedelta(days=3))
    old = pay(factories.reserved_order(1, price_minor=10_000))
    SandboxEntry.objects.filter(object_reference=old.provider_reference).update(at=clock.now() - timedelta(days=30))
    with clock_moved(timedelta(days=2)):
        outcome = reconciliation.compare(Organisation.objects.all(), clock.now() - timedelta(days=1))
    assert (found(outcome), outcome.compared) == ([], 1)

    assert found(compare(timedelta(days=5))) == [(Wrong.ONLY_HERE, 10_000, 0)]


def test_each_organisation_is_compared_by_itself(payment: Payment) -> None:
    SandboxEntry.objects.all().delete()
    other = factories.organisation()

    with clock_moved(timedelta(hours=1)):
        assert reconciliation.compare([other]).differences == []
        assert len(reconciliation.compare([payment.order.organisation]).differences) == 1


class Mute:
    """A bank that does not answer."""

    slug = "mute"
    label = "Mute"

    def transactions(self, organisation: Organisation, since: Any) -> list[Any]:
        raise UnknownOutcome("time-out")


def test_a_provider_without_a_statement_is_left_out_and_one_without_an_answer_is_named(payment: Payment) -> None:
    class Plain:
        slug = "plain"
        label = "Plain"

    assert not isinstance(Plain(), TellsTransactions)
    with payment_providers.temporarily(Plain()), payment_providers.temporarily(Mute()):
        outcome = compare()
        with pytest.raises(SystemExit) as end:
            call_command("reconcile", stdout=StringIO(), stderr=StringIO())

    assert (outcome.unasked, found(outcome)) == ([f"mute: {payment.order.organisation}"], [])
    assert end.value.code == 2


class Shut(Mute):
    """A bank that does not show us the account any more."""

    slug = "shut"

    def transactions(self, organisation: Organisation, since: Any) -> list[Any]:
        raise ProviderRefused("refused")


def test_an_account_that_was_taken_away_is_named_and_keeps_no_other_from_being_compared(payment: Payment) -> None:
    err = StringIO()
    with payment_providers.temporarily(Shut()):
        outcome = compare()
        with pytest.raises(SystemExit) as end:
            call_command("reconcile", stdout=StringIO(), stderr=err)

    assert (outcome.refused, outcome.unasked, outcome.compared) == ([f"shut: {payment.order.organisation}"], [], 1)
    assert (end.value.code, err.getvalue().count("not shown to us")) == (1, 1)


# --- The command, and the daily job ---------------------------------------------------------------------------------


def reconcile(*args: str) -> tuple[int, str]:
    out = StringIO()
    try:
        with clock_moved(timedelta(hours=1)):
            call_command("reconcile", *args, stdout=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


def test_the_command_says_that_all_agrees(payment: Payment) -> None:
    assert reconcile() == (0, "1 movements agree, 0 differ; 1 provider fees booked.\n")


def test_the_command_exits_one_with_a_table_that_names_the_order(payment: Payment) -> None:
    SandboxEntry.objects.update(amount_minor=49_999)

    code, text = reconcile("--organisation", payment.order.organisation.slug, "--days", "3")

    head, row, total = text.splitlines()
    assert (code, total) == (1, "0 movements agree, 1 differ; 1 provider fees booked.")
    assert [head.index("order"), head.index("our books")] == [row.index(payment.order.reference), row.index("500")]
    assert "499,99" in row
    assert "the amounts differ" in row or "beloppen" in row


@pytest.mark.parametrize("args", [["--organisation", "nobody"], ["--days", "0"]])
def test_the_command_refuses_what_it_cannot_do(args: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("reconcile", *args)


def test_the_daily_job_alarms_for_each_difference_and_writes_once(payment: Payment, caplog: Any) -> None:
    ledger.post(
        "captured",
        f"captured:{factories.payment(payment.order, state='captured').public_id}",
        payment.order,
        [Side(Account.CLEARING, 100, "SEK"), Side(Account.REVENUE, -100, "SEK")],
    )

    with clock_moved(timedelta(hours=1)):
        reconciliation.alarm()
    with clock_moved(timedelta(hours=25)):
        reconciliation.alarm()

    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert payment.order.reference in caplog.text
    told = Effect.objects.get(payload__name="books_alert")
    assert (told.order, told.payload["ours_minor"], told.payload["theirs_minor"]) == (payment.order, 100, 0)
    assert Posting.objects.filter(kind="provider_fee").count() == 1
