"""What an event promises to those who sell their tickets: until when, and for which fee."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import DurationField, ExpressionWrapper, Q, QuerySet, Value
from django.db.models.functions import Coalesce

from apps.events.models import Event
from apps.resale.models import Listing, ResaleRule
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


def over(listings: QuerySet[Listing], at: datetime) -> QuerySet[Listing]:
    """Those whose event changes hands no more, as `is_over` says of one."""
    return _dated(listings).filter(_over(at))


def running(listings: QuerySet[Listing], at: datetime) -> QuerySet[Listing]:
    """Those whose event changes hands still."""
    return _dated(listings).exclude(_over(at))


def _dated(listings: QuerySet[Listing]) -> QuerySet[Listing]:
    opens = Coalesce("event__doors_at", "event__starts_at")
    hours = Coalesce("event__resale_rule__hours_before_doors", Value(0))
    early = ExpressionWrapper(hours * Value(timedelta(hours=1)), output_field=DurationField())
    return listings.alias(closes=opens - early)


def _over(at: datetime) -> Q:
    return Q(closes__lte=at) | Q(event__cancelled_at__isnull=False) | Q(event__resale_rule__is_open=False)


def fee_minor(rule: ResaleRule, asked_minor: int, currency: str) -> int:
    """What is kept of an asking price, in minor units; never more than it."""
    share = Money(asked_minor, currency).percent(Decimal(rule.fee_percent)).minor
    return min(asked_minor, rule.fee_minor + share)
