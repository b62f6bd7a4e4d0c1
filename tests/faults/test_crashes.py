"""A process killed anywhere in a purchase loses nothing and does nothing twice.

Each verb runs in a process of its own, forked from the test, which dies by SIGKILL at the named crashpoint. Another
process then takes over once the lease has lapsed, as a worker would. What the bank has on its books is the judge: one
charge, one refund; and one mail, or the same one twice where the crash fell between the mail server and our note.
"""

from __future__ import annotations

import json
import os
import signal
import traceback
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connections
from django.test import Client

from apps.ticketing import clock, gift_payments, giving, invariants, outbox, payments, refunds
from apps.ticketing.extensions import price_rules
from apps.ticketing.models import (
    Adjustment,
    Effect,
    GivingRule,
    Order,
    OrderLine,
    Posting,
    ProviderEvent,
    Refund,
    SandboxCharge,
    SandboxRefund,
    SentMail,
    Ticket,
)
from apps.ticketing.payments import sandbox, settle
from tests import factories
from tests.clock import clock_moved

pytestmark = pytest.mark.django_db(transaction=True)

# Delivery of the sandbox's notices needs a site that listens; the verb `tell` stands for it.
WORK = ("payment.start", "payment.close", "provider.notice", "refund.send", "mail.send")
LAPSED_SECONDS = max(outbox.handlers.get(kind).lease_seconds for kind in WORK) + 1


@pytest.fixture
def outgoing(tmp_path, settings) -> Path:
    """Where mails are put, one file each, by whichever process."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    return tmp_path / "mail"


def in_own_process(verb: Callable[[], None], crash_at: str = "") -> int:
    """Run `verb` in a fork; 0 when it ended well, else the signal that killed it, or -1 for an error."""
    connections.close_all()  # a child must not share our connection
    child = os.fork()
    if child == 0:
        os.environ["FOYER_CRASH_AT"] = crash_at
        code = 1
        try:
            verb()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            connections.close_all()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status)
    return 0 if os.WEXITSTATUS(status) == 0 else -1


def buy() -> None:
    """The buyer's click, the bank's page, and the card."""
    order = Order.objects.get()
    payment = payments.open(payments.start(order, "sandbox", "https://foyer.example/"))
    charge = SandboxCharge.objects.filter(public_id=payment.provider_reference or uuid.uuid4()).first()
    if charge is not None and charge.status == sandbox.Status.REQUIRES_CARD:
        sandbox.give_card(charge.public_id, "pays")


def tell() -> None:
    """The bank's notice about the charge arrives at the site."""
    charge = SandboxCharge.objects.get()
    notice = sandbox.charge_notice(charge, f"charge-{charge.public_id}")
    body = json.dumps(
        {
            "id": notice.event_id,
            "kind": "payment",
            "reference": notice.reference,
            "state": notice.state,
            "amount_minor": notice.amount_minor,
            "currency": notice.currency,
            "our_id": notice.our_id,
            "reason": "",
            "paid_with": notice.paid_with,
        }
    ).encode()
    header = sandbox.signature(body, int(clock.now().timestamp()))
    answer = Client().post(
        "/webhooks/sandbox/", body, content_type="application/json", headers={sandbox.SIGNATURE_HEADER: header}
    )
    assert answer.status_code == 200


def work() -> None:
    """A worker and a sweeper, until there is nothing left to do."""
    outbox.sweep()
    outbox.run_all(kinds=WORK)


def send_back() -> None:
    """The treasurer refunds the whole order, and a worker sends the money."""
    order = Order.objects.get()
    if order.state == "paid":
        refunds.order_refund(order, order.lines.all(), reason="cancelled_by_organiser")
    work()


def mails(folder: Path) -> list[str]:
    """The Message-IDs handed over to the mail server."""
    lines = [line for file in folder.glob("*") for line in file.read_text().splitlines()]
    return [line for line in lines if line.startswith("Message-ID:")]


@pytest.mark.parametrize(
    ("point", "dies_in"),
    [
        ("effect.leased", buy),  # P5 the row is written, the bank was not asked yet
        ("payment.opened", buy),  # P5 the bank has opened it, its answer is lost
        ("effect.carried_out", buy),  # P6 the reference is stored, the effect is not marked
        ("notice.stored", tell),  # P8 the notice is stored, nobody has acted on it
        ("settle.before_commit", work),  # P9 all is written, nothing committed
        ("settle.committed", work),  # P10 paid, the notice is not marked
        ("mail.handed_over", work),  # P12 the mail server has it, we have no note
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_purchase_survives_a_kill_at(point, dies_in, outgoing):
    order = factories.reserved_order(2)
    Effect.objects.filter(payload__name__in=["your_turn", "hold_ends_soon"]).delete()
    verbs = [buy, tell, work]

    for verb in verbs[: verbs.index(dies_in)]:
        assert in_own_process(verb) == 0
    assert in_own_process(dies_in, point) == signal.SIGKILL, f"{point} was not reached"
    with clock_moved(timedelta(seconds=LAPSED_SECONDS)):
        assert in_own_process(work) == 0
        for verb in verbs[verbs.index(dies_in) :]:
            assert in_own_process(verb) == 0

    order.refresh_from_db()
    assert (order.state, Ticket.objects.count(), Posting.objects.count()) == ("paid", 2, 1)
    assert [(charge.status, charge.refunded_minor) for charge in SandboxCharge.objects.all()] == [("succeeded", 0)]
    assert (ProviderEvent.objects.count(), SentMail.objects.count()) == (1, 1)
    assert set(Effect.objects.filter(kind__in=WORK).values_list("state", flat=True)) == {"done"}
    assert len(mails(outgoing)) == (2 if point == "mail.handed_over" else 1)
    assert len(set(mails(outgoing))) == 1
    assert invariants.check() == []


@pytest.mark.parametrize("point", ["effect.leased", "refund.sent", "effect.carried_out"])
def test_a_refund_survives_a_kill_at(point, outgoing):
    order = factories.reserved_order(2)
    Effect.objects.filter(payload__name__in=["your_turn", "hold_ends_soon"]).delete()
    for verb in (buy, tell, work):
        assert in_own_process(verb) == 0

    assert in_own_process(send_back, point) == signal.SIGKILL, f"{point} was not reached"
    with clock_moved(timedelta(seconds=LAPSED_SECONDS)):
        assert in_own_process(send_back) == 0
        assert in_own_process(send_back) == 0

    order.refresh_from_db()
    assert (order.state, Refund.objects.get().state) == ("refunded", "pending")
    assert (SandboxRefund.objects.count(), SandboxCharge.objects.get().refunded_minor) == (1, order.total_minor)
    assert set(Effect.objects.filter(kind__in=WORK).values_list("state", flat=True)) == {"done"}
    assert invariants.check() == []


def test_crashpoints_do_nothing_in_production(settings, monkeypatch):
    from apps.ticketing.crashpoints import crashpoint

    monkeypatch.setenv("FOYER_CRASH_AT", "here")
    settings.IS_PRODUCTION = True
    killed = []
    monkeypatch.setattr("os.kill", lambda *arguments: killed.append(arguments))

    crashpoint("here")

    assert killed == []


@pytest.mark.parametrize("where", ["settle.before_commit", "settle.committed", "gift.paid", "gift.accepted"])
def test_killed_while_a_difference_is_paid_gives_the_ticket_once(where):
    """The recipient's payment, killed at each of its points; another process goes on."""
    ticket = Ticket.objects.get(line__order=factories.paid_order(1))
    OrderLine.objects.filter(pk=ticket.line_id).update(list_minor=30_000)  # it costs 50 kr more than was paid
    Adjustment.objects.create(line=ticket.line, source="gone", label_sv="M", label_en="M", amount_minor=-5_000)
    GivingRule.objects.create(event=ticket.event, at=clock.now(), when_dearer="pay")
    with price_rules.temporarily(NothingOff()):
        gift = giving.give(ticket, name="Kim", email="kim@example.org")
        due = factories.payment(gift_payments.begin(gift, agreed_minor=5_000))
        told = factories.notice(due)

        def hear_and_work() -> None:
            settle.settle(told, provider=due.provider)
            outbox.run_all(kinds=[gift_payments.ACCEPT])

        assert in_own_process(hear_and_work, crash_at=where) == signal.SIGKILL
        with clock_moved(timedelta(seconds=outbox.LEASE_SECONDS + 1)):
            outbox.sweep()
            assert in_own_process(hear_and_work) == 0

    states = Ticket.objects.filter(line=ticket.line).order_by("pk").values_list("state", flat=True)
    assert list(states) == ["superseded", "valid"]
    assert not Refund.objects.exists()
    assert invariants.check() == []


class NothingOff:
    """Takes the place of the rule by which the first buyer paid less: the next has no such right."""

    slug = "gone"

    def prepare(self, contexts, at):
        return None

    def adjustments(self, context, line, answers):
        return []

    def reprice(self, ticket, context, answers):
        return []

    def claim(self, order_lines): ...

    def release(self, order_line_ids): ...
