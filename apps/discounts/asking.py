"""How verdicts come to be known: sources are asked at sign-in and after an order, and what they say is stored.

    sign-in, a new verified address -> near sources at once, in the request; the others by `discounts.ask`
    an order is decided             -> `discounts.ask_orders`, and for each order `discounts.ask`
    a verdict changed               -> `discounts.follow`, written with the verdict: the person's orders are priced anew
    a list or a body changed        -> `discounts.ask_all`: everybody by near sources, by others whoever was known
    a login or an address is gone   -> what was known by it ends at once, and `discounts.ask` finds what is left

Nobody waits for any of it: the queue decides by what is stored. A registry that is silent is asked again until the
event begins, and an answer that comes late only helps the buyer (`ticketing.requoting`).
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.db import transaction
from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.discounts.extensions import Person, Silent, Verdict, membership_sources
from apps.discounts.granting import MEMBER
from apps.discounts.models import MemberBody, Membership
from apps.discounts.sources import is_near, is_set_up, provider_of, repeats_login
from apps.ticketing import clock, outbox, requoting
from apps.ticketing.models import Effect, Order
from apps.ticketing.states import ORDER_HOLDS, OrderState

log = logging.getLogger(__name__)

ASK, ASK_ORDERS, ASK_ALL, FOLLOW = "discounts.ask", "discounts.ask_orders", "discounts.ask_all", "discounts.follow"
RECENT = timedelta(minutes=1)  # what was told so lately is not asked again: people sign in and buy
UNKNOWN_FOR = timedelta(minutes=10)
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 30, 1800
PAYING_SECONDS = 60
BEGUN_ANEW = timedelta(days=6)  # the outbox lets an effect wait for seven
AT_ONCE = 500
CLOSED = (OrderState.EXPIRED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.REFUNDED)


# --- Asking ----------------------------------------------------------------------------------------------------------


def persons(user_ids: Collection[int]) -> list[Person]:
    """People as sources may know them. Two queries."""
    emails: dict[int, list[str]] = defaultdict(list)
    for user_id, email in EmailAddress.objects.filter(user__in=user_ids, verified=True).values_list("user", "email"):
        emails[user_id].append(email.lower())
    claims: dict[int, dict[str, Mapping[str, Any]]] = defaultdict(dict)
    signed_in: dict[int, dict[str, datetime]] = defaultdict(dict)
    accounts = SocialAccount.objects.filter(user__in=user_ids).order_by("last_login", "pk")
    for user_id, provider, told, at in accounts.values_list("user", "provider", "extra_data", "last_login"):
        claims[user_id][provider] = told if isinstance(told, dict) else {}
        signed_in[user_id][provider] = at
    return [Person(pk, tuple(sorted(emails[pk])), claims[pk], signed_in[pk]) for pk in sorted(set(user_ids))]


@dataclass(frozen=True)
class Answers:
    """{body id: verdict}, when it was told where that is not now, and whether some source could not be asked: then
    *unknown* may be known later."""

    verdicts: dict[int, Verdict]
    told_at: dict[int, datetime] = field(default_factory=dict)
    some_are_silent: bool = False


def answers(bodies: Iterable[MemberBody], person: Person) -> Answers:
    """What the sources of these bodies say of `person` now. Speaks to the network where one does: outside transactions.

    Each source is asked once for all its keys. One that is silent, broken, gone or not set up makes its bodies
    *unknown*, and is logged without a word of what it said. What a login said counts from the last sign-in with it, and
    is not known any more when that is too long ago.
    """
    bodies = list(bodies)
    wanted: dict[str, list[MemberBody]] = defaultdict(list)
    for body in bodies:
        wanted[body.source].append(body)
    found, is_silent = {}, False
    for slug, own in wanted.items():
        told: Mapping[str, Verdict] = {}
        if slug in membership_sources and is_set_up(membership_sources.get(slug)):
            source = membership_sources.get(slug)
            try:
                # A near one shares our transaction: what goes wrong in its own questions must not end that.
                with transaction.atomic() if is_near(source) else nullcontext():
                    told = source.memberships(person, sorted({body.source_key for body in own}))
            except Silent as error:
                is_silent = True
                log.warning("the membership source %s is silent: %s", slug, error)
            except Exception as error:  # a plugin may raise anything, and its message may quote what it was told
                is_silent = True
                log.error("the membership source %s failed: %s", slug, type(error).__name__)
        for body in own:
            verdict = told.get(body.source_key, Verdict.UNKNOWN)
            found[body.pk] = Verdict(verdict) if verdict in Verdict.values else Verdict.UNKNOWN
    told_at = _told_at(bodies, person)
    at = clock.now() if told_at else None
    for body in bodies:
        if at is not None and body.pk in told_at and told_at[body.pk] + _good_for(body, Verdict.YES) <= at:
            found[body.pk] = Verdict.UNKNOWN
    return Answers(found, told_at, is_silent)


def _told_at(bodies: Iterable[MemberBody], person: Person) -> dict[int, datetime]:
    """{body id: when its source was told what it says}, of those that repeat what a login said."""
    repeating = {source.slug for source in membership_sources if repeats_login(source)}
    logins = {body.pk: provider_of(body.source, body.source_key) for body in bodies if body.source in repeating}
    return {pk: person.signed_in_at[login] for pk, login in logins.items() if login in person.signed_in_at}


def sources(*, near: bool) -> list[str]:
    """Slugs of those that answer from our own database, or of those that a network is between."""
    return [source.slug for source in membership_sources if is_near(source) == near]


def store(user_id: int, told: Answers, bodies: Mapping[int, MemberBody]) -> set[int]:
    """Keep what was said of one person, and have their orders followed up where that changes something. Returns the
    bodies whose verdict changed.

    What was known is never overwritten by *unknown*: it ends by its own date. A *no* that had ended and is said again
    changes nothing. Locks the person's memberships.
    """
    if not told.verdicts:
        return set()
    with transaction.atomic():
        at = clock.now()
        found = (
            Membership.objects.select_for_update().filter(user_id=user_id, body__in=list(told.verdicts)).order_by("pk")
        )
        was = {row.body_id: row for row in found}
        fresh, changed, lost = [], set(), set()
        for body_id, verdict in told.verdicts.items():
            old = was.get(body_id)
            if verdict == Verdict.UNKNOWN and old is not None and old.verdict != Verdict.UNKNOWN:
                continue
            told_at = at if verdict == Verdict.UNKNOWN else told.told_at.get(body_id, at)
            good_until = told_at + _good_for(bodies[body_id], verdict)
            row = Membership(body_id=body_id, user_id=user_id, verdict=verdict, told_at=told_at, good_until=good_until)
            fresh.append(row)
            stands = old is not None and (at < old.good_until or old.verdict == Verdict.NO)
            if verdict != (old.verdict if old is not None and stands else Verdict.UNKNOWN):
                changed.add(body_id)
            if old is not None and old.verdict == Verdict.YES and verdict == Verdict.NO:
                lost.add(body_id)
        Membership.objects.bulk_create(
            fresh,
            update_conflicts=True,
            unique_fields=["body", "user"],
            update_fields=["verdict", "told_at", "good_until"],
        )
        if changed and _orders_of(user_id, changed, at):
            payload = {"user": user_id, "bodies": sorted(changed), "lost": sorted(lost)}
            outbox.add(FOLLOW, key=f"{FOLLOW}:{uuid4()}", payload=payload)
    return changed


def _good_for(body: MemberBody, verdict: Verdict) -> timedelta:
    if verdict == Verdict.UNKNOWN or body.source not in membership_sources:
        return UNKNOWN_FOR
    return timedelta(minutes=membership_sources.get(body.source).good_for_minutes)


def ask(user_id: int, *, near: bool, organisation_id: int | None = None, again: bool = False) -> bool:
    """Ask the near sources, or those that a network is between, about one person, and store what they say. False when
    one of them is silent, so that it is worth asking again.

    What was told within the last minute stands, unless `again`. Not inside a transaction.
    """
    bodies = MemberBody.objects.filter(source__in=sources(near=near))
    if organisation_id is not None:
        bodies = bodies.filter(organisation_id=organisation_id)
    found = {body.pk: body for body in bodies}
    if not found:
        return True
    recently = clock.now() - RECENT
    stand = Membership.objects.filter(user_id=user_id, body__in=found, told_at__gt=recently, good_until__gt=clock.now())
    known = {} if again else dict(stand.exclude(verdict=Verdict.UNKNOWN).values_list("body_id", "verdict"))
    asked = [body for pk, body in found.items() if pk not in known]
    if not asked:
        return True
    told = answers(asked, persons([user_id])[0])
    store(user_id, told, found)
    return not told.some_are_silent


# --- When ------------------------------------------------------------------------------------------------------------


def on_signed_in(sender: Any, user: User, **kwargs: Any) -> None:
    """Somebody signed in: what needs no network is known when their next page comes; the rest a worker asks. A failure
    here must not keep anybody from signing in."""
    try:
        with transaction.atomic():
            ask_near_now_and_others_soon(user.pk)
    except Exception:
        log.exception("the membership sources were not asked at a sign-in")


def on_address_verified(sender: Any, email_address: EmailAddress, **kwargs: Any) -> None:
    """An address was verified: lists and domains may know it."""
    on_signed_in(sender, email_address.user)


def on_login_connected(sender: Any, sociallogin: Any, **kwargs: Any) -> None:
    """A login was connected to an account, or told new things of it."""
    on_signed_in(sender, sociallogin.user)


def ask_near_now_and_others_soon(user_id: int, *, again: bool = False) -> None:
    """Ask the near sources at once, and have a worker ask the others. Inside a transaction."""
    ask(user_id, near=True, again=True)
    if MemberBody.objects.filter(source__in=sources(near=False)).exists():
        outbox.add(ASK, key=f"{ASK}:{uuid4()}", payload={"user": user_id, "again": again})


def on_login_gone(sender: Any, instance: SocialAccount, **kwargs: Any) -> None:
    """A login was taken away from an account: what was known by it ends."""
    ends_by_it = Q(pk__in=[body.pk for body in MemberBody.objects.all() if goes_by(body) == instance.provider])
    _end(Q(user=instance.user_id), ends_by_it | Q(source__in=sources(near=True)))
    _ask_soon(instance.user_id)


def on_address_gone(sender: Any, instance: EmailAddress, **kwargs: Any) -> None:
    """An address was taken away from an account: what domains and lists knew by it ends. By one that nobody proved
    nothing was known, and what a login said stands."""
    if not instance.verified:
        return
    repeating = [source.slug for source in membership_sources if repeats_login(source)]
    _end(Q(user=instance.user_id), Q(source__in=sources(near=True)) & ~Q(source__in=repeating))
    _ask_soon(instance.user_id)


def goes_by(body: MemberBody) -> str:
    return provider_of(body.source, body.source_key)


def _end(whose: Q, of_bodies: Q) -> None:
    """Let verdicts count no more, from now on. They stay, so that it is seen when a *yes* becomes a *no*."""
    at = clock.now()
    ended = Membership.objects.filter(whose, body__in=MemberBody.objects.filter(of_bodies), good_until__gt=at)
    ended.update(good_until=at)


def _ask_soon(user_id: int) -> None:
    """Have a worker ask every source about somebody who may be gone by then."""
    if MemberBody.objects.exists():
        with transaction.atomic():
            outbox.add(ASK, key=f"{ASK}:{uuid4()}", payload={"user": user_id, "near": True, "again": True})


def on_orders_moved(sender: Any, ids: list[int], new: str, **kwargs: Any) -> None:
    """Orders were decided: a worker asks about their buyers once more. One query here for a whole batch."""
    if new not in (OrderState.RESERVED, OrderState.OFFERED, OrderState.WAITING) or sender is not Order:
        return
    if MemberBody.objects.filter(organisation__orders=ids[0]).exists():  # a batch is of one event
        with transaction.atomic():
            outbox.add(ASK_ORDERS, key=f"{ASK_ORDERS}:{uuid4()}", payload={"orders": ids})


def changed_for_all(body: MemberBody, *, is_another: bool = False) -> None:
    """A body came to be, or its list changed: everybody's verdict is found anew where that needs no network. With
    `is_another`, who knows its members or what is asked for changed: what was told of it ends, and is asked anew over
    the network as well. Inside a transaction."""
    if is_another:
        _end(Q(), Q(pk=body.pk))
    Membership.objects.filter(body=body, verdict=Verdict.UNKNOWN).delete()
    if is_another or body.source in sources(near=True):
        outbox.add(ASK_ALL, key=f"{ASK_ALL}:{uuid4()}", payload={"body": body.pk})


# --- By a worker -----------------------------------------------------------------------------------------------------


@outbox.handler(ASK_ORDERS)
def _ask_orders(effect: Effect) -> None:
    """One effect for each order of somebody with an account."""
    orders = Order.objects.filter(pk__in=effect.payload["orders"], user__isnull=False).exclude(state__in=CLOSED)
    wanted = [
        outbox.Wanted(f"{ASK}:{effect.pk}:{pk}", {"user": user_id, "order": pk}, order_id=pk)
        for pk, user_id in orders.values_list("pk", "user_id").order_by("pk")
    ]
    with transaction.atomic():
        outbox.add_many(ASK, wanted)


@outbox.handler(ASK, lease_seconds=120)
def _ask(effect: Effect) -> None:
    """Ask about one person; after an order, of what its organiser knows alone, until the event begins."""
    user_id, order_id = effect.payload["user"], effect.payload.get("order")
    if order_id is None:
        if User.objects.filter(pk=user_id, is_active=True).exists():
            if effect.payload.get("near"):
                ask(user_id, near=True, again=True)
            ask(user_id, near=False, again=bool(effect.payload.get("again")))
        return
    order = Order.objects.filter(pk=order_id, user=user_id).select_related("event").first()
    if order is None or order.state in CLOSED or clock.now() >= order.event.ends_at:
        return
    ask(user_id, near=True, organisation_id=order.organisation_id)
    all_told = ask(user_id, near=False, organisation_id=order.organisation_id)
    learned = words_of(MemberBody.objects.filter(organisation=order.organisation_id))
    is_priced = requoting.requote(order.pk, learned=learned) != requoting.Outcome.LATER
    at = clock.now()
    if not is_priced:
        _wait(effect, "it is being paid", PAYING_SECONDS, at)
    elif not all_told and at < order.event.starts_at:
        _wait(effect, "a source is silent", _pause(effect, at), at)


def _pause(effect: Effect, at: datetime) -> int:
    """Seconds until the next look: a quarter of the time it has taken so far."""
    age = int((at - effect.created_at).total_seconds())
    return max(SHORTEST_PAUSE_SECONDS, min(age // 4, LONGEST_PAUSE_SECONDS))


def _wait(effect: Effect, why: str, seconds: int, at: datetime) -> None:
    """Look again later. Before the outbox loses patience with this effect, another one takes its place."""
    if at - effect.created_at < BEGUN_ANEW:
        raise outbox.NotYet(why, seconds=seconds)
    with transaction.atomic():
        due_at = at + timedelta(seconds=seconds)
        outbox.add(effect.kind, key=f"{effect.key.split('#')[0]}#{uuid4()}", payload=effect.payload, due_at=due_at)


@outbox.handler(FOLLOW)
def _follow(effect: Effect) -> None:
    """Price a person's orders anew after a verdict changed, by what depends on it."""
    user_id, bodies = effect.payload["user"], set(effect.payload["bodies"])
    noes = Membership.objects.filter(user_id=user_id, body__in=effect.payload.get("lost", ()), verdict=Verdict.NO)
    lost = words_of(MemberBody.objects.filter(memberships__in=noes))
    learned = words_of(MemberBody.objects.filter(pk__in=bodies))
    at = clock.now()
    outcomes = {requoting.requote(pk, learned=learned, lost=lost) for pk in _orders_of(user_id, bodies, at)}
    if requoting.Outcome.LATER in outcomes:
        _wait(effect, "an order is being paid", PAYING_SECONDS, at)


def words_of(bodies: QuerySet[MemberBody]) -> frozenset[str]:
    """How price rules are told of memberships."""
    return frozenset(f"{MEMBER}{public_id.hex}" for public_id in bodies.order_by().values_list("public_id", flat=True))


def _orders_of(user_id: int, bodies: Collection[int], at: datetime) -> list[int]:
    """Orders whose price may depend on these bodies, and whose event is not over."""
    orders = Order.objects.filter(user_id=user_id, state__in=ORDER_HOLDS, event__ends_at__gt=at)
    return list(orders.filter(organisation__member_bodies__in=bodies).distinct().values_list("pk", flat=True))


@outbox.handler(ASK_ALL)
def _ask_all(effect: Effect) -> None:
    """Find everybody's verdict of one body anew, some hundred people at a time; over the network, of those alone of
    whom something was known. That somebody is no member is kept only where something was known before: most people
    have nothing to do with most lists."""
    body = MemberBody.objects.filter(pk=effect.payload["body"]).first()
    if body is None:
        return
    if body.source not in sources(near=True):
        asked = Membership.objects.filter(body=body, user__is_active=True).values_list("user", flat=True)
        wanted = [outbox.Wanted(f"{ASK}:{effect.pk}:{pk}", {"user": pk}) for pk in asked.order_by("user")]
        with transaction.atomic():
            outbox.add_many(ASK, wanted)
        return
    people = User.objects.filter(is_active=True, pk__gt=effect.payload.get("after", 0)).order_by("pk")
    ids = list(people.values_list("pk", flat=True)[:AT_ONCE])
    known = set(Membership.objects.filter(body=body, user__in=ids).values_list("user", flat=True))
    for person in persons(ids):
        told = answers([body], person)
        if person.user_id in known or told.verdicts[body.pk] == Verdict.YES:
            store(person.user_id, told, {body.pk: body})
    if len(ids) == AT_ONCE:
        with transaction.atomic():
            payload = {"body": body.pk, "after": ids[-1]}
            outbox.add(ASK_ALL, key=f"{effect.key.split('#')[0]}#{ids[-1]}", payload=payload)
