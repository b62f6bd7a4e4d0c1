"""Comparing our books with what a payment provider says of the account: every movement on both sides, to the unit.

Each movement of the provider's statement stands for one fact of ours: a payment for its capture, a refund for its being
done, a dispute for its opening. What stands on one side alone, or with another amount, is a difference. The provider's
own fees are known from the statement only, and are booked by the way. Nothing else is written.

Both sides are read from a week earlier than asked, so that a fact booked on one day and told on another finds its other
half; a difference counts when its own moment lies within what was asked, and not in the last minutes, when a notice may
be on its way.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet, Sum, TextChoices
from django.utils.translation import gettext_lazy as _

from apps.events.models import Organisation
from apps.ticketing import clock, ledger, mails
from apps.ticketing.extensions import (
    AccountsRefused,
    ProviderRefused,
    TellsTransactions,
    Transaction,
    UnknownOutcome,
    payment_providers,
)
from apps.ticketing.models import Dispute, Entry, Order, Payment, Refund
from apps.ticketing.states import RefundState

log = logging.getLogger(__name__)

SINCE = timedelta(days=7)
WIDER = timedelta(days=7)
ON_ITS_WAY = timedelta(minutes=10)
PAYOUT = "payout"  # from the account to the organisation's bank: no fact of ours


class Wrong(TextChoices):
    """What is different."""

    ONLY_THERE = "only_there", _("the provider has it, our books do not")
    ONLY_HERE = "only_here", _("our books have it, the provider does not")
    AMOUNT = "amount", _("the amounts differ")


@dataclass(frozen=True)
class Difference:
    """One movement on which both sides do not agree. Amounts in minor units, 0 where a side has none."""

    organisation: str
    provider: str
    wrong: Wrong
    what: str  # which movement, as whoever looks into it finds it
    order: Order | None  # when we know it
    ours_minor: int
    theirs_minor: int
    currency: str
    at: datetime

    @property
    def facts(self) -> dict[str, Any]:
        """The amounts, as a mail's payload keeps them."""
        return {"ours_minor": self.ours_minor, "theirs_minor": self.theirs_minor, "currency": self.currency}


@dataclass
class Outcome:
    """What a comparison found. `compared` counts movements that agree, `fees_booked` the fees booked now; `unasked` are
    the accounts whose provider gave no answer, `refused` those that it does not let us see (any more)."""

    differences: list[Difference] = field(default_factory=list)
    compared: int = 0
    fees_booked: int = 0
    unasked: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Movement:
    """One movement on one side. `fact` is what our books call it; empty for one they cannot know."""

    fact: str
    amount_minor: int
    currency: str
    at: datetime
    what: str
    order: Order | None = None


def compare(organisations: Iterable[Organisation], since: datetime | None = None) -> Outcome:
    """Compare each organisation's books with every provider that tells its statement, and book the fees it took.

    Since a week ago unless told otherwise. Outside any transaction: it speaks to the network. Safe to repeat.
    """
    at = clock.now()
    since = since or at - SINCE
    outcome = Outcome()
    for organisation in organisations:
        for provider in payment_providers:
            if isinstance(provider, TellsTransactions):
                _compare_account(organisation, provider.slug, provider, since, at, outcome)
    return outcome


def _compare_account(
    organisation: Organisation,
    slug: str,
    provider: TellsTransactions,
    since: datetime,
    at: datetime,
    outcome: Outcome,
) -> None:
    told: list[Transaction] = []
    refused: tuple[str, ...] = ()
    try:
        for one in provider.transactions(organisation, since - WIDER):
            if one.kind != PAYOUT:
                told.append(one)
    except AccountsRefused as refusal:
        refused = refusal.accounts
        log.error("%s refuses the statement of %s, accounts %s", slug, organisation, ", ".join(refused))
        outcome.refused.extend(f"{slug}: {organisation}, {account}" for account in refused)
    except UnknownOutcome as error:
        log.error("%s did not tell the statement of %s: %s", slug, organisation, error)
        outcome.unasked.append(f"{slug}: {organisation}")
        return
    except ProviderRefused as refusal:
        log.error("%s refuses the statement of %s: %s", slug, organisation, refusal)
        outcome.refused.append(f"{slug}: {organisation}")
        return
    theirs = _theirs(slug, told)
    outcome.fees_booked += _book_fees(slug, told, theirs)
    ours = _ours(organisation, slug, since - WIDER, refused)
    slow = _ordered_before(since - WIDER, ours.keys() - theirs.keys())
    for fact in {*theirs, *ours}:
        here, there = ours.get(fact), theirs.get(fact)
        known = there or here
        assert known is not None
        if here and there and (here.amount_minor, here.currency) == (there.amount_minor, there.currency):
            outcome.compared += 1
            continue
        if fact in slow or known.at < since or (not (here and there) and known.at > at - ON_ITS_WAY):
            continue
        wrong = Wrong.AMOUNT if here and there else Wrong.ONLY_HERE if here else Wrong.ONLY_THERE
        outcome.differences.append(
            Difference(
                organisation=organisation.name,
                provider=slug,
                wrong=wrong,
                what=known.what,
                order=(here or known).order,
                ours_minor=here.amount_minor if here else 0,
                theirs_minor=there.amount_minor if there else 0,
                currency=known.currency,
                at=known.at,
            )
        )
    outcome.differences.sort(key=lambda one: (one.organisation, one.at))


def _theirs(slug: str, told: list[Transaction]) -> dict[str, _Movement]:
    """{fact, or the statement's own name of what we do not know: movement}."""
    payments = _found(Payment.objects.filter(provider=slug).select_related("order"), told, "payment")
    refunds = _found(Refund.objects.filter(payment__provider=slug).select_related("payment__order"), told, "refund")
    disputes = {
        row.provider_reference: row
        for row in Dispute.objects.filter(
            payment__provider=slug, provider_reference__in=[one.object_reference for one in told]
        ).select_related("payment__order")
    }
    movements: dict[str, _Movement] = {}
    for one in told:
        fact, order = "", None
        if one.kind == "payment" and (payment := payments.get(one.reference)):
            fact, order = f"captured:{payment.public_id}", payment.order
        elif one.kind == "refund" and (refund := refunds.get(one.reference)):
            fact, order = f"refund_done:{refund.public_id}", refund.payment.order
        elif one.kind in ("dispute", "dispute_won") and (dispute := disputes.get(one.object_reference)):
            name = "dispute_opened" if one.kind == "dispute" else "dispute_won"
            fact, order = f"{name}:{dispute.public_id}", dispute.payment.order
        what = f"{one.kind} {one.object_reference}"
        movement = _Movement(fact, one.amount_minor, one.currency, one.at, what, order)
        movements[fact or f"{one.kind}:{one.reference}"] = movement
    return movements


def _found(rows: QuerySet[Any], told: list[Transaction], kind: str) -> dict[str, Any]:
    """{reference of the movement: our row}, by our id where the statement has it, else by the provider's reference."""
    own = [one for one in told if one.kind == kind]
    ids = [one.our_id for one in own if _is_uuid(one.our_id)]
    by_id = {str(row.public_id): row for row in rows.filter(public_id__in=ids)}
    references = [one.object_reference for one in own]
    by_reference = {row.provider_reference: row for row in rows.filter(provider_reference__in=references)}
    pairs = ((one.reference, by_id.get(one.our_id) or by_reference.get(one.object_reference)) for one in own)
    return {reference: row for reference, row in pairs if row is not None}


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _book_fees(slug: str, told: list[Transaction], theirs: dict[str, _Movement]) -> int:
    """Book what the provider took for movements of ours, each once; returns how many were new."""
    orders = {movement.what: movement.order for movement in theirs.values()}
    booked = 0
    for one in told:
        order = orders.get(f"{one.kind} {one.object_reference}")
        if one.fee_minor and order is not None:
            booked += ledger.provider_fee(
                order, provider=slug, reference=one.reference, fee_minor=one.fee_minor, currency=one.currency
            )
    return booked


def _ours(organisation: Organisation, slug: str, since: datetime, refused: Sequence[str]) -> dict[str, _Movement]:
    """{fact: movement} of everything our books moved at this provider, its fees left out, and what happened on accounts
    that it does not show us (any more)."""
    kinds = {"captured": "payment", "surplus": "payment", "refund_done": "refund", "dispute_opened": "dispute",
             "dispute_won": "dispute_won"}  # fmt: skip
    rows = (
        Entry.objects.filter(
            posting__organisation=organisation,
            posting__booked_at__gte=since,
            posting__kind__in=kinds,
            account=Entry.Account.CLEARING,
        )
        .values_list("posting__fact", "posting__kind", "posting__order", "currency", "posting__booked_at")
        .annotate(minor=Sum("amount_minor"))
    )
    found = list(rows)
    at_provider = _at(slug, [row[0] for row in found], refused)
    orders = Order.objects.in_bulk({row[2] for row in found if row[0] in at_provider})
    return {
        fact: _Movement(fact, minor, currency, at, f"{kinds[kind]} {at_provider[fact]}", orders.get(order))
        for fact, kind, order, currency, at, minor in found
        if fact in at_provider
    }


def _at(slug: str, facts: list[str], refused: Sequence[str]) -> dict[str, str]:
    """{fact: its reference at the provider} of those facts that happened at this provider, on other accounts."""
    payments = Payment.objects.filter(provider=slug).exclude(account__in=refused)
    ids: dict[str, set[str]] = {}
    for fact in facts:
        name, _colon, named = fact.partition(":")
        ids.setdefault("dispute" if name.startswith("dispute") else name, set()).add(named)
    known: dict[str, str] = {}
    at_provider: dict[str, QuerySet[Any]] = {
        "captured": payments,
        # One that failed later came back by itself; the statement leaves out both ways, too.
        "refund_done": Refund.objects.filter(payment__in=payments).exclude(state=RefundState.FAILED),
        "dispute": Dispute.objects.filter(payment__in=payments),
    }
    for name, rows in at_provider.items():
        own_rows = rows.filter(public_id__in=ids.get(name, ()))
        for public_id, reference in own_rows.values_list("public_id", "provider_reference"):
            known[f"{name}:{public_id}"] = reference
    own = {fact: f"dispute:{fact.partition(':')[2]}" if fact.startswith("dispute") else fact for fact in facts}
    return {fact: known[key] for fact, key in own.items() if key in known}


def _ordered_before(moment: datetime, facts: Iterable[str]) -> set[str]:
    """Those of these facts that are refunds ordered before that moment: a provider's statement has them from when they
    were sent, and so further back than it was read, however late the payer's bank took them."""
    refunds = [fact.partition(":")[2] for fact in facts if fact.startswith("refund_done:")]
    old = Refund.objects.filter(public_id__in=refunds, created_at__lt=moment)
    return {f"refund_done:{public_id}" for public_id in old.values_list("public_id", flat=True)}


def alarm() -> None:
    """The daily comparison of every account. Each difference is an error in the log, and the organiser is written to
    about the order it concerns, once for each difference however many days it stands."""
    outcome = compare(Organisation.objects.all())
    for one in outcome.differences:
        log.error(
            "the books of %s and %s differ: %s %s, order %s: here %s, there %s %s",
            *(one.organisation, one.provider, one.what, one.wrong.value, one.order or "-"),
            *(one.ours_minor, one.theirs_minor, one.currency),
        )
        if one.order is not None:
            with transaction.atomic():
                mails.books_alert(one.order, what=f"{one.provider} {one.what}", wrong=one.wrong.value, facts=one.facts)
