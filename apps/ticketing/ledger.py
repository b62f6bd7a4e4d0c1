"""The books: double entry, posted once at each fact, never changed.

Debit is positive, credit negative; a posting sums to zero in each currency. What a buyer pays includes VAT, so a sale
credits VAT per rate and the rest as revenue: at list price, with the organiser's own adjustments as a debit beside it.
A sponsor's share is owed by the sponsor. A refund is a debt to the buyer from the moment it is ordered until the
provider says it is done; a refund that fails changes nothing here, so the debt stays visible, and one that fails after
it was done brings the debt back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Sum

from apps.accounts.ids import new_public_id
from apps.accounts.prepared import Statement
from apps.events.models import Organisation
from apps.ticketing import reading, reasons, vat
from apps.ticketing.extensions import ORGANISER, SELLER
from apps.ticketing.models import Dispute, Entry, Order, OrderLine, Payment, Refund
from apps.ticketing.money import vat_inside

Account = Entry.Account


class Unbalanced(Exception):
    """The entries of a posting do not sum to zero; nothing was written."""


@dataclass(frozen=True)
class Side:
    """One entry to be: debit positive, in minor units. `detail` names the line, the VAT rate or the sponsor."""

    account: str
    amount_minor: int
    currency: str
    detail: str = ""


_POST = Statement(
    "ledger_post",
    ("uuid", "bigint", "bigint", "text", "text", "text[]", "bigint[]", "text[]", "text[]"),
    """
WITH posting AS (INSERT INTO ticketing_posting (public_id, organisation_id, order_id, kind, fact, booked_at)
    VALUES ($1, $2, $3, $4, $5, foyer_now()) ON CONFLICT (fact) DO NOTHING RETURNING id)
INSERT INTO ticketing_entry (posting_id, account, amount_minor, currency, detail)
SELECT posting.id, side.account, side.amount_minor, side.currency, side.detail
FROM posting, unnest($6, $7, $8, $9) WITH ORDINALITY AS side(account, amount_minor, currency, detail, place)
ORDER BY side.place RETURNING id
""",
)


def post(kind: str, fact: str, order: Order, entries: Iterable[Side]) -> bool:
    """Book one fact; False when it is booked already. Inside the transaction that establishes the fact.

    Entries of nothing are left out, and a posting without entries is none. Raises Unbalanced.
    """
    sides = [side for side in entries if side.amount_minor]
    for currency in {side.currency for side in sides}:
        off = sum(side.amount_minor for side in sides if side.currency == currency)
        if off:
            raise Unbalanced(f"{kind} {fact} is off by {off} {currency}.")
    if not sides:
        return False
    booked = _POST.run(
        new_public_id(),
        order.organisation_id,
        order.pk,
        kind,
        fact,
        [str(side.account) for side in sides],
        [side.amount_minor for side in sides],
        [side.currency for side in sides],
        [side.detail for side in sides],
    )
    return bool(booked)


def captured(order: Order, payment: Payment) -> bool:
    """The buyer's money for this order has arrived."""
    clearing = Side(Account.CLEARING, payment.amount_minor, payment.currency)
    return post("captured", f"captured:{payment.public_id}", order, [clearing, *_sale(order, _live_lines(order))])


def given_away(order: Order) -> bool:
    """An order that costs the buyer nothing is settled; a sponsor may still owe for it."""
    return post("captured", f"free:{order.public_id}", order, _sale(order, _live_lines(order)))


def surplus(order: Order, payment: Payment) -> bool:
    """Money arrived that buys nothing: too late, twice, or the wrong sum. All of it is owed back."""
    return post(
        "surplus",
        f"captured:{payment.public_id}",
        order,
        [
            Side(Account.CLEARING, payment.amount_minor, payment.currency),
            Side(Account.BUYER_REFUNDABLE, -payment.amount_minor, payment.currency),
        ],
    )


def refund_ordered(order: Order, lines: Sequence[OrderLine], *, fact: str, fee_minor: int = 0) -> bool:
    """The sale of these lines is reversed; what they cost, less what was given back before and the fee, is owed."""
    owed = sum(line.kept_minor for line in lines) - fee_minor
    return post(
        "refund_ordered",
        f"refund_ordered:{fact}",
        order,
        [
            *_ended(order, lines),
            Side(Account.BUYER_REFUNDABLE, -owed, order.currency),
            Side(Account.FEE, -fee_minor, order.currency),
        ],
    )


def resold(order: Order, line: OrderLine, *, fact: str, owed_minor: int, fee_minor: int) -> bool:
    """The sale of a line is reversed because its ticket was sold again: what the seller agreed to is owed to them, the
    fee is kept, and what they gave up of the price is theirs to pay of the new owner's."""
    given_up = line.kept_minor - owed_minor - fee_minor
    return post(
        "resold",
        f"resold:{fact}",
        order,
        [
            *_ended(order, [line]),
            Side(Account.SELLER_PAYABLE, -owed_minor, order.currency),
            Side(Account.FEE, -fee_minor, order.currency),
            Side(Account.SELLER_SHARE, -given_up, order.currency, f"{SELLER}{fact}"),
        ],
    )


def given_back(order: Order, line: OrderLine, *, before_minor: int, fact: str) -> bool:
    """A part of a live line's price is owed to the buyer: from `before_minor` to what is given back of it now.

    Revenue and VAT fall in proportion. What was booked before is taken off the new whole, so that the parts of several
    times, and of the refund of the rest, always add up to the sale.
    """
    owed = line.given_back_minor - before_minor
    return post(
        "given_back",
        f"given_back:{fact}",
        order,
        [
            *_given_back(order, line, line.given_back_minor),
            *(_reversed(side) for side in _given_back(order, line, before_minor)),
            Side(Account.BUYER_REFUNDABLE, -owed, order.currency),
        ],
    )


def sale_of(order: Order, lines: Sequence[OrderLine]) -> list[Side]:
    """What the books hold of these lines' sale, less what was given back of it: for `priced_anew`, taken before."""
    given_back = [side for line in lines for side in _given_back(order, line, line.price_minor - line.kept_minor)]
    return [*_sale(order, lines), *given_back]


def priced_anew(
    order: Order, before: Sequence[Side], lines: Sequence[OrderLine], *, owed_minor: int, fact: str
) -> bool:
    """Paid lines cost less than was thought: their sale `before` is undone and booked as it is now, a sponsor's share
    with it, and the difference is owed to the buyer."""
    sides = [
        *(_reversed(side) for side in before),
        *sale_of(order, lines),
        Side(Account.BUYER_REFUNDABLE, -owed_minor, order.currency),
    ]
    return post("priced_anew", f"priced_anew:{fact}", order, sides)


def paid_otherwise(order: Order, refund: Refund) -> bool:
    """A refund that failed was paid in another way, from money that does not lie at the provider: no debt any more."""
    return _moved("paid_otherwise", order, refund, refund.owed_minor, to=_debt(refund), out_of=Account.OUTSIDE)


def covered(order: Order, refund: Refund, amount_minor: int) -> bool:
    """The payer's bank has sent them what a refund did not bring: paid by what the dispute took, so not lost."""
    fact = f"{refund.public_id}:{refund.covered_minor}"
    return _moved("covered", order, refund, amount_minor, to=_debt(refund), out_of=Account.LOSS, fact=fact)


def lost_minor(payment: Payment) -> int:
    """What the payer's bank took in lost disputes of this payment beyond what ended and what was owed to them."""
    facts = [f"dispute_lost:{public_id}" for public_id in payment.disputes.values_list("public_id", flat=True)]
    lost = Entry.objects.filter(posting__fact__in=facts, account=Account.LOSS)
    covered = Refund.objects.filter(payment=payment)
    return _sum(lost, "amount_minor") - _sum(covered, "covered_minor")


def refund_done(order: Order, refund: Refund) -> bool:
    """The provider has sent the money back; the debt to the buyer is gone."""
    return _moved("refund_done", order, refund, to=_debt(refund), out_of=Account.CLEARING)


def refund_came_back(order: Order, refund: Refund) -> bool:
    """A refund that was done did not arrive after all: its money lies at the provider again, and the debt stands."""
    return _moved("refund_came_back", order, refund, to=Account.CLEARING, out_of=_debt(refund))


def dispute_opened(order: Order, dispute: Dispute) -> bool:
    """The payer's bank has taken the money back for now."""
    return _moved("dispute_opened", order, dispute, to=Account.DISPUTE, out_of=Account.CLEARING)


def dispute_won(order: Order, dispute: Dispute) -> bool:
    """The money came back to us."""
    return _moved("dispute_won", order, dispute, to=Account.CLEARING, out_of=Account.DISPUTE)


def dispute_lost(order: Order, dispute: Dispute, lines: Sequence[OrderLine]) -> bool:
    """The money stays with the payer: the sale of the lines that ended with it is reversed.

    Where they took back less than these lines cost, the rest is kept; where they took more, as after a refund that met
    the dispute, it is lost, unless it pays what was owed to them: `covered`.
    """
    kept = sum(line.kept_minor for line in lines) - dispute.amount_minor
    return post(
        "dispute_lost",
        f"dispute_lost:{dispute.public_id}",
        order,
        [
            *_ended(order, lines),
            Side(Account.DISPUTE, -dispute.amount_minor, dispute.currency),
            Side(Account.FEE if kept > 0 else Account.LOSS, -kept, dispute.currency),
        ],
    )


def provider_fee(order: Order, *, provider: str, reference: str, fee_minor: int, currency: str) -> bool:
    """What the provider took for a movement on the account, as its statement `reference` says."""
    return post(
        "provider_fee",
        f"provider_fee:{provider}:{reference}",
        order,
        [
            Side(Account.PROVIDER_FEE, fee_minor, currency),
            Side(Account.CLEARING, -fee_minor, currency),
        ],
    )


def balance(
    account: str,
    *,
    currency: str = "SEK",
    organisation: Organisation | None = None,
    order: Order | None = None,
    detail: str | None = None,
) -> int:
    """The sum of an account in minor units: positive is owed to us or held, negative is earned or owed by us."""
    entries = Entry.objects.filter(account=account, currency=currency)
    if organisation is not None:
        entries = entries.filter(posting__organisation=organisation)
    if order is not None:
        entries = entries.filter(posting__order=order)
    if detail is not None:
        entries = entries.filter(detail=detail)
    return _sum(entries, "amount_minor")


def _debt(refund: Refund) -> str:
    """The account on which a refund stands as owed until it is done."""
    return Account.SELLER_PAYABLE if refund.reason == reasons.RESOLD else Account.BUYER_REFUNDABLE


def _sum(rows: QuerySet[Any], name: str) -> int:
    return rows.aggregate(total=Sum(name))["total"] or 0


def _moved(
    kind: str,
    order: Order,
    of: Refund | Dispute,
    amount_minor: int | None = None,
    *,
    to: str,
    out_of: str,
    fact: str = "",
) -> bool:
    """A refund's or a dispute's money, all of it unless told otherwise, goes from one account to another."""
    minor = of.amount_minor if amount_minor is None else amount_minor
    sides = [Side(to, minor, of.currency), Side(out_of, -minor, of.currency)]
    return post(kind, f"{kind}:{fact or of.public_id}", order, sides)


def _live_lines(order: Order) -> list[OrderLine]:
    return [line for line in reading.lines.all(order.pk) if line.is_held]


def _ended(order: Order, lines: Sequence[OrderLine]) -> list[Side]:
    """The sale of these lines undone, but for what was given back of them before and is undone already."""
    given_back = [side for line in lines for side in _given_back(order, line, line.price_minor - line.kept_minor)]
    return [_reversed(side) for side in (*_sale(order, lines), *given_back)]


def _reversed(side: Side) -> Side:
    return Side(side.account, -side.amount_minor, side.currency, side.detail)


def _given_back(order: Order, line: OrderLine, amount_minor: int) -> list[Side]:
    """What of a line's sale is undone when this much of its price was given back in all: revenue and each rate's VAT
    fall in proportion, and end at nothing when all of it was. A sponsor's share is owed until the ticket ends."""
    left = vat.reduced(line.vat_parts, line.price_minor - amount_minor)
    back = [(part.rate, part.vat_minor - rest.vat_minor) for part, rest in zip(line.vat_parts, left, strict=True)]
    revenue = amount_minor - sum(minor for _rate, minor in back)
    return [
        Side(Account.REVENUE, revenue, order.currency, f"line:{line.public_id}"),
        *(Side(Account.VAT, minor, order.currency, f"{rate:.2f}") for rate, minor in back),
    ]


def _sale(order: Order, lines: Sequence[OrderLine]) -> list[Side]:
    """Everything a sale of these lines books besides the buyer's money: sums to minus what the buyer pays.

    VAT is due on what the seller receives for the ticket, from buyer and sponsor together; each part is rounded on its
    own, so that the buyer's receipt, the sponsor's invoice and the books agree to the öre.
    """
    sides: list[Side] = []
    adjustments = reading.adjustments_of(lines)
    for line in lines:
        name = f"line:{line.public_id}"
        sponsored: dict[str, int] = {}
        own = 0
        for adjustment in adjustments[line.pk]:
            if adjustment.bearer == ORGANISER:
                own += adjustment.amount_minor
            else:
                sponsored[adjustment.bearer] = sponsored.get(adjustment.bearer, 0) - adjustment.amount_minor
        due = _vat_due(line.vat_parts, sponsored.values())
        sides += [
            *(Side(_bears(bearer), share, order.currency, bearer) for bearer, share in sponsored.items()),
            Side(Account.REVENUE, sum(due.values()) - line.list_minor, order.currency, name),
            Side(Account.REVENUE, -own, order.currency, f"adjusted:{line.public_id}"),
            *(Side(Account.VAT, -minor, order.currency, f"{rate:.2f}") for rate, minor in due.items()),
        ]
    return sides


def _bears(bearer: str) -> str:
    """The account on which somebody else's share of a price is booked: a sponsor's, or what a seller gave up of it."""
    return Account.SELLER_SHARE if bearer.startswith(SELLER) else Account.SPONSOR_RECEIVABLE


def _vat_due(parts: Sequence[vat.Part], shares: Iterable[int]) -> dict[Decimal, int]:
    """{rate: VAT} in what the buyer pays and in each sponsor's share, which is divided as the price is."""
    due = {part.rate: part.vat_minor for part in parts}
    for share in shares:
        for part, of_share in zip(parts, vat.apportion(share, [part.list_minor for part in parts]), strict=True):
            due[part.rate] += vat_inside(of_share, part.rate)
    return due
