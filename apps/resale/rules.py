"""What an event promises to those who sell their tickets: until when, and for which fee."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from apps.events.models import Event
from apps.resale.models import ResaleRule
from apps.ticketing.money import Money


def of(event: Event) -> ResaleRule:
    """The event's rule; the defaults, unsaved, where it made none. One query, none with `resale_rule` fetched along."""
    try:
        return event.resale_rule
    except ResaleRule.DoesNotExist:
        return ResaleRule(event=event)


def is_over(event: Event, rule: ResaleRule, at: datetime) -> bool:
    """Whether tickets to the event change hands no more at this moment."""
    return not rule.is_open or event.cancelled_at is not None or at >= closes_at(event, rule)


def closes_at(event: Event, rule: ResaleRule) -> datetime:
    """When selling ends: so long before doors open. It moves along with the event."""
    return (event.doors_at or event.starts_at) - timedelta(hours=rule.hours_before_doors)


def fee_minor(rule: ResaleRule, asked_minor: int, currency: str) -> int:
    """What is kept of an asking price, in minor units; never more than it."""
    share = Money(asked_minor, currency).percent(Decimal(rule.fee_percent)).minor
    return min(asked_minor, rule.fee_minor + share)
