"""What a ticket costs this person, and why: list price plus named adjustments. Reads; never writes, never has a clock.

Price rules return adjustments, never prices. They are applied in the order in which the rules were registered, and the
one that would take a line below zero is cut to what is left, so that list + adjustments is always the price.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError
from django.utils.translation import override

from apps.events.translated import LANGUAGES, active_language
from apps.ticketing import vat
from apps.ticketing.context import ContextLine, PurchaseContext
from apps.ticketing.extensions import (
    ExplainsPrices,
    GoesAlong,
    NamedAdjustment,
    TakesCodes,
    TellsAlike,
    Why,
    price_rules,
)
from apps.ticketing.money import vat_inside

if TYPE_CHECKING:
    from apps.ticketing.models import OrderLine, Ticket

log = logging.getLogger(__name__)

Told = Mapping[str, tuple[str, ...]]  # {language: sentences}


@dataclass(frozen=True)
class QuoteLine:
    """The price of one wanted ticket, in minor units, VAT included."""

    line: ContextLine
    adjustments: tuple[NamedAdjustment, ...]
    price_minor: int
    whys: tuple[Why, ...] = ()  # where it was asked for
    not_given: Told | None = None  # why something does not change it, to be kept with it; where that was asked for

    @property
    def list_minor(self) -> int:
        return self.line.list_minor

    @property
    def vat_minor(self) -> int:
        if not self.line.vat_split:
            return vat_inside(self.price_minor, self.line.vat_percent)
        return sum(part.vat_minor for part in self.vat_parts)

    @property
    def vat_parts(self) -> tuple[vat.Part, ...]:
        """What of the price is taxed at which rate."""
        return vat.parts_of(self.price_minor, self.list_minor, self.line.vat_percent, self.line.vat_split)


@dataclass(frozen=True)
class Quote:
    """The price of everything one context wants."""

    lines: tuple[QuoteLine, ...]
    currency: str

    @property
    def total_minor(self) -> int:
        return sum(line.price_minor for line in self.lines)

    @property
    def vat_parts(self) -> dict[Decimal, tuple[int, int]]:
        """{rate: (gross, VAT)} in minor units."""
        return vat.per_rate(part for line in self.lines for part in line.vat_parts)


def quote(context: PurchaseContext, *, explains: bool = False) -> Quote:
    """The price of one context at its own moment, with the reasons where they are asked for. Next: ordering.place."""
    return quote_many([context], context.at, explains=explains)[0]


def quote_to_freeze(contexts: Sequence[PurchaseContext], at: datetime) -> list[Quote]:
    """Prices that are about to be frozen, each with the reasons that are kept with it, in all our languages: asked
    anew, an order would find its own tickets in the way. The lines are stored ones."""
    return quote_many(contexts, at, keeps_reasons=True)


def quote_many(
    contexts: Sequence[PurchaseContext], at: datetime, *, explains: bool = False, keeps_reasons: bool = False
) -> list[Quote]:
    """Prices for a batch, in the order of `contexts`; each rule prepares once for all of them."""
    rules = [(rule, rule.prepare(contexts, at)) for rule in price_rules]
    not_given = _not_given(contexts, rules) if keeps_reasons else {}
    quotes = []
    for context in contexts:
        lines = []
        for line in context.lines:
            if line.sells is not None:
                wanted = _for_a_new_owner(context, line, rules)
            else:
                wanted = [named for rule, answers in rules for named in rule.adjustments(context, line, answers)]
            price, applied = _apply(line.list_minor, wanted)
            whys = _explain(context, line, rules) if explains and line.sells is None else ()
            lines.append(
                QuoteLine(
                    line=line,
                    adjustments=applied,
                    price_minor=price,
                    whys=whys,
                    not_given=not_given.get(line.key) if not_given else None,
                )
            )
        quotes.append(Quote(lines=tuple(lines), currency=context.currency))
    return quotes


def _for_a_new_owner(
    context: PurchaseContext, line: ContextLine, rules: Sequence[tuple[Any, Any]]
) -> list[NamedAdjustment]:
    """Adjustments of a ticket that is sold again: each rule says its own anew. What a rule gave that is not installed
    any more stays as it was frozen."""
    wanted = [named for rule, answers in rules for named in rule.reprice(line.sells, context, answers)]
    gone = [row for row in line.sells.line.adjustments.all() if row.source not in price_rules]
    return [*wanted, *map(NamedAdjustment.of, gone)]


def _explain(context: PurchaseContext, line: ContextLine, rules: Sequence[tuple[Any, Any]]) -> tuple[Why, ...]:
    explaining = ((rule, answers) for rule, answers in rules if isinstance(rule, ExplainsPrices))
    return tuple(why for rule, answers in explaining for why in rule.explain(context, line, answers))


def _not_given(contexts: Sequence[PurchaseContext], rules: Sequence[tuple[Any, Any]]) -> dict[int, Told]:
    """{line: why something does not change its price} of those of which there is something to say. A rule that fails
    here is logged and says nothing: nobody shall lose their place for a sentence."""
    told: dict[int, Told] = {}
    for rule, answers in rules:
        name = rule.slug
        if not isinstance(rule, ExplainsPrices):
            continue
        try:
            found = _not_given_by(rule, contexts, answers)
        except DatabaseError:  # the transaction is gone with it
            raise
        except Exception:
            log.exception("%s cannot say why it changes no price", name)
            continue
        told.update({key: _added(told[key], more) if key in told else more for key, more in found.items()})
    return told


def _not_given_by(rule: Any, contexts: Sequence[PurchaseContext], answers: Any) -> dict[int, Told]:
    """Lines that are told the same share what they are told."""
    alike = rule.told_alike(answers) if isinstance(rule, TellsAlike) else None
    if alike is not None and not alike:
        return {}
    kinds: dict[int, Hashable] = {}
    one_of: dict[Hashable, tuple[PurchaseContext, ContextLine]] = {}
    for context in contexts:
        for line in context.lines:
            kind = line.key if alike is None else alike.get(line.key)
            if kind is not None and line.sells is None:
                kinds[line.key] = kind
                one_of.setdefault(kind, (context, line))
    said: dict[Hashable, dict[str, tuple[str, ...]]] = {}
    for language in LANGUAGES:
        with override(language):
            for kind, (context, line) in one_of.items():
                whys = rule.explain(context, line, answers)
                if texts := tuple(str(why.text) for why in whys if not why.gives):
                    said.setdefault(kind, {})[language] = texts
    return {key: said[kind] for key, kind in kinds.items() if kind in said}


def _added(told: Told, more: Told) -> Told:
    return {language: told.get(language, ()) + more.get(language, ()) for language in LANGUAGES}


def told_of(lines: Iterable[OrderLine]) -> tuple[str, ...]:
    """Why something did not change these frozen prices, in the active language, each sentence once."""
    language = active_language()
    return tuple(dict.fromkeys(text for line in lines for text in (line.not_given or {}).get(language, ())))


def goes_along(ticket: Ticket) -> int:
    """By how much a ticket's frozen price is lower whoever has it, in minor units. `ticket.line.adjustments` fetched
    along."""
    return sum(rule.goes_along(ticket) for rule in price_rules if isinstance(rule, GoesAlong))


def takes_codes(event_id: int) -> bool:
    """Whether some rule knows codes for this event, so that its form asks for one."""
    return any(isinstance(rule, TakesCodes) and rule.takes_codes(event_id) for rule in price_rules)


def depends_on_order(event_id: int) -> bool:
    """Whether what one ticket costs depends on what else is ordered."""
    return any(isinstance(rule, TakesCodes) and rule.depends_on_order(event_id) for rule in price_rules)


def judge_codes(context: PurchaseContext) -> dict[str, str]:
    """{token: code from `reasons`, empty where it is good} of every code of the context that some rule knows. Of two
    that know the same one, the kinder."""
    judged: dict[str, str] = {}
    for rule in price_rules:
        if isinstance(rule, TakesCodes):
            for token, reason in rule.judge_codes(context).items():
                if token not in judged or not reason:
                    judged[token] = reason
    return judged


def _apply(list_minor: int, wanted: Sequence[NamedAdjustment]) -> tuple[int, tuple[NamedAdjustment, ...]]:
    price, applied = list_minor, []
    for named in wanted:
        amount = max(named.amount_minor, -price)
        if amount:
            applied.append(named if amount == named.amount_minor else replace(named, amount_minor=amount))
            price += amount
    return price, tuple(applied)
