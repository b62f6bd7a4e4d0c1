"""A rush while every register is silent: the queue decides as fast as ever, and every order is settled later.

Kobra and Sesam are processes that answer each question too late. LiU's login is away as well: nobody signs in anew, so
that what earlier sign-ins said of people is all there is. Rounds with registers that answer and rounds with silent ones
take turns, so that the machine's moods meet both.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.core.cache import cache
from django.db.models import Sum

from apps.accounts.models import User
from apps.discounts import asking
from apps.discounts.models import MemberBody, Membership
from apps.discounts.sources import wire
from apps.ticketing import clock, invariants, outbox, queue
from apps.ticketing.extensions import price_rules
from apps.ticketing.models import Effect, Order, Refund
from apps.ticketing.payments import settle
from tests import factories
from tests.concurrency.forks import forked
from tests.discounts.doubles import MemberPrice, body
from tests.proofs import Proof
from tests.registries import Registers, in_crowd, running

pytestmark = pytest.mark.django_db(transaction=True)

KINDS = [asking.ASK_ORDERS, asking.ASK, asking.FOLLOW]
MOST_SLOWER = 1.10


@pytest.fixture
def registers(settings: Any) -> Iterator[Registers]:
    with running() as made:
        for name, value in made.settings.items():
            setattr(settings, name, value)
        yield made


def crowd(number: int) -> list[User]:
    """People who signed in with LiU before."""
    people = User.objects.bulk_create(User(email=f"crowd{n}@example.org") for n in range(number))
    SocialAccount.objects.bulk_create(
        SocialAccount(user=user, provider="liu", uid=str(n), extra_data=in_crowd(n)) for n, user in enumerate(people)
    )
    return people


PATIENCE_SECONDS = 30


def worker(stop: Path) -> int:
    """A worker on `default`, in a process of its own: asks registers until it is told to stop."""
    done = 0
    while not stop.exists():
        done += outbox.run_all(kinds=KINDS)
        time.sleep(0.05)
    return done


def tries() -> int:
    """How often registers were asked so far, whatever they said."""
    return Effect.objects.filter(kind__in=KINDS).aggregate(n=Sum("tries"))["n"] or 0


def refuse(*_args: Any, **_kwargs: Any) -> None:
    raise AssertionError("The queue asked a register.")


def round_of(people: list[User], union: MemberBody, stop: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[float, int]:
    """(seconds from the first order placed to the last one decided, event id), with a worker that asks meanwhile."""
    Membership.objects.all().delete()
    cache.clear()  # the breakers are closed, so that each round of silence begins with its time-outs
    event = factories.event(organisation=union.organisation)
    kind = factories.ticket_type(event, factories.quota(event, len(people)))
    with forked([partial(worker, stop)]) as workers, monkeypatch.context() as patched:
        patched.setattr(wire, "ask", refuse)  # in this process, the one that decides
        before, begun = tries(), time.monotonic()
        for number, user in enumerate(people):
            factories.order(event, factories.wanted(kind), user=user, idempotency_key=f"{event.pk}-{number:08}")
            if number % 50 == 49:
                queue.drain(event.pk)
        while Order.objects.filter(event=event, state="queued").exists():
            queue.drain(event.pk)
        seconds = time.monotonic() - begun
        while tries() == before and time.monotonic() - begun < PATIENCE_SECONDS:
            time.sleep(0.05)  # a round may be over before its worker has begun
        stop.touch()
        workers[0].result()
        assert tries() > before
    assert set(Order.objects.filter(event=event).values_list("state", flat=True)) == {"reserved"}
    return seconds, event.pk


@pytest.mark.proof(
    "registries_out",
    what="A rush with Kobra, Sesam and LiU's login timing out is decided within 10 % of the normal time, settled later",
    full=500,
    small=24,
)
def test_rush_is_decided_in_time_while_every_register_is_silent(
    proof: Proof, registers: Registers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    union = body(source="kobra", key="LinTek")
    body(union.organisation, "sesam", "LinTek")
    body(union.organisation, "liu", "student")
    people = crowd(proof.n)
    seconds: dict[str, list[float]] = {"well": [], "late": []}
    silent_events = []
    with price_rules.temporarily(MemberPrice(union)):
        for number in range(5 if proof.size == "full" else 1):
            for mode in ("well", "late") if number % 2 else ("late", "well"):
                registers.say(mode)
                took, event_id = round_of(people, union, tmp_path / f"{number}-{mode}", monkeypatch)
                seconds[mode].append(took)
                if mode == "late":
                    silent_events.append(event_id)
                    # Now, for a later round of registers that answer tells of these buyers' orders as well.
                    decided = Order.objects.filter(event=event_id)
                    assert set(decided.values_list("total_minor", flat=True)) == {25_000}
                    # Some pay while the registers are silent, and some do not.
                    for order in decided.order_by("pk")[::3]:
                        due = factories.payment(order)
                        settle.settle(factories.notice(due), provider=due.provider)
                # What is left to be asked waits for the end: no round pays for an earlier one.
                Effect.objects.filter(kind__in=KINDS, state="due").update(due_at=clock.now() + timedelta(days=1))
        orders = Order.objects.filter(event__in=silent_events).order_by("pk")

        registers.say("well")
        cache.clear()
        outbox.run_all(kinds=KINDS, early=True)

    members = set(
        SocialAccount.objects.filter(extra_data__norEduPersonLIN__regex="[02468]$").values_list("user", flat=True)
    )
    paid = orders.filter(state="paid")
    repaid = set(Refund.objects.filter(payment__order__in=paid).values_list("payment__order", flat=True))
    assert repaid == set(paid.filter(user__in=members).values_list("pk", flat=True))
    assert set(Refund.objects.values_list("amount_minor", flat=True)) == {5_000}
    unpaid = orders.filter(state="reserved")
    assert set(unpaid.filter(user__in=members).values_list("total_minor", flat=True)) == {20_000}
    assert set(unpaid.exclude(user__in=members).values_list("total_minor", flat=True)) == {25_000}
    assert Effect.objects.filter(kind__in=KINDS).exclude(state="done").count() == 0
    assert invariants.check() == []
    ratio = median(seconds["late"]) / median(seconds["well"])
    proof.record(
        rounds_of_each=len(seconds["well"]),
        seconds_with_registers=[round(one, 2) for one in seconds["well"]],
        seconds_without=[round(one, 2) for one in seconds["late"]],
        ratio_of_medians=round(ratio, 3),
        lowered_before_payment=unpaid.filter(user__in=members).count(),
        repaid_after_it=len(repaid),
    )
    if proof.size == "full":
        assert ratio <= MOST_SLOWER
