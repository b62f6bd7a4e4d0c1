"""How a ticket would be somebody's to whom it is given: what holds for a buyer holds for them, and what they would have
paid more for it than was paid.

Asked when a page shows an offer, when its recipient begins to pay and when they accept. Reads only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.events.wording import write_money
from apps.ticketing import catalogue, changes, holders, ordering, pricing, reasons, reservations
from apps.ticketing.context import PurchaseContext
from apps.ticketing.extensions import ORGANISER, purchase_gates
from apps.ticketing.models import ChoiceChange, GivingRule, OrderLine, Ticket


@dataclass(frozen=True)
class Terms:
    """How a ticket would be somebody's: under which key it counts for them, why they cannot have it, whether they would
    have paid more for it than was paid (minor units), and whether they pay that now."""

    buyer_key: str
    refusal: str = ""
    dearer_minor: int = 0
    pays: bool = False
    is_on_trust: bool = False  # what they would pay rests on a membership that is not known yet

    @property
    def pays_minor(self) -> int:
        """What they pay for it, in minor units."""
        return self.dearer_minor if self.pays and not self.refusal else 0

    @property
    def asks_proof(self) -> bool:
        return not self.refusal and (self.is_on_trust or self.dearer_minor > 0 and not self.pays)


def terms_for(
    ticket: Ticket,
    *,
    email: str,
    person: Any,
    facts: catalogue.Catalogue,
    rule: GivingRule,
    at: datetime,
    has_paid: bool = False,
) -> Terms:
    """What holds for this person about this ticket. `ticket` with all that `giving.fetched` fetches. Whoever
    `has_paid` the difference does so under the rule of then."""
    key = ordering.buyer_key(person, email)
    user_id = person.pk if person is not None else None
    if holders.is_holder(ticket, key=key, email=email, user_id=user_id):
        return Terms(key, str(_("This ticket is yours already. Nothing was changed.")))
    line = reservations.as_sold(ticket)
    context = PurchaseContext(
        event_id=ticket.event_id,
        currency=ticket.line.order.currency,
        at=at,
        buyer_key=key,
        user_id=user_id,
        email=email,
        locale=ticket.line.order.locale,
        is_gift=True,
        lines=(line,),
    )
    if reason := _refusal(facts, context, at):
        return Terms(key, _why(reason))
    quote = pricing.quote(context)
    dearer = max(0, quote.total_minor - paid_minor(ticket.line) - pricing.goes_along(ticket))
    if dearer and rule.when_dearer == GivingRule.WhenDearer.REFUSE and not has_paid:
        sum_ = write_money(dearer, context.currency)
        return Terms(
            key,
            _("This ticket was bought at a price that is not yours: you would pay %(sum)s more. No money was taken, "
              "and it is its giver's as before. They can sell it to you instead.") % {"sum": sum_},
            dearer,
        )  # fmt: skip
    return Terms(
        key,
        dearer_minor=dearer,
        pays=has_paid or rule.when_dearer == GivingRule.WhenDearer.PAY and _has_a_difference(ticket.line),
        is_on_trust=any(named.is_provisional for line in quote.lines for named in line.adjustments),
    )


def _has_a_difference(line: OrderLine) -> bool:
    """Whether what a ticket costs somebody else more can be told and is the organiser's. Where a sponsor bears what was
    taken off, the house has that money; where choices were changed for money, its price does not follow from those it
    has now. Then the door asks for a proof. One query."""
    is_sponsored = any(row.bearer != ORGANISER for row in line.adjustments.all())
    return not is_sponsored and not changes.changed_for_money().filter(pk=line.pk).exists()


def paid_minor(line: OrderLine) -> int:
    """What was paid for a ticket as it is, by its buyer and by those it was given to. One query."""
    more = ChoiceChange.objects.filter(
        ChoiceChange.STANDS, of_line=line, gift__isnull=False, line__is_held=True, line__refunded_at=None
    )
    return line.price_minor + sum(change.line.kept_minor for change in more.select_related("line"))


def _refusal(facts: catalogue.Catalogue, context: PurchaseContext, at: datetime) -> str:
    """Why the person of `context` may not have its one ticket, as a code; empty when they may."""
    (line,) = context.lines
    kind = facts.type(line.ticket_type_id)
    if facts.sign_in_required and context.user_id is None:
        return reasons.SIGN_IN_REQUIRED
    is_allowed = kind is None or kind.visibility != "members"  # its holder gives it, whether it is shown or not
    for gate in purchase_gates:
        opinion = gate.opinion(context, line, gate.prepare([context], at))
        if opinion.allows is False:
            return opinion.reason or reasons.REFUSED
        is_allowed = is_allowed or opinion.allows is True
    if not is_allowed:
        return reasons.GIFT_NOT_FOR_YOU
    return reservations.why_too_many(facts, context.buyer_key, Counter([line.ticket_type_id]))


_IN_OUR_WORDS = {
    reasons.LIMIT_PER_PERSON: gettext_lazy(
        "With this ticket you would have more than one person may. It is its giver's as before."
    ),
    reasons.TOO_MANY_GUESTS: gettext_lazy(
        "This is a guest ticket: it needs a ticket of your own, and you have none that allows one more guest. It is its"
        " giver's as before. If such a ticket is offered to you as well, accept that first."
    ),
    reasons.CONFLICTING_TYPES: gettext_lazy(
        "You have a ticket that cannot be combined with this one. It is its giver's as before."
    ),
    reasons.SIGN_IN_REQUIRED: gettext_lazy("Tickets to this event are for those who sign in. Sign in, then accept it."),
}


def _why(reason: str) -> str:
    return str(_IN_OUR_WORDS[reason]) if reason in _IN_OUR_WORDS else reasons.sentence(reason)
