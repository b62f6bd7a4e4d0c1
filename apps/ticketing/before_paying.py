"""What the law and fairness want said before the button: who sells, what it costs at most, and what cannot be undone.

Directive 2011/83/EU art. 8(2): main characteristics, total price and parties, right before the buyer is bound, and a
button that says that it costs. Sold by law (2005:59), ch. 2, in Sweden.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from apps.events.models import Event
from apps.ticketing import refund_rule


@dataclass(frozen=True)
class Rules:
    """Two sentences in the active language: of the right of withdrawal, and of money back."""

    withdrawal: str
    refund: str


def rules(event: Event, at: datetime) -> Rules:
    """What holds for whoever pays for tickets to `event` at this moment."""
    return Rules(withdrawal=withdrawal_sentence(), refund=refund_sentence(event, at))


def withdrawal_sentence() -> str:
    """There is none: a service of leisure to be given on a set day. Directive 2011/83/EU art. 16(l); lag (2005:59) om
    distansavtal och avtal utanför affärslokaler, ch. 2 § 11 point 12. It must be said before the purchase (§ 2)."""
    return _("There is no right of withdrawal for tickets to a set date.")


def refund_sentence(event: Event, at: datetime) -> str:
    """What a buyer gets back who cannot come. The one place where it is said before paying."""
    return refund_rule.shown_sentence(event, at)
