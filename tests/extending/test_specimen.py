"""A stranger's plugin at work in real purchases, and what happens when it misbehaves or leaves."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import RequestFactory
from wagtail import hooks

from apps.accounts.extensions import my_page_panels, personal_data
from apps.checkin import scans
from apps.checkin.extensions import credential_readers
from apps.checkin.models import Scan
from apps.events.body import HOOK
from apps.events.extensions import offerings
from apps.ticketing import clock, invariants, outbox, payments, queue, refunds
from apps.ticketing.extensions import fulfilments, payment_providers, price_rules, purchase_gates
from apps.ticketing.models import Adjustment, Order, Quota, Ticket
from apps.ticketing.ordering import WantedTicket
from tests import factories
from tests.clock import clock_moved
from tests.processes import ROOT, environment
from tests.specimen_plugin import parts

pytestmark = pytest.mark.django_db


class Specimen:
    """The plugin's parts, plugged in."""

    def __init__(self) -> None:
        self.early_bird, self.gate, self.desk = parts.EarlyBird(), parts.NoStrangers(), parts.VoucherDesk()
        self.cloakroom, self.offer, self.panel = parts.Cloakroom(), parts.CloakroomOffer(), parts.CloakroomPanel()
        self.data, self.wristband = parts.CloakroomData(), parts.Wristband()

    def plugged_in(self) -> ExitStack:
        stack = ExitStack()
        stack.enter_context(price_rules.temporarily(self.early_bird))
        stack.enter_context(purchase_gates.temporarily(self.gate))
        stack.enter_context(payment_providers.temporarily(self.desk))
        stack.enter_context(fulfilments.temporarily(self.cloakroom))
        stack.enter_context(offerings.temporarily(self.offer))
        stack.enter_context(my_page_panels.temporarily(self.panel))
        stack.enter_context(personal_data.temporarily(self.data))
        stack.enter_context(credential_readers.temporarily(self.wristband))
        stack.enter_context(hooks.register_temporarily(HOOK, lambda: [("specimen_note", parts.NoteBlock())]))
        return stack


@pytest.fixture
def specimen():
    specimen = Specimen()
    with specimen.plugged_in():
        yield specimen
    assert invariants.check() == []


@pytest.fixture
def event():
    return factories.event()


@pytest.fixture
def dinner(event):
    return factories.ticket_type(event, factories.quota(event, 500))


def bought(order: Order, specimen: Specimen) -> Order:
    """Pay a reserved order at the plugin's desk."""
    order.refresh_from_db()
    payment = payments.open(payments.start(order, specimen.desk.slug, "http://localhost/back"))
    payments.fetch(payment.pk)
    order.refresh_from_db()
    return order


@pytest.mark.django_db(transaction=True)
def test_a_purchase_with_the_plugins_price_provider_and_wristband(specimen, event, dinner):
    order = factories.order(event, factories.wanted(dinner, 2))
    queue.drain(event.pk)
    order = bought(order, specimen)

    assert (order.state, order.total_minor) == ("paid", 46_000)
    assert [(row.label_sv, row.amount_minor, row.bearer) for row in Adjustment.objects.all()] == [
        ("Tidig fågel", -2_000, "organiser"),
        ("Tidig fågel", -2_000, "organiser"),
    ]
    assert sorted(specimen.early_bird.claimed) == [line.pk for line in order.lines.all()]
    ticket = Ticket.objects.filter(line__order=order).first()
    verdict = scans.admit(f"BAND:{ticket.short_code}", event=event, by=factories.user(), gate="", scan_id=uuid.uuid4())
    assert (verdict.outcome, verdict.of) == (Scan.Outcome.ADMITTED, 2)


@pytest.mark.django_db(transaction=True)
def test_a_refund_goes_back_through_the_plugins_provider(specimen, event, dinner):
    order = factories.order(event, factories.wanted(dinner, 1))
    queue.drain(event.pk)
    order = bought(order, specimen)

    refunds.order_refund(order, list(order.lines.all()), reason="refund")
    outbox.run_all(kinds=[refunds.SEND])

    order.refresh_from_db()
    assert order.state == "refunded"
    assert list(specimen.desk.refunded.values()) == [23_000]
    assert specimen.early_bird.released == [order.lines.get().pk]


def test_the_gate_denies_with_its_own_reason(specimen, event, dinner):
    for email in ("kim@strangers.example", "kim@example.org"):
        factories.order(event, factories.wanted(dinner), email=email)
    queue.drain(event.pk)

    assert list(Order.objects.order_by("rank").values_list("state", "reason")) == [
        ("rejected", parts.NOT_OUR_GUEST),
        ("reserved", ""),
    ]


def test_the_early_bird_is_judged_by_the_moment_of_the_order(specimen, event, dinner):
    early = factories.order(event, factories.wanted(dinner))
    with clock_moved(timedelta(days=15)):
        late = factories.order(event, factories.wanted(dinner))
        queue.drain(event.pk)

        early.refresh_from_db()
        late.refresh_from_db()
        assert (early.total_minor, late.total_minor) == (23_000, 25_000)


def test_the_fulfilment_sells_each_hook_once_and_touches_no_quota(specimen, event, dinner):
    orders = [
        factories.order(event, [WantedTicket(dinner.pk, fulfilment="specimen_hook", subject="7")]) for _ in range(2)
    ]
    queue.drain(event.pk)

    for order in orders:
        order.refresh_from_db()
    assert [order.state for order in orders] == ["reserved", "rejected"]
    assert Quota.objects.get().taken == 0
    assert specimen.cloakroom.held == {"7": orders[0].lines.get().pk}


def test_a_released_hook_can_be_had_again(specimen, event, dinner):
    first = factories.order(event, [WantedTicket(dinner.pk, fulfilment="specimen_hook", subject="7")])
    queue.drain(event.pk)
    with clock_moved(timedelta(minutes=16)):
        queue.sweep()
        second = factories.order(event, [WantedTicket(dinner.pk, fulfilment="specimen_hook", subject="7")])
        queue.drain(event.pk)

        first.refresh_from_db()
        second.refresh_from_db()
        assert (first.state, second.state) == ("expired", "reserved")


def test_lines_of_a_plugin_that_left_are_refused_and_the_others_sold(event, dinner):
    orphan = factories.order(event, [WantedTicket(dinner.pk, fulfilment="specimen_hook", subject="7")])
    other = factories.order(event, factories.wanted(dinner))
    queue.drain(event.pk)

    orphan.refresh_from_db()
    other.refresh_from_db()
    assert (orphan.state, orphan.reason, other.state) == ("rejected", "not_on_sale", "reserved")


def test_the_offering_is_asked_for_offers_and_problems(specimen, event):
    assert [offer.name for offer in specimen.offer.offers([event], clock.now())[event.pk]] == ["Cloakroom"]
    assert specimen.offer in list(offerings)
    event.venue = ""
    problems = specimen.offer.publish_problems(event, clock.now())
    assert [problem.sentence for problem in problems] == ["There is no venue to hang coats in."]


def test_the_panel_stands_on_my_pages(specimen, client):
    person = factories.user(name="Robin <b>Lund</b>")
    client.force_login(person)

    page = client.get("/my/", follow=True).content.decode()

    assert "Hook 7 is kept for Robin &lt;b&gt;Lund&lt;/b&gt;." in page


def test_personal_data_is_exported_and_erased(specimen):
    from apps.accounts.personal_data import erase, export

    person = factories.user()
    specimen.data.coats[person.pk] = "a red one"

    assert export(person)["specimen_cloakroom"] == {"coat": "a red one"}
    erase(person)
    assert specimen.data.coats == {}


def test_a_notice_that_is_not_from_the_desk_is_refused(specimen, event, dinner, client):
    answer = client.post("/webhooks/specimen_vouchers/", data=b"x", content_type="text/plain")

    assert answer.status_code == 400
    request = RequestFactory().post("/", data=b"x", content_type="text/plain")
    with pytest.raises(parts.BadNotice):
        specimen.desk.read_notice(request)


class FailsOnce(parts.EarlyBird):
    """The early bird with a mistake for one buyer."""

    def adjustments(self, context, line, answers):
        if context.email == "buyer-117@example.org":
            raise ZeroDivisionError("a plugin's mistake")
        return super().adjustments(context, line, answers)


def test_a_plugin_that_raises_on_one_of_200_orders_harms_that_order_only(event, dinner):
    for number in range(200):
        factories.order(event, factories.wanted(dinner), email=f"buyer-{number}@example.org")

    with price_rules.temporarily(FailsOnce()):
        for number in range(3):
            with clock_moved(timedelta(seconds=5 * number)):
                queue.drain(event.pk)

    guilty = Order.objects.get(email="buyer-117@example.org")
    assert (guilty.state, guilty.reason) == ("rejected", "internal_error")
    assert Order.objects.filter(state="reserved").count() == 199
    assert invariants.check() == []


def test_an_entry_point_installs_the_plugin(tmp_path: Path):
    info = tmp_path / "specimen-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: specimen\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[foyer.plugins]\nspecimen = tests.specimen_plugin\n")
    values = environment()
    values["PYTHONPATH"] = os.pathsep.join([str(tmp_path), values["PYTHONPATH"]])
    script = (
        "import django; django.setup();"
        "from apps.ticketing.extensions import price_rules, payment_providers;"
        "from apps.events.models import EventPage;"
        "print('specimen_early_bird' in price_rules, 'specimen_vouchers' in payment_providers,"
        " 'specimen_note' in EventPage._meta.get_field('body').stream_block.child_blocks)"
    )

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=values, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("-c", script).split() == ["True", "True", "True"]
    run("manage.py", "check")
    run("manage.py", "makemigrations", "--check", "--dry-run")
