"""How verdicts come to be known: at sign-in, after an order, and never in the way of anybody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.account.signals import email_confirmed
from allauth.socialaccount.models import SocialAccount
from django.db import transaction
from django.test import Client

from apps.accounts import claimed_addresses
from apps.discounts import asking, memberships
from apps.discounts.extensions import Verdict, membership_sources
from apps.discounts.models import MemberBody, Membership
from apps.ticketing import clock, outbox, queue
from apps.ticketing.models import Effect, Order
from tests import factories
from tests.clock import move_clock, reset_clock
from tests.discounts.doubles import Oracle, body, person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def clock_set_right() -> Iterator[None]:
    yield
    reset_clock()


@pytest.fixture
def oracle() -> Iterator[Oracle]:
    own = Oracle()
    with membership_sources.temporarily(own):
        yield own


def verdicts(user: object) -> dict[int, Verdict]:
    pk = user.pk  # type: ignore[attr-defined]
    return dict(memberships.verdicts_of([pk], clock.now()).get(pk, {}))


def order_of(user: object, union: MemberBody) -> Order:
    event = factories.event(organisation=union.organisation)
    kind = factories.ticket_type(event, factories.quota(event))
    placed = factories.order(event, factories.wanted(kind), user=user)
    queue.drain(event.pk)
    placed.refresh_from_db()
    return placed


def test_sign_in_tells_at_once_what_needs_no_network(client: Client) -> None:
    alva = person("alva@student.liu.se")
    students = body(source="email_domain", key="student.liu.se")
    others = body(source="email_domain", key="kth.se")
    liu = body(source="liu", key="liu")

    client.force_login(alva)

    assert verdicts(alva) == {students.pk: Verdict.YES, others.pk: Verdict.NO, liu.pk: Verdict.UNKNOWN}
    assert Effect.objects.filter(kind=asking.ASK).count() == 0


def test_sign_in_leaves_the_network_to_a_worker(client: Client, oracle: Oracle) -> None:
    alva, union = person(), body()

    client.force_login(alva)

    assert (oracle.asked, verdicts(alva)) == ([], {})
    outbox.run_all()
    assert (oracle.asked, verdicts(alva)) == ([alva.pk], {union.pk: Verdict.YES})


def test_sign_in_works_when_a_source_fails(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Oracle):
        is_near = True

        def memberships(self, person: object, keys: object) -> dict[str, Verdict]:
            raise RuntimeError("secret 19900101-1234")

    alva, union = person(), body(source="broken")
    with membership_sources.temporarily(Broken(slug="broken")):
        client.force_login(alva)

    assert client.get("/my/").status_code == 200
    assert verdicts(alva) == {union.pk: Verdict.UNKNOWN}
    assert "RuntimeError" in caplog.text and "19900101" not in caplog.text


def test_a_near_source_whose_own_question_fails_ends_nobody_elses_transaction() -> None:
    class Broken(Oracle):
        is_near = True

        def memberships(self, person: object, keys: object) -> dict[str, Verdict]:
            MemberBody.objects.raw("SELECT id FROM a_table_that_is_not_there")[0]
            return {}

    alva = person("alva@student.liu.se")
    union, students = body(source="broken"), body(source="email_domain", key="student.liu.se")
    with membership_sources.temporarily(Broken(slug="broken")), transaction.atomic():
        asking.ask_near_now_and_others_soon(alva.pk)
        alva.refresh_from_db()

    assert verdicts(alva) == {union.pk: Verdict.UNKNOWN, students.pk: Verdict.YES}


def test_verified_address_is_known_at_once() -> None:
    alva, students = person(), body(source="email_domain", key="student.liu.se")
    row = EmailAddress.objects.create(user=alva, email="alva@student.liu.se", verified=True)

    email_confirmed.send(sender=EmailAddress, request=None, email_address=row)

    assert verdicts(alva) == {students.pk: Verdict.YES}


def test_source_is_asked_once_for_all_its_bodies(oracle: Oracle) -> None:
    alva = person()
    for key in ("members", "members", "board"):
        body(key=key)

    asking.ask(alva.pk, near=False)

    assert oracle.asked == [alva.pk]
    assert set(verdicts(alva).values()) == {Verdict.YES} and len(verdicts(alva)) == 3


def test_what_was_told_a_moment_ago_is_not_asked_again(oracle: Oracle) -> None:
    alva, _union = person(), body()
    asking.ask(alva.pk, near=False)

    asking.ask(alva.pk, near=False)
    assert oracle.asked == [alva.pk]

    asking.ask(alva.pk, near=False, again=True)
    assert oracle.asked == [alva.pk] * 2


def test_unknown_never_overwrites_what_was_known_and_it_ends_by_its_date(oracle: Oracle) -> None:
    alva, union = person(), body()
    asking.ask(alva.pk, near=False)
    oracle.verdict = None

    assert asking.ask(alva.pk, near=False, again=True) is False
    assert verdicts(alva) == {union.pk: Verdict.YES}

    move_clock(timedelta(minutes=61))
    assert verdicts(alva) == {union.pk: Verdict.UNKNOWN}


def test_order_is_decided_without_asking_and_asked_about_afterwards(oracle: Oracle) -> None:
    alva, union = person(), body()

    placed = order_of(alva, union)

    assert (placed.state, oracle.asked) == ("reserved", [])
    outbox.run_all()
    assert oracle.asked == [alva.pk]


def test_nobody_is_asked_about_for_an_organisation_without_bodies(oracle: Oracle) -> None:
    body()  # another organisation's
    event = factories.event()
    kind = factories.ticket_type(event, factories.quota(event))
    factories.order(event, factories.wanted(kind), user=person())
    queue.drain(event.pk)

    assert Effect.objects.filter(kind__startswith="discounts.").count() == 0


def test_guest_without_an_account_is_not_asked_about(oracle: Oracle) -> None:
    union = body()
    order_of(None, union)

    outbox.run_all()

    assert oracle.asked == []


def test_silent_source_is_asked_until_the_event_begins(oracle: Oracle) -> None:
    alva, union = person(), body()
    oracle.verdict = None
    placed = order_of(alva, union)
    outbox.run_all()
    effect = Effect.objects.get(kind=asking.ASK)
    assert (effect.state, len(oracle.asked)) == ("due", 1)
    assert verdicts(alva) == {union.pk: Verdict.UNKNOWN}

    for asked in (2, 3):
        move_clock(timedelta(minutes=10 * asked))
        outbox.run_all()
        assert len(oracle.asked) == asked

    Order.objects.filter(pk=placed.pk).update(state="paid", paid_at=clock.now())
    move_clock(timedelta(days=31))
    outbox.run_all()
    assert (len(oracle.asked), Effect.objects.get(kind=asking.ASK).state) == (3, "done")


def test_asking_outlives_the_outboxs_patience(oracle: Oracle) -> None:
    alva, union = person(), body()
    oracle.verdict = None
    placed = order_of(alva, union)
    outbox.run_all()
    Order.objects.filter(pk=placed.pk).update(state="paid", paid_at=clock.now(), reserved_until=None)

    move_clock(timedelta(days=6, minutes=5))
    outbox.run_all()

    assert sorted(Effect.objects.filter(kind=asking.ASK).values_list("state", flat=True)) == ["done", "due"]


def test_body_whose_plugin_is_gone_is_unknown() -> None:
    alva, union = person(), body(source="gone")

    asking.ask(alva.pk, near=True)
    assert asking.answers([union], asking.persons([alva.pk])[0]).verdicts == {union.pk: Verdict.UNKNOWN}


def test_changed_body_is_asked_for_everybody_and_noes_of_strangers_are_not_kept() -> None:
    alva, bo = person("alva@student.liu.se"), person("bo@example.org")
    students = body(source="email_domain", key="student.liu.se")

    with transaction.atomic():
        asking.changed_for_all(students)
    outbox.run_all()

    assert verdicts(alva) == {students.pk: Verdict.YES}
    assert not Membership.objects.filter(user=bo).exists()


# --- What a login said -----------------------------------------------------------------------------------------------


def test_what_a_login_said_counts_from_the_sign_in_with_it(client: Client) -> None:
    """Signing in with a password, or buying, makes nobody a member for longer."""
    alva, students = person(liu={"liu_id": "alvek123"}), body(source="liu", key="student")
    signed_in_at = SocialAccount.objects.get().last_login

    for days in (0, 4, 6):
        move_clock(timedelta(days=days))
        client.force_login(alva)
        assert verdicts(alva) == {students.pk: Verdict.YES}
        known = Membership.objects.get()
        assert (known.told_at, known.good_until) == (signed_in_at, signed_in_at + timedelta(days=7))

    move_clock(timedelta(days=7))
    client.force_login(alva)
    assert verdicts(alva) == {students.pk: Verdict.UNKNOWN}


def test_login_that_is_taken_away_takes_along_what_was_known_by_it(client: Client, oracle: Oracle) -> None:
    """Else one login would make any number of accounts members, one after the other."""
    alva = person("alva@example.org", liu={"liu_id": "alvek123"})
    students, union = body(source="liu", key="student"), body()
    kobra = body(source="kobra", key="LinTek")
    at = clock.now()
    Membership.objects.create(body=kobra, user=alva, verdict="yes", told_at=at, good_until=at + timedelta(days=1))
    client.force_login(alva)
    outbox.run_all()
    assert set(verdicts(alva).values()) == {Verdict.YES}

    SocialAccount.objects.get().delete()
    assert verdicts(alva) == {students.pk: Verdict.UNKNOWN, kobra.pk: Verdict.UNKNOWN, union.pk: Verdict.YES}
    outbox.run_all()
    assert verdicts(alva) == {students.pk: Verdict.UNKNOWN, kobra.pk: Verdict.UNKNOWN, union.pk: Verdict.YES}


def test_address_that_is_taken_away_is_known_by_no_domain_any_more(client: Client) -> None:
    alva = person("alva@example.org", "alva@student.liu.se")
    students = body(source="email_domain", key="student.liu.se")
    client.force_login(alva)

    EmailAddress.objects.get(email="alva@student.liu.se").delete()

    assert verdicts(alva) == {students.pk: Verdict.UNKNOWN}
    outbox.run_all()
    assert verdicts(alva) == {students.pk: Verdict.NO}


def test_address_that_is_taken_away_leaves_what_a_login_said(client: Client) -> None:
    alva = person("alva@example.org", "alva@student.liu.se", liu={"liu_id": "alvek123"})
    liu, domain = body(source="liu", key="student"), body(source="email_domain", key="student.liu.se")
    client.force_login(alva)

    EmailAddress.objects.get(email="alva@example.org").delete()

    assert verdicts(alva) == {liu.pk: Verdict.YES, domain.pk: Verdict.UNKNOWN}
    outbox.run_all()
    assert verdicts(alva) == {liu.pk: Verdict.YES, domain.pk: Verdict.YES}


def test_claim_that_gives_way_to_the_owner_of_an_address_ends_no_verdict(client: Client) -> None:
    """Else anybody could end, for a while, what is known of whoever once added an address and did not prove it."""
    alva = person("alva@student.liu.se")
    domain = body(source="email_domain", key="student.liu.se")
    EmailAddress.objects.create(user=alva, email="shared@example.org", verified=False)
    client.force_login(alva)

    claimed_addresses.strike("shared@example.org")

    assert not EmailAddress.objects.filter(email="shared@example.org").exists()
    assert verdicts(alva) == {domain.pk: Verdict.YES}


def test_account_that_is_deleted_is_not_asked_about(oracle: Oracle) -> None:
    alva = person("alva@student.liu.se", liu={"liu_id": "alvek123"})
    body(source="email_domain", key="student.liu.se")
    asking.ask(alva.pk, near=True)

    alva.delete()
    outbox.run_all()

    assert (oracle.asked, Membership.objects.exists()) == ([], False)
    assert not Effect.objects.filter(kind=asking.ASK).exclude(state="done").exists()
