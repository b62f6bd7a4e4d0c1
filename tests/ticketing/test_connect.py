"""Accounts that organisations have at Stripe: connected from the desk, charged directly, restricted, left."""

from __future__ import annotations

import re
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from config import doctor_stripe, policies
from config.doctor import FAIL, OK, WARN
from django.conf import LazySettings
from django.core import signing
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from apps.events.models import Event, Organisation
from apps.ticketing import (
    cancellation_sums,
    clock,
    outbox,
    paying_back,
    payments,
    reasons,
    reconciliation,
    refunds,
    webhooks,
)
from apps.ticketing.extensions import AccountRefused, ProviderRefused, payment_providers
from apps.ticketing.models import AuditEntry, Cancellation, Effect, Order, StripeAccount
from apps.ticketing.payments import connect, connect_onboarding, stripe_page, stripe_provider, stripe_statement
from apps.ticketing.payments.connect import Standing
from apps.ticketing.payments.stripe_provider import StripeProvider
from tests import factories, mould
from tests.clock import clock_moved
from tests.fake_stripe import Fake
from tests.tenancy.world import World, make_world
from tests.ticketing.connected import begun, connected, set_up, written

pytestmark = pytest.mark.django_db

SECRET = "whsec_of_connected_accounts"
HOME = "http://foyer.test"


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with override("en"):
        yield


@pytest.fixture
def fake(stripe_service: Fake, settings: LazySettings) -> Iterator[Fake]:
    set_up(settings, stripe_service)
    settings.SITE_URL = HOME
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    stripe_service.endpoint("http://127.0.0.1:9/", [SECRET], connect=True)
    stripe_service.deliver("hold")
    with payment_providers.temporarily(StripeProvider()):
        yield stripe_service


@pytest.fixture
def ours(db: None) -> World:
    return mould.cast(make_world, "Lyktan")


@pytest.fixture
def desk(ours: World) -> Client:
    return signed_in(ours.treasurer)


def signed_in(user: Any) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def press(client: Client, verb: str, organisation: Organisation, **fields: str) -> Any:
    return client.post(reverse(f"stripe_desk:{verb}", args=[organisation.public_id]), fields)


def at_stripe(url: str, does: str = "") -> str:
    """Open Stripe's page and press its button; where it sends us then, as an address of our own."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: Any) -> None:
            return None

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay)
    for body in (None, urllib.parse.urlencode({"do": does}).encode()):
        try:
            opener.open(urllib.request.Request(url, body)).close()
        except urllib.error.HTTPError as answer:
            answer.close()
            return answer.headers["Location"].removeprefix(HOME)
    raise AssertionError("Stripe's page leads nowhere")


def text_of(client: Client) -> str:
    page = client.get(reverse("stripe_desk:index")).content.decode()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("<main")[2]))


# --- The desk ---------------------------------------------------------------------------------------------------------


def test_treasurer_connects_after_leaving_and_being_restricted(desk: Client, ours: World, fake: Fake) -> None:
    organisation = ours.organisation
    assert "Not connected" in text_of(desk)

    back = at_stripe(press(desk, "begin", organisation)["Location"], "leave")
    desk.get(back)
    left_for_now = text_of(desk)
    again = press(desk, "begin", organisation)["Location"]
    desk.get(at_stripe(again, "restricted"))
    restricted = text_of(desk)
    used_up = at_stripe(again)
    link = desk.get(used_up)["Location"]
    desk.get(at_stripe(link, "finish"))

    assert "Begun, not finished" in left_for_now
    assert "what kind of organisation" not in left_for_now
    assert "that Stripe&#x27;s terms are accepted" in left_for_now
    assert "Restricted by Stripe" in restricted
    assert "a bank account to pay out to" in restricted
    assert "Connected" in text_of(desk)
    [account] = [row for row in fake.objects("account") if row["id"] != "acct_foyerplatform"]
    assert StripeAccount.objects.get(organisation=organisation).account == account["id"]
    assert account["metadata"] == {"foyer_organisation": str(organisation.public_id)}
    with connection.cursor() as cursor:
        cursor.execute("SELECT account FROM ticketing_stripeaccount")
        stored = cursor.fetchone()[0]
    assert stored.startswith("enc1.")
    assert account["id"] not in stored
    assert account["id"] not in text_of(desk)
    entry = AuditEntry.objects.get(reason=connect_onboarding.BEGUN)
    assert (entry.row_id, entry.actor) == (organisation.pk, ours.treasurer)


def test_state_is_good_for_its_person_and_session_and_hour_alone(
    desk: Client, ours: World, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = at_stripe(press(desk, "begin", ours.organisation)["Location"], "finish")
    state = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)["state"][0]
    other = factories.user(email="second@example.org")
    other.groups.add(ours.organisation.treasurers)
    theirs = make_world("Sexsidan")

    tried = {
        "another treasurer": (signed_in(other), back),
        "another association's": (signed_in(theirs.treasurer), back),
        "the same person signed in anew": (signed_in(ours.treasurer), back),
        "changed": (desk, back.replace(state[:8], state[:7] + "x")),
        "none": (desk, reverse("stripe_desk:back")),
        "another's signature": (desk, f"{reverse('stripe_desk:back')}?state={signing.dumps(['x', 'y', 'z'])}"),
    }
    asked = len(fake.calls("GET *"))
    for what, (client, address) in tried.items():
        for where in (address, address.replace("/back/", "/again/")):
            assert client.get(where)["Location"] == reverse("stripe_desk:index"), what
    with monkeypatch.context() as later:
        later.setattr("apps.ticketing.connect_desk.STATE_SECONDS", -1)
        desk.get(back)
    assert (len(fake.calls("GET *")), StripeAccount.objects.get().can_charge) == (asked, False)

    desk.get(back)
    assert StripeAccount.objects.get().can_charge
    ours.treasurer.groups.clear()
    assert desk.get(back).status_code == 403


def test_lost_answer_makes_no_second_account(desk: Client, ours: World, fake: Fake) -> None:
    fake.fault("POST /v1/accounts", "reset_after")
    fake.fault("POST /v1/account_links", "unavailable")

    tries = [press(desk, "begin", ours.organisation)["Location"] for _ in range(3)]

    assert tries[:2] == [reverse("stripe_desk:index")] * 2
    assert tries[2].startswith(fake.url)
    assert len([row for row in fake.objects("account") if row["id"] != "acct_foyerplatform"]) == 1


def test_every_write_carries_a_key_and_each_link_one_of_its_own(desk: Client, ours: World, fake: Fake) -> None:
    links = {press(desk, "begin", ours.organisation)["Location"] for _ in range(2)}

    keys = [call["idempotency_key"] for call in fake.calls("POST *") if not call["call"].startswith("POST /oauth")]
    assert (len(links), len(keys), len(set(keys))) == (2, 3, 3)
    assert None not in keys


def test_desk_says_when_stripe_is_silent_or_refuses(desk: Client, ours: World, fake: Fake) -> None:
    fake.fault("POST /v1/accounts", "error")
    press(desk, "begin", ours.organisation)
    silent = text_of(desk)
    begun(ours.organisation)
    fake.fault("GET /v1/accounts/*", "html")
    press(desk, "look", ours.organisation)
    garbled = text_of(desk)

    assert "Stripe did not answer. Nothing was changed" in silent
    assert "Stripe did not answer" in garbled
    assert StripeAccount.objects.get().checked_at is None


def test_account_is_removed_by_whoever_is_sure_unless_somebody_pays(desk: Client, ours: World, fake: Fake) -> None:
    connected(ours.organisation, fake)
    order = factories.reserved_order(of=factories.ticket_type(ours.event, ours.quota))
    payment = payments.open(payments.start(order, "stripe", f"{HOME}/order", here=True) or pytest.fail())

    press(desk, "leave", ours.organisation)
    not_sure = text_of(desk)
    press(desk, "leave", ours.organisation, sure="on")
    paying = text_of(desk)
    fake.payment(payment.provider_reference, "failed")
    payment.state = "failed"
    payment.save()
    press(desk, "leave", ours.organisation, sure="on")

    assert "Tick the box" in not_sure
    assert "Somebody is paying right now" in paying
    assert "Not connected" in text_of(desk)
    assert StripeAccount.objects.count() == 0
    assert begun(ours.organisation) != payment.account


def test_dashboard_tells_the_treasurer_of_trouble_only(desk: Client, ours: World, fake: Fake) -> None:
    account = written(ours.organisation, can_charge=True, pays_out=True, is_submitted=True)
    calm = desk.get(reverse("wagtailadmin_home")).content.decode()
    StripeAccount.objects.filter(pk=account.pk).update(can_charge=False)

    assert "Restricted by Stripe" not in calm
    assert "Restricted by Stripe" in desk.get(reverse("wagtailadmin_home")).content.decode()
    assert "Restricted by Stripe" not in signed_in(ours.editor).get(reverse("wagtailadmin_home")).content.decode()


def test_house_without_connect_shows_no_desk(desk: Client, ours: World, fake: Fake, settings: LazySettings) -> None:
    written(ours.organisation, can_charge=False, is_submitted=True)
    settings.STRIPE_CONNECT = False

    assert "needs an account of its own" in text_of(desk)
    assert press(desk, "begin", ours.organisation).status_code == 404
    assert connect.sells(ours.organisation.pk)
    assert connect.account_of(ours.organisation) is None


# --- How it stands ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "standing"),
    [
        ({}, Standing.BEGUN),
        ({"is_submitted": True}, Standing.RESTRICTED),
        ({"is_submitted": True, "can_charge": True}, Standing.NO_PAYOUTS),
        ({"is_submitted": True, "can_charge": True, "pays_out": True}, Standing.READY),
        ({"is_submitted": True, "can_charge": True, "pays_out": True, "due": ["person_1.id"]}, Standing.DUE),
        ({"is_gone": True, "can_charge": True}, Standing.GONE),
    ],
    ids=str,
)
def test_standing_follows_what_stripe_told(facts: dict[str, Any], standing: Standing) -> None:
    assert connect.standing_of(StripeAccount(**facts)) == standing


def test_cron_notices_what_stripe_restricts_asks_for_and_takes_away(fake: Fake) -> None:
    restricted, asked, gone = (factories.organisation() for _ in range(3))
    ids = [connected(each, fake) for each in (restricted, asked, gone)]
    fake.account(ids[0], charges_enabled=False, payouts_enabled=False, disabled_reason="requirements.past_due")
    fake.account(ids[1], currently_due=["company.tax_id", "company.name", "new_thing"])
    fake.deauthorise(ids[2])
    fake.fault(f"GET /v1/accounts/{ids[0]}", "rate_limit")

    connect_onboarding.look_after()
    at_first = connect.standing_of(StripeAccount.objects.get(organisation=restricted))
    connect_onboarding.look_after()

    rows = [StripeAccount.objects.get(organisation=each) for each in (restricted, asked, gone)]
    assert at_first == Standing.READY
    assert [connect.standing_of(row) for row in rows] == [Standing.RESTRICTED, Standing.DUE, Standing.GONE]
    words = [str(each) for each in connect.asked_for(rows[1])]
    assert words == [
        "facts about the association, such as its number or address",
        "something else, which Stripe names",
    ]
    assert [connect.sells(each.pk) for each in (restricted, asked, gone)] == [False, True, False]
    assert connect.account_of(gone) is None


# --- The money --------------------------------------------------------------------------------------------------------


def hear(fake: Fake) -> set[int]:
    """Post what Stripe has to tell to our inbox, and act upon it; how it was answered."""
    answers = set()
    for body, headers in fake.held():
        told = {"Stripe-Signature": headers["Stripe-Signature"]}
        answer = Client().post("/webhooks/stripe/", body, content_type="application/json", headers=told)
        answers.add(answer.status_code)
    outbox.run_all(kinds=[webhooks.PROCESS])
    return answers


def test_order_is_paid_and_refunded_on_the_organisations_account(
    fake: Fake, settings: LazySettings, promises_kept: None
) -> None:
    settings.STRIPE_PLATFORM_FEE_PERCENT = settings.STRIPE_PLATFORM_FEE_PERCENT + 2
    order = factories.reserved_order(2, price_minor=25_000)
    account = connected(order.organisation, fake)
    hear(fake)

    payment = payments.open(payments.start(order, "stripe", f"{HOME}/order", here=True) or pytest.fail())
    fake.pay(payment.provider_reference)
    heard = hear(fake)
    order.refresh_from_db()
    refunds.order_refund(order, order.lines.all()[:1], reason="refused")
    outbox.run_all(kinds=[refunds.SEND])
    hear(fake)

    assert payment.account == account
    assert (heard, order.state) == ({200}, "paid")
    [intent] = fake.objects("payment_intent", account=account)
    assert (intent["amount_received"], intent["application_fee_amount"]) == (50_000, 1_000)
    assert fake.objects("payment_intent", account="acct_foyerplatform") == []
    assert [fee["amount"] for fee in fake.objects("application_fee")] == [1_000]
    assert [row["amount"] for row in fake.objects("refund", account=account)] == [25_000]
    assert [row.state for row in order.payments.get().refunds.all()] == ["done"]


def test_statement_of_an_account_that_was_taken_away_is_refused_and_others_are_compared(fake: Fake) -> None:
    gone, there = factories.event(), factories.event()
    accounts = {event: connected(event.organisation, fake) for event in (gone, there)}
    for event, account in accounts.items():
        order = factories.reserved_order(1, of=factories.ticket_type(event, factories.quota(event, 5)))
        factories.payment(order, provider="stripe", account=account, state="captured")
    fake.deauthorise(accounts[gone])

    outcome = reconciliation.compare(Organisation.objects.order_by("pk"))

    assert (outcome.refused, outcome.unasked) == ([f"stripe: {gone.organisation}, {accounts[gone]}"], [])
    assert stripe_statement.balance(accounts[there], "SEK") == 0
    with pytest.raises(AccountRefused):
        stripe_statement.balance(accounts[gone], "SEK")


def on_account(event: Event, account: str, fake: Fake) -> Order:
    """Paid by Stripe on this account, which is the organisation's for now."""
    StripeAccount.objects.filter(organisation=event.organisation).update(account=account)
    kind = event.ticket_types.first() or factories.ticket_type(event, factories.quota(event, 9), price_minor=25_000)
    order = factories.reserved_order(1, of=kind)
    payment = payments.open(payments.start(order, "stripe", f"{HOME}/order", here=True) or pytest.fail())
    fake.pay(payment.provider_reference)
    payments.fetch(payment.pk)
    order.refresh_from_db()
    assert (order.state, order.payments.get().account) == ("paid", account)
    return order


@pytest.fixture
def two_accounts(fake: Fake, db: None) -> tuple[Event, str, str]:
    """An event whose organisation disconnected its account and has another by now: the dead one, and the live one."""
    event, other = factories.event(), factories.event()
    return event, connected(event.organisation, fake), connected(other.organisation, fake)


def test_account_that_was_taken_away_keeps_no_other_of_the_organisation_from_being_compared(
    two_accounts: tuple[Event, str, str], fake: Fake
) -> None:
    event, dead, live = two_accounts
    on_account(event, dead, fake)
    on_account(event, live, fake)
    wanted: Any = {"amount": 9_900, "currency": "sek", "payment_method_types": ["card"]}
    wanted["metadata"] = {"foyer_payment": str(uuid.uuid4())}
    lost = stripe_provider.client().v1.payment_intents.create(wanted, {"stripe_account": live})
    fake.pay(lost.id)
    fake.deauthorise(dead)

    with clock_moved(timedelta(hours=1)):
        outcome = reconciliation.compare([event.organisation])

    assert (outcome.refused, outcome.unasked) == ([f"stripe: {event.organisation}, {dead}"], [])
    assert (outcome.compared, [one.theirs_minor for one in outcome.differences]) == (1, [9_900])


def send() -> None:
    """The outbox, after its pause."""
    Effect.objects.filter(state="unknown").update(state="due")
    outbox.run_all(early=True, kinds=[refunds.SEND])


def told_of_debts() -> int:
    return Effect.objects.filter(payload__name="refund_failed").count()


@pytest.mark.parametrize("lost", ["", "timeout", "reset_after"])
def test_refund_on_an_account_that_was_taken_away_is_a_debt(
    two_accounts: tuple[Event, str, str], fake: Fake, promises_kept: None, lost: str
) -> None:
    event, account, _other = two_accounts
    order = on_account(event, account, fake)
    refund = refunds.order_refund(order, order.lines.all(), reason="refused") or pytest.fail()
    if lost:
        fake.fault("POST /v1/refunds", lost, seconds=3)
        send()
    fake.deauthorise(account)

    send()
    refund.refresh_from_db()
    before = refund.state, told_of_debts()
    Effect.objects.filter(kind=refunds.SEND, state="unknown").update(tries=outbox.TRIES - 1)
    send()
    refund.refresh_from_db()

    assert before == (("unknown", 0) if lost else ("failed", 1)), "what was sent before cannot be seen"
    assert (refund.state, told_of_debts(), list(refunds.debts())) == ("failed", 1, [refund])
    assert Effect.objects.get(kind=refunds.SEND).state == "done"
    refunds.pay_otherwise(refund, note="swish")


def test_refund_waits_while_stripe_does_not_know_the_key_and_is_a_debt_when_it_is_given_up(
    two_accounts: tuple[Event, str, str], fake: Fake, settings: LazySettings, promises_kept: None
) -> None:
    event, account, _other = two_accounts
    order = on_account(event, account, fake)
    refund = refunds.order_refund(order, order.lines.all(), reason="refused") or pytest.fail()
    settings.STRIPE_SECRET_KEY = "sk_test_rolled_by_somebody"

    send()
    refund.refresh_from_db()
    first = refund.state
    Effect.objects.filter(kind=refunds.SEND).update(tries=outbox.TRIES - 1)
    send()
    refund.refresh_from_db()

    assert (first, refund.state, told_of_debts()) == ("unknown", "failed", 1)


def cancelled(event: Event) -> Cancellation:
    return Cancellation.objects.create(
        event=event,
        state="running",
        proposed_by=factories.user(),
        proposed_at=clock.now(),
        confirmed_by=factories.user(),
        confirmed_at=clock.now(),
    )


def test_cancelled_event_owes_what_was_paid_on_an_account_that_was_taken_away(
    two_accounts: tuple[Event, str, str], fake: Fake, promises_kept: None
) -> None:
    event, dead, live = two_accounts
    gone, there, later = (on_account(event, account, fake) for account in (dead, live, live))
    fake.deauthorise(dead)
    fake.move_clock(10 * 86_400)  # what was paid is available by then

    shares = cancellation_sums.plan(event).shares
    cancellation = cancelled(event)
    paying_back.go_on(cancellation.pk)
    send()
    paying_back.go_on(cancellation.pk)

    assert {share.label.rpartition(" ")[2]: (share.orders, share.is_refused) for share in shares} == {
        f"({dead})": (1, True),
        f"({live})": (2, False),
    }
    for row in (gone, there, later, cancellation):
        row.refresh_from_db()
    assert [one.payment.order for one in refunds.debts()] == [gone]
    assert (gone.state, there.state, later.state) == ("refunded", "refunded", "paid"), "Stripe's fee lacks for the last"
    assert (cancellation.short_provider, cancellation.short_minor > 0) == ("stripe", True)


def test_what_is_unsent_on_one_account_takes_nothing_of_anothers_balance(
    two_accounts: tuple[Event, str, str], fake: Fake
) -> None:
    event, one, other = two_accounts
    orders = [on_account(event, account, fake) for account in (one, other)]
    fake.move_clock(10 * 86_400)
    purses = [cancellation_sums.Purse("stripe", account) for account in (one, other)]

    before = [cancellation_sums.balance_of(purse, event.organisation, "SEK") or 0 for purse in purses]
    refunds.order_refund(orders[0], orders[0].lines.all(), reason="refused", fee_minor=15_000)
    after = [cancellation_sums.balance_of(purse, event.organisation, "SEK") or 0 for purse in purses]

    assert [was - now for was, now in zip(before, after, strict=True)] == [10_000, 0]


def test_cancelled_event_waits_while_stripe_does_not_know_the_key(
    two_accounts: tuple[Event, str, str], fake: Fake, settings: LazySettings, promises_kept: None
) -> None:
    event, account, _other = two_accounts
    order = on_account(event, account, fake)
    settings.STRIPE_SECRET_KEY = "sk_test_rolled_by_somebody"
    cancellation = cancelled(event)

    paying_back.go_on(cancellation.pk)

    order.refresh_from_db()
    cancellation.refresh_from_db()
    assert (order.state, cancellation.short_provider, cancellation.short_minor) == ("paid", "stripe", 0)


def test_key_that_stripe_does_not_know_is_no_answer_and_no_account_that_was_taken_away(
    two_accounts: tuple[Event, str, str], fake: Fake, settings: LazySettings
) -> None:
    event, account, _other = two_accounts
    on_account(event, account, fake)
    settings.STRIPE_SECRET_KEY = "sk_test_rolled_by_somebody"

    outcome = reconciliation.compare([event.organisation])

    assert (outcome.refused, outcome.unasked) == ([], [f"stripe: {event.organisation}"])


def test_what_an_organisation_sells_elsewhere_by_its_account_is_no_difference(fake: Fake) -> None:
    event = factories.event()
    account = connected(event.organisation, fake)
    order = factories.reserved_order(1, of=factories.ticket_type(event, factories.quota(event, 5)))
    factories.payment(order, provider="stripe", account=account, state="captured")
    client, own = stripe_provider.client(), {"stripe_account": account}
    wanted: Any = {"amount": 9_900, "currency": "sek", "payment_method_types": ["card"]}
    elsewhere = client.v1.payment_intents.create(wanted, own)  # type: ignore[arg-type]
    fake.pay(elsewhere.id)
    lost: Any = {**wanted, "metadata": {"foyer_payment": str(uuid.uuid4())}}
    fake.pay(client.v1.payment_intents.create(lost, own).id)  # type: ignore[arg-type]
    client.v1.refunds.create({"payment_intent": elsewhere.id, "amount": 100}, own)  # type: ignore[arg-type]

    with clock_moved(timedelta(hours=1)):
        outcome = reconciliation.compare([event.organisation])

    assert [(one.wrong, one.theirs_minor) for one in outcome.differences] == [("only_there", 9_900)]


def test_page_of_the_order_and_page_of_stripes_are_both_of_the_account(fake: Fake, settings: LazySettings) -> None:
    settings.STRIPE_PLATFORM_FEE_PERCENT = settings.STRIPE_PLATFORM_FEE_PERCENT + 2
    order = factories.reserved_order(price_minor=25_000)
    account = connected(order.organisation, fake)

    fields = stripe_page.of(order, payments.available("SEK", order.event), "/orders/x/")
    payment = payments.open(payments.start(order, "stripe", f"{HOME}/order") or pytest.fail())
    fake.pay(payment.provider_reference)

    assert fields is not None
    assert fields.account == account
    assert [row["id"] for row in fake.objects("checkout.session", account=account)] == [payment.provider_reference]
    [intent] = fake.objects("payment_intent", account=account)
    assert (intent["status"], intent["application_fee_amount"]) == ("succeeded", 500)


def test_organisation_without_a_working_account_sells_nothing_by_stripe(fake: Fake) -> None:
    order = factories.reserved_order()
    offered = payments.available("SEK", order.event)
    with pytest.raises(payments.NotPayable) as refused:
        payments.start(order, "stripe", f"{HOME}/order")
    connected(order.organisation, fake)
    payment = payments.start(order, "stripe", f"{HOME}/order")
    assert payment is not None
    payment.account = ""  # as if it had been taken away in that moment
    with pytest.raises(ProviderRefused) as guarded:
        StripeProvider().start(payment, key="k", return_url=HOME)

    assert "stripe" not in [provider.slug for provider in offered]
    assert "stripe" in [provider.slug for provider in payments.available("SEK", order.event)]
    assert refused.value.reason == "provider_unavailable"
    assert guarded.value.reason == connect.NO_ACCOUNT
    assert "Nothing was charged" in reasons.sentence(connect.NO_ACCOUNT)
    assert fake.objects("payment_intent") == []


# --- What is kept -----------------------------------------------------------------------------------------------------


def test_administration_may_send_forms_to_stripes_page_where_there_is_connect(
    settings: LazySettings,
) -> None:
    without = policies.policy_of("/admin/").get("form-action")
    settings.STRIPE_CONNECT = True

    assert without is None
    assert policies.policy_of("/admin/")["form-action"] == ["'self'", "https://connect.stripe.com"]
    assert "form-action" not in policies.policy_of("/door/")


def test_doctor_looks_whether_stripe_tells_of_connected_accounts(fake: Fake, settings: LazySettings) -> None:
    [deaf] = doctor_stripe.connected_accounts()
    fake.endpoint(f"{HOME}/webhooks/stripe/", [SECRET], connect=True)
    [hears] = doctor_stripe.connected_accounts()
    fake.fault("GET /v1/accounts", "unavailable")
    silent = next(one for one in doctor_stripe.examine() if one.subject == "Stripe Connect")
    settings.STRIPE_CONNECT = False

    assert [one.level for one in (deaf, hears, silent)] == [WARN, OK, FAIL]
    assert list(doctor_stripe.connected_accounts()) == []


@pytest.mark.parametrize(("percent", "ids"), [(0, []), (2, []), (-1, ["ticketing.E003"]), (100, ["ticketing.E003"])])
def test_share_is_a_share(settings: LazySettings, percent: int, ids: list[str]) -> None:
    settings.STRIPE_PLATFORM_FEE_PERCENT = percent

    assert [problem.id for problem in connect.check_share(None)] == ids
