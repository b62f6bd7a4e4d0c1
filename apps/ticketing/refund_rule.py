"""What an event promises to a buyer who changes their mind: until when, for which fee, and in which words.

An order keeps the rule under which its prices were frozen; a later rule holds for it where that gives more back. Reads
and computes; refunds themselves are `refunds`, the buyer's page is `refund_views`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.events.models import Event
from apps.events.translated import joined, repeated
from apps.events.wording import write_moment, write_money
from apps.ticketing import clock, kept_rows, tickets
from apps.ticketing.models import Order, OrderLine, RefundRule, Ticket
from apps.ticketing.money import Money
from apps.ticketing.states import TicketState

Kind = RefundRule.Kind
HOURS_OF_A_DAY = 24

REFUNDED = gettext_lazy("It is refunded already.")
NO_TICKET = gettext_lazy("It is still being made.")
GIVEN_AWAY = gettext_lazy("It was given away. Ask its holder to give it back to you, or ask the organiser.")
FEE_EATS_ALL = gettext_lazy("The fee would be all that it cost.")


def of(event: Event) -> RefundRule | None:
    """The rule in force now. None: the event never made one, and refunds nothing. One query."""
    return RefundRule.objects.filter(event_id=event.pk).order_by("-pk").first()


def shown_sentence(event: Event, at: datetime) -> str:
    """`sentence` for pages that thousands look at in the same second: the rule may be half a second old."""
    rules = kept_rows.of(event.pk).refund_rules
    return _words(rules[0] if rules else None, event, at)


def binding(rules: Sequence[RefundRule], order: Order) -> list[RefundRule | None]:
    """Which of an event's rules, the newest first, bind the organiser towards this order: today's, and the one under
    which it was held."""
    promised = [rule for rule in rules if order.decided_at is None or rule.at <= order.decided_at]
    found: list[RefundRule | None] = [rules[0] if rules else None, promised[0] if promised else None]
    return list(dict.fromkeys(found))


def last_moment(rule: RefundRule | None, event: Event) -> datetime | None:
    """Until when the rule lets a buyer give a ticket back; None when it never does. Moves along with the event."""
    if rule is None or rule.kind == Kind.NEVER:
        return None
    if rule.kind == Kind.MOMENT:
        return rule.until
    return event.starts_at - timedelta(hours=rule.hours_before or 0)


def fee_minor(rule: RefundRule | None, line: OrderLine, currency: str) -> int:
    """What the rule keeps of one ticket, in minor units; never more than what is left of its price."""
    if rule is None:
        return 0
    share = Money(line.price_minor, currency).percent(Decimal(rule.fee_percent)).minor
    return min(line.kept_minor, rule.fee_minor + share)


# --- In words ------------------------------------------------------------------------------------------------------


def sentence(event: Event, *, at: datetime | None = None, rule: RefundRule | None = None) -> str:
    """The event's rule for buyers in one or two sentences of the active language, as shown before paying.

    `at` is the moment at which it is read (the time for refunds may be over), `rule` another rule than the newest.
    One query without `rule`.
    """
    return _words(rule or of(event), event, at or clock.now())


def _words(rule: RefundRule | None, event: Event, at: datetime) -> str:
    until = last_moment(rule, event)
    if rule is None or until is None:
        return _("Tickets are not refunded, unless the event is cancelled.")
    moment = write_moment(until, event.zone)
    if at > until:
        return _over(until, event)
    if rule.kind == Kind.MOMENT:
        first = _("You can have tickets refunded until %(moment)s.") % {"moment": moment}
    else:
        first = _until_before(rule.hours_before or 0, moment)
    return f"{first} {fee_sentence(rule, event.currency)}"


def _over(until: datetime, event: Event) -> str:
    return _("Tickets could be refunded until %(moment)s.") % {"moment": write_moment(until, event.zone)}


def _until_before(hours: int, moment: str) -> str:
    days, rest = divmod(hours, HOURS_OF_A_DAY)
    if rest:
        words = ngettext(
            "You can have tickets refunded until %(moment)s, %(n)d hour before the event.",
            "You can have tickets refunded until %(moment)s, %(n)d hours before the event.",
            hours,
        )
        return words % {"moment": moment, "n": hours}
    words = ngettext(
        "You can have tickets refunded until %(moment)s, %(n)d day before the event.",
        "You can have tickets refunded until %(moment)s, %(n)d days before the event.",
        days,
    )
    return words % {"moment": moment, "n": days}


def fee_sentence(rule: RefundRule, currency: str) -> str:
    """What is kept of each ticket, as a sentence of its own."""
    parts = {"fee": write_money(rule.fee_minor, currency), "percent": rule.fee_percent}
    if rule.fee_minor and rule.fee_percent:
        return _("Of each ticket %(fee)s and %(percent)d%% of its price are kept as a fee.") % parts
    if rule.fee_minor:
        return _("Of each ticket %(fee)s is kept as a fee.") % parts
    if rule.fee_percent == 100:
        return _("The whole price is kept as a fee.")
    if rule.fee_percent:
        return _("Of each ticket %(percent)d%% of its price is kept as a fee.") % parts
    return _("All of the price comes back.")


# --- What an order gets back ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """One line of an order and what would come back for it. `why_not` says in words why nothing can."""

    line: OrderLine
    ticket: Ticket | None
    fee_minor: int
    why_not: str = ""

    @property
    def name(self) -> str:
        """The ticket's number in the order and its type, with its guest where one is named."""
        name = f"{self.line.position + 1}. {self.line.ticket_type.name}"
        return f"{name} ({self.line.guest_name})" if self.line.guest_name else name

    @property
    def chosen(self) -> str:
        """What was chosen for it, which tells it from its neighbours."""
        picks = sorted(
            self.line.choices.all(), key=lambda picked: (picked.choice.variation.position, picked.choice.position)
        )
        return joined([repeated(picked.choice.name, picked.quantity) for picked in picks])

    @property
    def back_minor(self) -> int:
        return self.line.kept_minor - self.fee_minor

    @property
    def is_open(self) -> bool:
        return not self.why_not


@dataclass(frozen=True)
class Offer:
    """What the rule gives back of an order at one moment. `until` is None where it never gives anything back."""

    event: Event
    rule: RefundRule | None
    until: datetime | None
    is_over: bool
    currency: str
    parts: tuple[Part, ...] = field(default=())

    @property
    def open_parts(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.is_open)

    @property
    def is_open(self) -> bool:
        """Whether the buyer may give any of it back now."""
        return self.until is not None and not self.is_over and bool(self.open_parts)

    @property
    def back_minor(self) -> int:
        """What would come back for all that can be given back."""
        return sum(part.back_minor for part in self.open_parts)

    def chosen(self, public_ids: Iterable[Any]) -> tuple[Part, ...]:
        """The parts of these lines that can be given back; others are left out."""
        wanted = {str(public_id) for public_id in public_ids}
        return tuple(part for part in self.open_parts if str(part.line.public_id) in wanted)


def offer(order: Order, at: datetime, *, locks: bool = False) -> Offer:
    """What its buyer may have back now: by the rule under which it was held, or by today's where that gives more.

    Six queries. `locks` locks the tickets by id, for whoever acts on it with the order locked.
    """
    event, parts = order.event, _parts(order, locks=locks)
    rules = binding(list(RefundRule.objects.filter(event_id=event.pk).order_by("-pk")), order)
    offers = [_by_rule(rule, event, at, parts, order.currency) for rule in rules]
    return max(offers, key=lambda one: (one.is_open, one.back_minor if one.is_open else 0))


def _parts(order: Order, *, locks: bool) -> list[tuple[OrderLine, Ticket | None]]:
    found = Ticket.objects.filter(line__order=order).order_by("pk")
    newest = {ticket.line_id: ticket for ticket in (found.select_for_update(of=("self",)) if locks else found)}
    lines = OrderLine.objects.filter(order=order, is_wanted=True).select_related("ticket_type")
    told = lines.prefetch_related("choices__choice__variation").order_by("position")
    return [(line, newest.get(line.pk)) for line in told if line.is_held or line.refunded_at is not None]


def _by_rule(
    rule: RefundRule | None,
    event: Event,
    at: datetime,
    lines: Sequence[tuple[OrderLine, Ticket | None]],
    currency: str,
) -> Offer:
    until = last_moment(rule, event)
    parts = []
    for line, ticket in lines:
        fee = fee_minor(rule, line, currency)
        parts.append(Part(line, ticket, fee, str(_why_not(line, ticket, fee))))
    return Offer(event, rule, until, until is not None and at > until, currency, tuple(parts))


def _why_not(line: OrderLine, ticket: Ticket | None, fee: int) -> str | Promise:
    if line.refunded_at is not None:
        return REFUNDED
    if ticket is None:
        return NO_TICKET
    if ticket.state != TicketState.VALID:
        return tickets.WHY_NOT_VALID[ticket.state]
    if line.is_given_away:
        return GIVEN_AWAY
    if line.kept_minor and line.kept_minor == fee:
        return FEE_EATS_ALL
    return ""


@dataclass(frozen=True)
class Agreed:
    """What a buyer saw when they agreed: which lines, by public id, what comes back and what is kept. Minor units."""

    lines: frozenset[str]
    back_minor: int
    fee_minor: int


def changes(now: Offer, agreed: Agreed) -> list[str]:
    """How what a buyer agreed to differs from what they would get now, in sentences; none when it does not."""
    if now.is_over and now.until is not None:
        return [_over(now.until, now.event)]
    gone = [part for part in now.parts if str(part.line.public_id) in agreed.lines and not part.is_open]
    if gone:
        return [f"{part.name}: {part.why_not}" for part in gone]
    chosen = now.chosen(agreed.lines)
    back, fee = sum(part.back_minor for part in chosen), sum(part.fee_minor for part in chosen)
    if now.until is None or len(chosen) != len(agreed.lines) or not chosen:
        return [sentence(now.event, rule=now.rule)]
    if (back, fee) != (agreed.back_minor, agreed.fee_minor):
        sums = {"now": write_money(back, now.currency), "then": write_money(agreed.back_minor, now.currency)}
        return [_("%(now)s would come back, and not %(then)s.") % sums]
    return []


@dataclass(frozen=True)
class Shown:
    """What the page of a paid order says: the rule in words, and whether it leads on to a refund."""

    sentence: str
    is_open: bool


def shown(order: Order, tickets: Sequence[Ticket], at: datetime) -> Shown:
    """What the page of an order with these tickets says of refunds. From kept rows: many look at it in a rush."""
    rules = binding(kept_rows.of(order.event_id).refund_rules, order)
    ends = [last_moment(rule, order.event) for rule in rules]
    best = max(range(len(rules)), key=lambda number: (_is_to_come(ends[number], at), -number))
    own = [ticket for ticket in tickets if not ticket.line.is_given_away]
    may_begin = _is_to_come(ends[best], at) and any(ticket.state == TicketState.VALID for ticket in own)
    return Shown(_words(rules[best], order.event, at), may_begin)


def _is_to_come(until: datetime | None, at: datetime) -> bool:
    return until is not None and at <= until
