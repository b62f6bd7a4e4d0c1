"""Discounts as ticketing asks for them: the PriceRule. Reads what is known of buyers and limits for a whole batch in a
constant number of queries, and lets `granting` decide.

An event without discounts costs nothing here but a look into memory. Next: `claims`, when the tickets are held.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from allauth.account.models import EmailAddress
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.keyring import blind_index, normalise_email
from apps.accounts.prepared import Statement
from apps.discounts import claims, codes, facts, granting, past_terms, resold, sentences
from apps.discounts.facts import DiscountFacts, EventDiscounts
from apps.discounts.granting import CodeFacts, Known, Outcome, Served
from apps.discounts.memberships import verdicts_of
from apps.discounts.models import Code, Discount, DiscountUse, ListedPerson
from apps.ticketing import reasons
from apps.ticketing.context import ContextLine, PurchaseContext
from apps.ticketing.extensions import NamedAdjustment, Why
from apps.ticketing.models import Adjustment, Ticket

CODE_USED_UP = reasons.register(
    "discount_code_used_up", _("This code is used up. Nothing was charged. Take it away to buy at the price shown.")
)
CODE_TOO_EARLY = reasons.register(
    "discount_code_too_early", _("This code cannot be used yet. Nothing was charged. Take it away, or come back later.")
)
CODE_OVER = reasons.register(
    "discount_code_over",
    _("This code can be used no more. Nothing was charged. Take it away to buy at the price shown."),
)


def person_key(email: str) -> str:
    """How an address stands on a personal list."""
    return blind_index("listed", normalise_email(email))


@dataclass(frozen=True)
class Answers:
    """What every context gets. Contexts are known by their order, or by themselves while none is stored. `resold`: what
    lines get that sell a ticket again, by context and line."""

    served: Mapping[int, Served] = field(default_factory=dict)
    resold: Mapping[tuple[int, int], Sequence[NamedAdjustment]] = field(default_factory=dict)

    def of(self, context: PurchaseContext) -> Served | None:
        return self.served.get(_key(context))


def _key(context: PurchaseContext) -> int:
    return -context.order_id if context.order_id is not None else id(context)


def _when(context: PurchaseContext) -> tuple[int, datetime | None]:
    """Of which event, and of what moment where that is past: not when the order was queued, or what an editor changed
    before it was decided would go back."""
    return context.event_id, context.anew.frozen_at if context.anew is not None else None


def _discounts_of(contexts: Sequence[PurchaseContext]) -> dict[tuple[int, datetime | None], EventDiscounts]:
    """By `_when`. One query for those of now, where none is in memory."""
    asked = {_when(each) for each in contexts}
    now = facts.load_many(event_id for event_id, at in asked if at is None)
    return {
        (event_id, at): now[event_id] if at is None else past_terms.as_of(event_id, at)
        for event_id, at in sorted(asked, key=str)
    }


class Discounts:
    """The PriceRule of discounts, codes and surcharges."""

    slug = granting.SOURCE

    def prepare(self, contexts: Sequence[PurchaseContext], at: datetime) -> Answers:
        """Decides the whole batch, in its order, tickets that are sold again among it: each finds used up what those
        before it get. At most eight queries; for events without discounts none, but for tickets that are sold again
        with a surcharge; priced anew, some more for each event where something was changed since."""
        of_event = _discounts_of(contexts)
        concerned = [each for each in contexts if of_event[_when(each)].discounts or each.sells_again]
        if not concerned:
            return Answers()
        known = read(concerned, of_event.values(), at)
        uses = resold.uses_of(concerned, source=self.slug)
        served: dict[int, Served] = {}
        sold_again: dict[tuple[int, int], Sequence[NamedAdjustment]] = {}
        for each in concerned:
            discounts = of_event[_when(each)]
            if not each.sells_again:
                served[_key(each)] = granting.serve(each, discounts, known)
                continue
            for line in each.lines:  # such an order holds nothing else
                if line.sells is not None:
                    again = resold.of_line(each, line, discounts, uses, source=self.slug)
                    granted = granting.serve(each.with_lines((again.line,)), again.discounts, known).granted
                    sold_again[_key(each), line.key] = again.named(granted.get(line.key, ()))
        return Answers(served, sold_again)

    def adjustments(self, context: PurchaseContext, line: ContextLine, answers: Answers) -> Sequence[NamedAdjustment]:
        served = answers.of(context)
        return served.granted.get(line.key, ()) if served else ()

    def explain(self, context: PurchaseContext, line: ContextLine, answers: Answers) -> Sequence[Why]:
        served = answers.of(context)
        return sentences.explain(context, served.findings.get(line.key, ())) if served else ()

    def told_alike(self, answers: Answers) -> Mapping[int, Hashable]:
        of_line = {key: found for served in answers.served.values() for key, found in served.findings.items()}
        kinds = {
            pk: tuple([finding.key for finding in found if finding.outcome is not Outcome.GIVEN])
            for pk, found in {id(found): found for found in of_line.values()}.items()
        }
        return {key: kinds[id(found)] for key, found in of_line.items()}

    def claim(self, order_lines: Mapping[int, Sequence[NamedAdjustment]]) -> None:
        claims.claim(order_lines)

    def release(self, order_line_ids: Sequence[int]) -> None:
        claims.release(order_line_ids)

    def reprice(self, ticket: Ticket, context: PurchaseContext, answers: Answers) -> Sequence[NamedAdjustment]:
        """What holds for whoever owns the ticket, for its new owner: memberships and personal lists, within their
        limits, and surcharges. Codes, early birds, groups and what the first ones got stay with the first sale."""
        line = next((line for line in context.lines if line.sells == ticket), None)
        return answers.resold.get((_key(context), line.key), ()) if line else ()

    def goes_along(self, ticket: Ticket) -> int:
        """What was had by a code, early, in a group or among the first; not what a membership or a personal list
        gave. A discount that is not there any more was for a person, for all that is known."""
        known = facts.load(ticket.event_id).discounts
        anybodys = {discount.name_sv for discount in known if not discount.bodies and not discount.needs_list}
        frozen = [row for row in ticket.line.adjustments.all() if row.source == self.slug and row.amount_minor < 0]
        return -sum(row.amount_minor for row in frozen if row.label_sv in anybodys)

    def rests_on(self, event_id: int, rows: Sequence[Adjustment], words: Collection[str]) -> list[Adjustment]:
        """Those of the discounts for members of what `words` say, known by their name, or by what the ticket used where
        they were renamed. One of which neither is there any more may have been one of them. Three queries."""
        discounts = list(Discount.objects.filter(event=event_id).prefetch_related("bodies"))
        named = {each.name_sv or each.name_en: each.pk for each in discounts}
        of_members = {
            each.pk
            for each in discounts
            if any(f"{granting.MEMBER}{body.public_id.hex}" in words for body in each.bodies.all())
        }
        used: dict[tuple[int, int], set[int]] = defaultdict(set)
        for use in DiscountUse.objects.filter(line__in={row.line_id for row in rows}).order_by():
            used[use.line_id, use.amount_minor].add(use.discount_id)

        def may_be_lost(row: Adjustment) -> bool:
            by_use, by_name = used[row.line_id, row.amount_minor], named.get(row.label_sv)
            if by_name is not None and (not by_use or by_name in by_use):
                return by_name in of_members
            return not by_use or not by_use.isdisjoint(of_members)

        return [row for row in rows if may_be_lost(row)]

    # --- Codes -----------------------------------------------------------------------------------------------------

    def takes_codes(self, event_id: int) -> bool:
        return facts.load(event_id).needs_code

    def depends_on_order(self, event_id: int) -> bool:
        return facts.load(event_id).depends_on_order

    def judge_codes(self, context: PurchaseContext) -> Mapping[str, str]:
        """At most two queries, and none without codes."""
        typed = {token: codes.text_of(token) for token in context.tokens if codes.is_token(token)}
        if not typed:
            return {}
        discounts = {discount.id: discount for discount in facts.load(context.event_id).discounts}
        rows = read_codes([(context.event_id, text) for text in typed.values()])
        taken = _taken([discount.id for discount in discounts.values() if discount.size is not None])
        judged = {}
        for token, text in typed.items():
            code = rows.get((context.event_id, text))
            if code is not None:
                judged[token] = _judge(code, discounts.get(code.discount_id), taken, context.at)
        return judged


def _judge(code: CodeFacts, discount: DiscountFacts | None, taken: Mapping[int, int], at: datetime) -> str:
    """Why a code opens nothing at `at`; empty when it opens its discount."""
    if discount is None or not code.is_active:
        return CODE_OVER
    if discount.opens_at is not None and at < discount.opens_at:
        return CODE_TOO_EARLY
    if discount.closes_at is not None and at >= discount.closes_at:
        return CODE_OVER
    if code.size is not None and code.taken >= code.size:
        return CODE_USED_UP
    if discount.size is not None and taken.get(discount.id, 0) >= discount.size:
        return CODE_USED_UP
    return ""


def read(contexts: Sequence[PurchaseContext], events: Iterable[EventDiscounts], at: datetime) -> Known:
    """What is known for these contexts, as committed now. At most six queries; each only where something asks."""
    discounts = [discount for event in events for discount in event.discounts]
    users = {context.user_id for context in contexts if context.user_id is not None}
    known = Known()
    if users and any(discount.bodies for discount in discounts):
        known.verdicts = verdicts_of(users, at)
    with_list = [discount.id for discount in discounts if discount.needs_list]
    if users and with_list:
        known.listed = _listed(with_list, users)
    asked = [(context.event_id, text) for context in contexts for text in codes.of_tokens(context.tokens)]
    if asked and any(discount.needs_code for discount in discounts):
        known.codes = read_codes(asked)
    sized = [discount.id for discount in discounts if discount.size is not None]
    if sized:
        known.taken = _taken(sized)
    per_person = [discount.id for discount in discounts if discount.max_per_person is not None]
    if per_person:
        keys = {context.buyer_key for context in contexts if context.buyer_key} | set(known.listed.values())
        known.had = _had(per_person, keys)
    lines = [line.key for context in contexts if context.order_id is not None for line in context.lines]
    is_anew = any(context.anew is not None for context in contexts)
    if lines and (is_anew or any(discount.is_limited for discount in discounts)):
        # Of what was let go of to price it anew the adjustment still stands; of an offer declined before it does not.
        frozen = Adjustment.objects.filter(line=OuterRef("line"), source=granting.SOURCE)
        if is_anew:
            uses = list(DiscountUse.objects.filter(Q(is_live=True) | Exists(frozen), line_id__in=lines).order_by())
        else:
            uses = [use for use in claims.uses_of(lines) if use.is_live]
        known.own = {(use.line_id, use.discount_id): use.code_id for use in uses}
        _count_again([use for use in uses if not use.is_live], known)
    return known


def _count_again(uses: Sequence[DiscountUse], known: Known) -> None:
    """What was let go of to price an order anew is its own still, and in the way of nobody but itself."""
    taken_of = {code.id: code.taken for code in known.codes.values()}
    for use in uses:
        if use.discount_id in known.taken:
            known.taken[use.discount_id] += 1
        known.had[use.discount_id, use.buyer_key] += 1
        if use.code_id in taken_of:
            known.code_taken[use.code_id] = known.code_taken.get(use.code_id, taken_of[use.code_id]) + 1


def read_codes(asked: Sequence[tuple[int, str]]) -> dict[tuple[int, str], CodeFacts]:
    """{(event id, text): code}. One query."""
    rows = Code.objects.filter(
        event_id__in={event for event, _text in asked}, text__in={text for _event, text in asked}
    )
    return {
        (row.event_id, row.text): CodeFacts(row.pk, row.discount_id, row.text, row.size, row.taken, row.is_active)
        for row in rows
    }


def _listed(discount_ids: Sequence[int], user_ids: set[int]) -> dict[tuple[int, int], str]:
    """Who is on which list, by an address that is verified, and by which entry. Two queries."""
    addresses = EmailAddress.objects.filter(user_id__in=user_ids, verified=True).values_list("user_id", "email")
    users_of: dict[str, set[int]] = {}
    for user_id, email in addresses:
        users_of.setdefault(person_key(email), set()).add(user_id)
    rows = ListedPerson.objects.filter(discount_id__in=discount_ids, email_key__in=users_of).order_by()
    return {
        (discount_id, user_id): key
        for discount_id, key in sorted(rows.values_list("discount_id", "email_key"), reverse=True)
        for user_id in users_of[key]
    }


def _taken(discount_ids: Sequence[int]) -> dict[int, int]:
    return {pk: taken for pk, taken in _TAKEN.run(list(discount_ids))}


_TAKEN = Statement(
    "discounts_taken",
    ("bigint[]",),
    "SELECT discount_id, taken FROM discounts_allowance WHERE discount_id = ANY($1)",
)


def _had(discount_ids: Sequence[int], buyer_keys: set[str]) -> Counter[tuple[int, str]]:
    """How many tickets each of those it is counted for has had at each of these discounts."""
    rows = _HAD.run(list(discount_ids), list(buyer_keys))
    return Counter({(discount_id, key): number for discount_id, key, number in rows})


# Each looked up by itself, or a plan for any number would read all that was ever had of these discounts.
_HAD = Statement(
    "discounts_had",
    ("bigint[]", "text[]"),
    """
SELECT discount.id, person.key, had.number FROM unnest($1) AS discount(id), unnest($2) AS person(key), LATERAL (
    SELECT count(*) AS number FROM discounts_discountuse had
    WHERE had.discount_id = discount.id AND had.buyer_key = person.key AND had.is_live
) AS had WHERE had.number > 0
""",
)
